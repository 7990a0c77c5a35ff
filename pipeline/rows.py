"""How are rows of state kept of which most fields are written seldom? Those fields apart from the others.

A large column takes room only where something was written (`fences.room`), so what few devices ever need, the time of a
switching off or of a return, takes next to none. From outside the rows look like an array of one structured type.
"""

from typing import Any

import numpy as np

from fences.room import lengthen


class Row:
    """One row, by name of the field, to read and to write."""

    __slots__ = ("_apart", "_often", "_seldom")

    def __init__(self, often: Any, seldom: Any, apart: frozenset[str]) -> None:
        self._often, self._seldom, self._apart = often, seldom, apart

    def __getitem__(self, name: str) -> Any:
        return (self._seldom if name in self._apart else self._often)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        (self._seldom if name in self._apart else self._often)[name] = value


class StateRows:
    """Rows of `dtype`, of which the fields `seldom` are mostly zero.

    By the name of a field: its column, a view; let it go before `lengthen`. By a number: a `Row`. By anything else that
    chooses rows: a copy, an array of `dtype`; and such an array can be put there.
    """

    def __init__(self, dtype: np.dtype[Any], seldom: tuple[str, ...]) -> None:
        self.dtype = dtype
        self._apart = frozenset(seldom)
        fields = {name: dtype[name] for name in dtype.names or ()}
        self._often = np.zeros(0, [(name, kind) for name, kind in fields.items() if name not in self._apart])
        self._seldom = np.zeros(0, [(name, fields[name]) for name in seldom])

    def __len__(self) -> int:
        return len(self._often)

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, str):
            return (self._seldom if which in self._apart else self._often)[which]
        if isinstance(which, (int, np.integer)):
            return Row(self._often[which], self._seldom[which], self._apart)
        often, seldom = self._often[which], self._seldom[which]
        whole = np.empty(often.shape, self.dtype)
        for part in (often, seldom):
            for name in part.dtype.names or ():
                whole[name] = part[name]
        return whole

    def __setitem__(self, which: Any, values: Any) -> None:
        for name in self.dtype.names or ():
            column, rows, new = self[name], which, values[name]
            if name in self._apart:  # write only what differs: a zero would take room as well
                rows = np.arange(len(self))[which]
                differs = np.isin(rows, rows[column[rows] != new])  # of a row that comes twice, the last stays
                rows, new = rows[differs], new[differs]
            column[rows] = new

    def lengthen(self, length: int) -> None:
        """Have `length` rows; new ones are zero."""
        lengthen(self, "_often", length)
        lengthen(self, "_seldom", length)

    def tobytes(self) -> bytes:
        """All rows, one after another."""
        return bytes(self[:].tobytes())
