"""Which areas are devices in, and how many of each are heard? The count that a partition gives of its own.

See `pipeline.outage` for what is made of it.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fences.room import lengthen, room
from schemas.outage import DISTRICT_DEG, AreaPulse, Pulse
from schemas.times import from_epoch

Rows = NDArray[np.intp]

_NOWHERE = np.iinfo(np.int32).min
_COLUMNS = {"all": 0, "carrier": 1, "cell": 2, "district": 3}


def district_of(lat: float, lon: float) -> str:
    """The district (a square of `DISTRICT_DEG`) of a place, by its south-western corner."""
    south, west = (np.floor(degrees / DISTRICT_DEG) * DISTRICT_DEG for degrees in (lat, lon))
    return f"district:{south:.1f},{west:.1f}"


class Areas:
    """Which areas the device of each row is in, by number; row -> all, carrier, cell, district."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": 0, "all": 1}
        self._names = ["", "all"]
        self.of = np.zeros((0, 4), np.int32)
        self._square = np.zeros(0, np.int32)
        self._stamp = np.zeros(0, np.int32)

    def _code(self, name: str) -> int:
        code = self._codes.setdefault(name, len(self._names))
        if code == len(self._names):
            self._names.append(name)
        return code

    def place_all(
        self,
        rows: Rows,
        lat: NDArray[np.float64],
        lon: NDArray[np.float64],
        carriers: Sequence[str | None] | None,
        cell_ids: Sequence[str | None] | None,
    ) -> None:
        """The devices of `rows` (n,) are there now; what one does not say stays as it said last. None: nobody says."""
        if not len(rows):
            return
        self._reserve(int(rows.max()))
        squares = np.floor(lat / DISTRICT_DEG).astype(np.int32) * 10_000 + np.floor(lon / DISTRICT_DEG).astype(np.int32)
        each = np.arange(len(rows))
        self._stamp[rows] = each  # of several fixes of a row the last stays
        for place in np.flatnonzero((self._square[rows] != squares) & (self._stamp[rows] == each)).tolist():
            row = rows[place]
            self._square[row] = squares[place]
            self.of[row, 0], self.of[row, 3] = 1, self._code(district_of(float(lat[place]), float(lon[place])))
        if carriers is not None:
            for row, carrier in zip(rows.tolist(), carriers, strict=True):
                if carrier:
                    self.of[row, 1] = self._code(f"carrier:{carrier}")
        if cell_ids is not None:
            for place, cell_id in enumerate(cell_ids):
                if cell_id:
                    carrier = carriers[place] if carriers is not None else None
                    self.of[rows[place], 2] = self._code(f"cell:{carrier or ''}/{cell_id}")

    def _reserve(self, row: int) -> None:
        if row >= len(self.of):
            size = room(len(self.of), row + 1)
            lengthen(self, "of", size)
            lengthen(self, "_square", size, _NOWHERE)
            lengthen(self, "_stamp", size)

    def put(self, row: int, names: Sequence[str]) -> None:
        """Take back what `names` gave."""
        self._reserve(row)
        for name in names:
            self.of[row, _COLUMNS[name.partition(":")[0]]] = self._code(name)

    def names(self, row: int) -> list[str]:
        """The areas of the device of `row`."""
        return [self._names[code] for code in self.of[row].tolist() if code] if row < len(self.of) else []

    def names_all(self, rows: Rows) -> list[list[str]]:
        """`names` of each of `rows`."""
        self._reserve(int(rows.max(initial=-1)))
        return [[self._names[code] for code in codes if code] for codes in self.of[rows].tolist()]

    def pulse(self, source: str, at_s: float, heard_s: NDArray[np.float64], quiet: NDArray[np.bool_]) -> Pulse:
        """The count of a partition. `heard_s` (n,): last hearing of the first n rows, NaN for those not to be counted;
        `quiet` (n,): whether they count as quiet."""
        rows = np.flatnonzero(~np.isnan(heard_s[: len(self.of)]))
        areas = []
        codes = self.of[rows]
        devices = np.bincount(codes.ravel(), minlength=len(self._names))
        hushed = rows[quiet[rows]]
        minutes = (heard_s[hushed] // 60).astype(np.int64)
        by_area: dict[int, Counter[int]] = {}
        for column in range(4):
            pairs, counts = np.unique(np.stack((self.of[hushed, column], minutes)), axis=1, return_counts=True)
            for code, minute, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
                by_area.setdefault(code, Counter())[minute] += count
        for code in np.flatnonzero(devices).tolist():
            name = self._names[code]
            if code and (code in by_area or not name.startswith("cell:")):  # there are many cells; most are well
                areas.append(AreaPulse(area=name, devices=int(devices[code]), quiet=dict(by_area.get(code, {}))))
        return Pulse(source=source, at=from_epoch(at_s), areas=tuple(areas))
