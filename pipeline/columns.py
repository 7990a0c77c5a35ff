"""Which fixes are in these records, as columns? Decoded once; objects stay only for what has no column."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.datum import to_wgs84
from pipeline.health import NO, UNKNOWN, YES
from pipeline.rejection import rejected, written_at
from pipeline.step import Emission, Record
from schemas.fix import Datum, Fix, decode_fixes, decode_fixes_apart
from schemas.message import Invalid

Column = NDArray[np.float64]

EARLIEST_S = 946_684_800.0
"""2000-01-01: what claims to be older is no time of a fix but of a receiver without one."""

FUTURE_S = 60.0
"""How far a fix_time may lie after its arrival."""


_SATELLITE_PROVIDERS = {"gnss", "gps"}
_LEAST_SATELLITES = 4
_CHARGING = {None: UNKNOWN, False: NO, True: YES}
_NAN = float("nan")
_DATUMS: tuple[Datum, ...] = ("gcj02", "bd09")


class FixColumns(NamedTuple):
    """Fixes (n,) in the order of their arrival. `record`: place in the batch; times in seconds since 1970; `lat`, `lon`
    WGS 84; `arrived_s` by the gateway's or the broker's clock, 0: not known; `received_s` the gateway's alone;
    `battery_pct` NaN: not told; `charging` as in `pipeline.health`; `satellite`: claims to be a position from
    satellites; `carriers`, `cell_ids` None: nobody says; `alarmed` (a,): places of those with alarms."""

    fixes: list[Fix]
    record: NDArray[np.int64]
    t: Column
    lat: Column
    lon: Column
    accuracy_m: Column
    received_s: Column
    arrived_s: Column
    device_ids: list[str]
    battery_pct: Column
    charging: NDArray[np.int8]
    satellite: NDArray[np.bool_]
    mock: NDArray[np.bool_]
    carriers: list[str | None] | None
    cell_ids: list[str | None] | None
    alarmed: list[int]


def fix_columns(batch: Sequence[Record], now: datetime) -> tuple[FixColumns, list[Emission]]:
    """The fixes in `batch`, and rejections of what is none."""
    fixes: list[Fix] = []
    sizes: list[int] = []
    refused: list[Emission] = []
    for record in batch:
        before = len(fixes)
        try:
            fixes += decode_fixes(record.value)
        except Invalid:
            fixes += _mended(record, written_at(record, now), refused)
        sizes.append(len(fixes) - before)
    return columns_of(fixes, np.repeat(np.arange(len(batch)), sizes), [record.timestamp_s for record in batch]), refused


def _mended(record: Record, at: datetime, refused: list[Emission]) -> list[Fix]:
    """The good fixes of a value in which not all is good."""
    try:
        good, bad = decode_fixes_apart(record.value)
    except Invalid as why:
        refused.append(rejected(record, why, at))
        return []
    single = record.value.lstrip()[:1] != b"["
    for place, raw, fault in bad:
        told = fault if single else Invalid(fault.reason, f"$[{place}]{fault.field.removeprefix('$')}")
        refused.append(rejected(record, told, at, raw=raw, place=place))
    return good


def columns_of(fixes: list[Fix], record: NDArray[np.int64], written_s: Sequence[float]) -> FixColumns:
    """`fixes` as columns; `written_s`: when each record was written, 0 where not known.

    A list for each field: a tuple for each fix would keep the garbage collector busy.
    """
    n = len(fixes)
    t = _column([fix.fix_time.timestamp() for fix in fixes])
    lat, lon = _column([fix.lat for fix in fixes]), _column([fix.lon for fix in fixes])
    received = _column(_seconds([fix.received_at for fix in fixes]))
    charging, mock, satellite = np.full(n, UNKNOWN, np.int8), np.zeros(n, np.bool_), np.ones(n, np.bool_)
    at = _unusual(fixes)
    unusual = [fixes[place] for place in at]
    if unusual:
        charging[at] = [_CHARGING[fix.charging] for fix in unusual]
        mock[at] = [fix.mock for fix in unusual]
        satellite[at] = [_by_satellite(fix) for fix in unusual]
        for datum in _DATUMS:
            shifted = [place for place, fix in zip(at, unusual, strict=True) if fix.datum == datum]
            if shifted:
                lat[shifted], lon[shifted] = to_wgs84(lat[shifted], lon[shifted], datum)
    return FixColumns(
        fixes=fixes,
        record=record,
        t=np.floor(t * 1000 + 1e-3) / 1000,  # whole milliseconds, as times are written
        lat=lat,
        lon=lon,
        accuracy_m=_column([fix.accuracy_m or 0.0 for fix in fixes]),
        received_s=received,
        arrived_s=np.where(received > 0, received, np.asarray(written_s, np.float64)[record]),
        device_ids=[fix.device_id for fix in fixes],
        battery_pct=_column([_NAN if fix.battery_pct is None else fix.battery_pct for fix in fixes]),
        charging=charging,
        satellite=satellite,
        mock=mock,
        carriers=[fix.carrier for fix in fixes] if any(fix.carrier for fix in unusual) else None,
        cell_ids=[fix.cell_id for fix in fixes] if any(fix.cell_id for fix in unusual) else None,
        alarmed=[place for place, fix in zip(at, unusual, strict=True) if fix.alarms],
    )


def _unusual(fixes: list[Fix]) -> list[int]:
    """The places of those that say what few say; only they are asked about it."""
    return [
        place
        for place, fix in enumerate(fixes)
        if fix.provider not in _SATELLITE_PROVIDERS
        or fix.charging is not None
        or fix.carrier
        or fix.cell_id
        or fix.alarms
        or fix.mock
        or fix.datum != "wgs84"
    ]


def _column(values: list[float]) -> Column:
    return np.fromiter(values, np.float64, len(values))


def _seconds(moments: list[datetime | None]) -> list[float]:
    """Since 1970; 0 where there is none. Those of a frame are mostly one."""
    first = moments[0] if moments else None
    if moments.count(first) == len(moments):
        return [0.0 if first is None else first.timestamp()] * len(moments)
    return [0.0 if moment is None else moment.timestamp() for moment in moments]


def _by_satellite(fix: Fix) -> bool:
    return fix.provider in _SATELLITE_PROVIDERS or (fix.provider is None and (fix.satellites or 0) >= _LEAST_SATELLITES)
