"""Whose is a device that moved? For the events of positions; read now and then, and where somebody stands otherwise."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from console.reading import people
from console.reading.shelf import Shelf
from pipeline.readmodel.answers import Person
from pipeline.readmodel.positions import unpack
from pipeline.readmodel.standing import PositionRow

WEARERS_S = 15.0
"""How long it is remembered who wears what, but for those who are told to stand otherwise."""


class Roll:
    """Who of an agency (None: of all) wears which device, as it was read a little ago: one for all who follow."""

    def __init__(self, shelf: Shelf, agency: str | None, clock: Callable[[], datetime]) -> None:
        self._shelf = shelf
        self._agency = agency
        self._clock = clock
        self._read_s = -WEARERS_S
        self._reading = asyncio.Lock()
        self.of: dict[str, Person] = {}

    async def refresh(self) -> None:
        """Read it anew if that was not done just now."""
        async with self._reading:
            if time.monotonic() - self._read_s >= WEARERS_S:
                everyone = await people.everyone(self._shelf, self._agency, self._clock())
                self.of = {device_id: one for one in everyone for device_id in one.device_ids}
                self._read_s = time.monotonic()

    def put(self, persons: Sequence[Person]) -> None:
        """These stand otherwise."""
        names = {one.subject_id for one in persons}
        kept = {device_id: one for device_id, one in self.of.items() if one.subject_id not in names}
        self.of = kept | {device_id: one for one in persons for device_id in one.device_ids}


class Wearers:
    """Whose a device is. `stale`: people who stand otherwise than they stood when they were last told of."""

    def __init__(self, shelf: Shelf, roll: Roll, clock: Callable[[], datetime]) -> None:
        self._shelf = shelf
        self._roll = roll
        self._clock = clock
        self.stale: set[str] = set()

    async def rows(self, moved: dict[str, bytes]) -> list[PositionRow]:
        """Rows of devices that moved, and of people who stand otherwise."""
        if not moved and not self.stale:
            return []
        stale, self.stale = self.stale, set()
        await self._roll.refresh()
        changed = await people.persons(self._shelf, stale, self._clock()) if stale else []
        if changed:
            self._roll.put(changed)
        of = self._roll.of
        rows = [
            people.row_of(of[device_id], device_id, at)
            for device_id, raw in moved.items()
            if device_id in of and people.is_theirs(of[device_id], at := unpack(raw))
        ]
        told = {row[0] for row in rows}
        rows += [row for row in await people.position_rows(self._shelf, changed) if row[0] not in told]
        return rows
