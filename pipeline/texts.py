"""Which number has a text? Ids of a million activations and subjects, in their bytes and some 20 more each.

A string is an object of 50 bytes beside its letters, a list of them takes 8 more, and a dictionary from them to numbers
60. Here the letters of all stand one after another, and an open table of numbers is looked up by the texts' hashes. A
text takes part of a microsecond to find or to read, so what is looked up for each fix is kept in a dictionary.
"""

from array import array
from typing import Any

import numpy as np
from numba import njit

_HASH = 0xFFFFFFFF


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _fill(table: Any, hashes: Any) -> None:
    """Put each number into an empty `table`, whose length is a power of two, by its hash."""
    last = len(table) - 1
    for number in range(len(hashes)):
        place = hashes[number] & last
        while table[place] >= 0:
            place = (place + 1) & last
        table[place] = number


class Texts:
    """Texts by number, from 0 on in the order in which they came, each once; none is ever dropped."""

    def __init__(self) -> None:
        self._letters = bytearray()
        self._ends = array("I", [0])
        self._hashes = array("I")
        self._table = array("i", [-1]) * 16

    def __len__(self) -> int:
        return len(self._hashes)

    def __getitem__(self, number: int) -> str:
        """The text of `number`.

        Raises:
            IndexError: no text has it.
        """
        if number < 0:
            raise IndexError(number)
        return self._letters[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")

    def find(self, text: str) -> int:
        """The number of `text`, -1: not known."""
        return self._table[self._place(text, hash(text) & _HASH)]

    def number(self, text: str) -> int:
        """The number of `text`, a new one if it is new.

        Raises:
            OverflowError: all texts together would have more than 4 GiB.
        """
        hashed = hash(text) & _HASH
        place = self._place(text, hashed)
        number = self._table[place]
        if number < 0:
            letters = text.encode("utf-8", "surrogatepass")
            self._ends.append(len(self._letters) + len(letters))
            self._letters += letters
            number = self._table[place] = len(self._hashes)
            self._hashes.append(hashed)
            if 3 * len(self._hashes) > 2 * len(self._table):
                self._widen()
        return number

    def _place(self, text: str, hashed: int) -> int:
        """Where `text` stands in the table, or where it would."""
        table, hashes = self._table, self._hashes
        last = len(table) - 1
        place = hashed & last
        while (number := table[place]) >= 0 and (hashes[number] != hashed or self[number] != text):
            place = (place + 1) & last
        return place

    def _widen(self) -> None:
        self._table = array("i", [-1]) * (2 * len(self._table))
        _fill(np.frombuffer(self._table, np.int32), np.frombuffer(self._hashes, np.uint32))
