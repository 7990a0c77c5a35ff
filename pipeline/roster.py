"""Which duties name a subject? Pairs of numbers, a million of them in 12 bytes each.

The pairs of a subject are a chain: `_last` has its newest, and `_before` the one before each.
"""

from array import array


class Roster:
    """Duties by number of the subject; none is ever dropped."""

    def __init__(self) -> None:
        self._last = array("i")  # by subject, -1: none
        self._before = array("i")
        self._duty = array("i")

    def add(self, subject: int, duty: int) -> None:
        """Let `duty` name `subject`."""
        if subject >= len(self._last):
            self._last.extend([-1] * (subject + 1 - len(self._last)))
        self._before.append(self._last[subject])
        self._last[subject] = len(self._duty)
        self._duty.append(duty)

    def of(self, subject: int) -> list[int]:
        """The duties that name `subject`, in the order in which they were added."""
        found = []
        place = self._last[subject] if subject < len(self._last) else -1
        while place >= 0:
            found.append(self._duty[place])
            place = self._before[place]
        return found[::-1]

    def all(self) -> list[int]:
        """The duties that name anybody, each once."""
        return list(dict.fromkeys(self._duty))
