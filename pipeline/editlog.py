"""What was edited in the reference, in order? Pairs of a kind and a number, in five bytes each."""

from array import array
from collections.abc import Iterable
from typing import overload

import numpy as np
from numpy.typing import NDArray

Edit = tuple[str, int]

KINDS = ("fence", "activation", "leaves")


class EditLog:
    """Edits as a list has them: ("fence", duty), ("activation", slot) or ("leaves", 0)."""

    def __init__(self) -> None:
        self._kinds = array("b")
        self._numbers = array("i")

    def __len__(self) -> int:
        return len(self._kinds)

    @overload
    def __getitem__(self, place: int) -> Edit: ...
    @overload
    def __getitem__(self, place: slice) -> list[Edit]: ...
    def __getitem__(self, place: int | slice) -> Edit | list[Edit]:
        if isinstance(place, slice):
            return [
                (KINDS[kind], number) for kind, number in zip(self._kinds[place], self._numbers[place], strict=True)
            ]
        return KINDS[self._kinds[place]], self._numbers[place]

    def kinds(self, since: int) -> set[str]:
        """Of which kinds there are edits from the place `since` on."""
        return {KINDS[kind] for kind in set(self._kinds[since:])}

    def numbers(self, kind: str, since: int) -> NDArray[np.int32]:
        """The numbers of the edits of `kind` from the place `since` on, in order."""
        is_one = np.frombuffer(self._kinds[since:], np.int8) == KINDS.index(kind)
        return np.asarray(np.frombuffer(self._numbers[since:], np.int32)[is_one])

    def append(self, edit: Edit) -> None:
        """Note an edit.

        Raises:
            ValueError: there is no such kind.
        """
        self._kinds.append(KINDS.index(edit[0]))
        self._numbers.append(edit[1])

    def extend(self, edits: Iterable[Edit]) -> None:
        """Note edits in order."""
        for edit in edits:
            self.append(edit)
