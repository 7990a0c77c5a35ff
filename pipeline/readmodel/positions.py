"""Where is each device now, and which way did it come? Fixes by the hundred thousand, kept to a row and a thin line.

`Whereabouts` holds the devices of some partitions. It takes fixes in the order of their partition and gives the rows
that moved and the pieces of way to be added; how they were cut into batches makes no difference.

- The latest place is that of the latest `fix_time`. A time in the future is a wrong clock, and a position that the
  phone says an app invented is none.
- A way keeps a fix when `STEP_S` have passed since the one kept before and it lies `STEP_M` (or its own accuracy, if
  that is worse) away, or when `REST_S` have passed. What comes late (from a phone that was out of coverage) is thinned
  alike, beside it.
"""

from collections.abc import Iterable
from math import cos, radians
from struct import Struct
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.columns import EARLIEST_S, FUTURE_S, FixColumns
from pipeline.readmodel.layout import DAY_S

STEP_S, STEP_M, REST_S = 10.0, 25.0, 300.0
METRES_PER_DEG = 111_195.0

KEPT, BROKEN, UNCERTAIN, NO_FENCE = 0, 1, 2, 3
"""Verdicts of a place against the fences of whoever is there."""

_ROW = Struct("<qddffBqddqdd")
_PIECE = np.dtype([("t", "<i8"), ("lat", "<i4"), ("lon", "<i4"), ("accuracy_dm", "<u2"), ("speed_cmps", "<u2")])
_UNKNOWN = 0xFFFF
_NEVER = -(2**62)


class Trail(msgspec.Struct):
    """The last piece of a way that was kept."""

    t_ms: int = _NEVER
    lat: float = 0.0
    lon: float = 0.0


class Position(msgspec.Struct):
    """Where a device is. Degrees WGS 84; `t_ms` since 1970; NaN: not told. `live`, `late`: see the module."""

    t_ms: int = _NEVER
    lat: float = 0.0
    lon: float = 0.0
    accuracy_m: float = float("nan")
    battery_pct: float = float("nan")
    verdict: int = NO_FENCE
    live: Trail = msgspec.field(default_factory=Trail)
    late: Trail = msgspec.field(default_factory=Trail)


def pack(one: Position) -> bytes:
    """`one` as Redis keeps it."""
    live, late = one.live, one.late
    return _ROW.pack(
        *(one.t_ms, one.lat, one.lon, one.accuracy_m, one.battery_pct, one.verdict),
        *(live.t_ms, live.lat, live.lon, late.t_ms, late.lat, late.lon),
    )


def unpack(raw: bytes) -> Position:
    """What `pack` wrote.

    Raises:
        struct.error: it was something else.
    """
    t_ms, lat, lon, accuracy_m, battery_pct, verdict, *trails = _ROW.unpack(raw)
    return Position(t_ms, lat, lon, accuracy_m, battery_pct, verdict, Trail(*trails[:3]), Trail(*trails[3:]))


class Ways(NamedTuple):
    """What is to be added to ways: by device and day the pieces, packed, in the order in which they came."""

    pieces: dict[tuple[str, int], bytearray]


class Whereabouts:
    """The devices known, and which of them moved since `moved` was last taken."""

    def __init__(self) -> None:
        self.devices: dict[str, Position] = {}
        self._moved: dict[str, None] = {}
        self._pieces: dict[tuple[str, int], bytearray] = {}

    def take(self, columns: FixColumns) -> None:
        """Take in fixes, in the order of their partition."""
        usable = (columns.t >= EARLIEST_S) & ((columns.arrived_s <= 0) | (columns.t <= columns.arrived_s + FUTURE_S))
        t_ms = np.round(columns.t * 1000).astype(np.int64).tolist()
        lat, lon = np.round(columns.lat, 7).tolist(), np.round(columns.lon, 7).tolist()
        good = usable.tolist()
        devices = self.devices
        for place, fix in enumerate(columns.fixes):
            if not good[place] or fix.mock:
                continue
            device_id, t = fix.device_id, t_ms[place]
            known = devices.get(device_id)
            if known is None:
                known = devices[device_id] = Position()
            if t > known.t_ms:
                known.t_ms, known.lat, known.lon = t, lat[place], lon[place]
                known.accuracy_m = _or_nan(fix.accuracy_m)
                if fix.battery_pct is not None:
                    known.battery_pct = _single(fix.battery_pct)
                self._moved[device_id] = None
                trail = known.live
            elif t < known.live.t_ms:
                trail = known.late
            else:
                continue  # the same again
            if _is_kept(trail, t, lat[place], lon[place], fix.accuracy_m or 0.0):
                trail.t_ms, trail.lat, trail.lon = t, lat[place], lon[place]
                self._moved[device_id] = None
                piece = _piece(t, trail.lat, trail.lon, fix.accuracy_m, fix.speed_mps)
                self._pieces.setdefault((device_id, t // (DAY_S * 1000)), bytearray()).extend(piece)

    def taken(self) -> tuple[list[str], Ways]:
        """The devices that moved, and what is to be added to ways, since this was last asked."""
        moved, ways = list(self._moved), Ways(self._pieces)
        self._moved, self._pieces = {}, {}
        return moved, ways

    def forget(self, device_ids: Iterable[str]) -> None:
        """Let devices go: they are another's now, or nobody's."""
        for device_id in device_ids:
            self.devices.pop(device_id, None)
            self._moved.pop(device_id, None)


def _single(value: float) -> float:
    """As it is kept: in four bytes."""
    return float(np.float32(value))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else _single(value)


def _is_kept(trail: Trail, t_ms: int, lat: float, lon: float, accuracy_m: float) -> bool:
    """Whether a way goes on with this fix; a step back in time begins a new stretch."""
    since_s = (t_ms - trail.t_ms) / 1000
    if since_s < 0 or since_s >= REST_S:
        return True
    if since_s < STEP_S:
        return False
    north = (lat - trail.lat) * METRES_PER_DEG
    east = ((lon - trail.lon + 180) % 360 - 180) * METRES_PER_DEG * cos(radians(lat))
    away = max(STEP_M, accuracy_m)
    return north * north + east * east >= away * away


def _piece(t_ms: int, lat: float, lon: float, accuracy_m: float | None, speed_mps: float | None) -> bytes:
    accuracy = _UNKNOWN if accuracy_m is None else min(round(accuracy_m * 10), _UNKNOWN - 1)
    speed = _UNKNOWN if speed_mps is None else min(round(speed_mps * 100), _UNKNOWN - 1)
    return _PIECE_ROW.pack(t_ms, round(lat * 1e7), round(lon * 1e7), accuracy, speed)


_PIECE_ROW = Struct("<qiiHH")


class Way(NamedTuple):
    """A way as columns, by time. NaN: not told."""

    t_ms: NDArray[np.int64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    speed_mps: NDArray[np.float64]


def read_way(pieces: Iterable[bytes | None]) -> Way:
    """The way that the pieces of some days make, by time, each moment once."""
    rows = np.frombuffer(b"".join(piece or b"" for piece in pieces), _PIECE)
    _, first = np.unique(rows["t"], return_index=True)
    rows = rows[first]

    def told(name: str, unit: float) -> NDArray[np.float64]:
        return np.where(rows[name] == _UNKNOWN, np.nan, rows[name] / unit)

    return Way(
        rows["t"].astype(np.int64),
        rows["lat"] / 1e7,
        rows["lon"] / 1e7,
        told("accuracy_dm", 10.0),
        told("speed_cmps", 100.0),
    )
