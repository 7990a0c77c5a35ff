"""How do fixes reach `pipeline.vitals`? Their fields that tell of the device, as columns, by the rows of `locate`.

A hearing is an arrival, by the gateway's clock or the broker's. Where nobody says when a fix arrived (in a file),
nothing is said of silence.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from fences.room import lengthen, room
from pipeline.columns import FixColumns
from pipeline.health import Reports
from pipeline.hearing import NEVER_MS
from pipeline.judgement import Told
from pipeline.reference import Reference
from pipeline.step import Emission
from pipeline.tidings import Who
from pipeline.vitals import VitalRules, Vitals
from schemas.times import from_epoch

Numbers = NDArray[np.int64]

TAKEN_AT_ONCE = 10_000
"""States taken back are put away when they are so many; a million would stand there twice."""
_LAST_S = 253402300799.0  # the end of the year 9999


class VitalSigns:
    """The vitals of a core. `activation[row]`: which activation a row of the core is about."""

    def __init__(
        self, reference: Reference, activation: Sequence[int], rules: VitalRules, source: str, rule_version: str
    ) -> None:
        self._reference = reference
        self._activation = activation
        self._vitals = Vitals(self._who, rules, reference.outages, source=source, rule_version=rule_version)
        self._admitted = np.zeros(0, np.bool_)
        self._loaded: list[tuple[int, bytes]] = []

    def _who(self, row: int) -> Who:
        known = self._reference.activations
        slot = self._activation[row]
        return Who(
            known.ids[slot],
            known.devices[slot],
            known.subjects[known.subject[slot]],
            known.agencies[known.agency[slot]],
        )

    def observe(self, fixes: FixColumns, rows: Numbers, fresh: NDArray[np.bool_]) -> list[Told]:
        """What the `fresh` of `fixes` tell of their devices; all of it at the place of the last fix of the batch."""
        self._settle()
        at = np.flatnonzero(fresh)
        if not len(at):
            return []
        heard_ms = np.round(fixes.arrived_s[at] * 1000).astype(np.int64)
        self._admit(rows[at], heard_ms)
        emissions = self._vitals.observe(
            _reports(fixes, rows[at], at), heard_ms, _those(fixes.carriers, at), _those(fixes.cell_ids, at)
        )
        return [Told(int(at[-1]), one) for one in emissions]

    def _admit(self, rows: Numbers, heard_ms: Numbers) -> None:
        count = int(rows.max()) + 1
        if count > len(self._admitted):
            lengthen(self, "_admitted", room(len(self._admitted), count))
        new = np.flatnonzero(~self._admitted[rows])
        if len(new):
            first, places = np.unique(rows[new], return_index=True)
            self._enter(first, heard_ms[new[places]])

    def _enter(self, rows: Numbers, since_ms: Numbers) -> None:
        known = self._reference.activations
        slots = np.array([self._activation[row] for row in rows.tolist()], np.int64)
        until_s = known.t_until[slots]
        until_ms = np.full(len(slots), NEVER_MS)
        ends = until_s < _LAST_S
        until_ms[ends] = np.round(until_s[ends] * 1000)
        self._vitals.admit(rows, since_ms, until_ms, known.period_s[slots].astype(np.float64))
        self._admitted[rows] = True

    def changed(self, slots: NDArray[np.int32]) -> None:
        """Activations in `slots` got another end or period."""
        if not len(slots):
            return
        self._settle()
        count = min(len(self._activation), len(self._admitted))
        of_row = np.array(self._activation[:count], np.int64)
        rows = np.flatnonzero(self._admitted[:count] & np.isin(of_row, slots))
        if len(rows):
            self._enter(rows, np.zeros(len(rows), np.int64))

    def next_wake(self) -> datetime | None:
        """When `wake` may next have something to do."""
        self._settle()
        due_ms = self._vitals.next_wake_ms()
        return None if due_ms >= NEVER_MS else from_epoch(min(due_ms / 1000, _LAST_S))

    def wake(self, now: datetime) -> tuple[list[Emission], list[int]]:
        """What timers due by `now` say, and the rows that they changed."""
        self._settle()
        emissions = self._vitals.wake(int(now.timestamp() * 1000))
        rows, self._vitals.turned = self._vitals.turned, []
        return emissions, rows

    def dump(self, rows: Numbers) -> list[bytes]:
        """What `load` takes back, of rows (n,); nothing for one that was never heard."""
        self._settle()
        known = rows < len(self._admitted)
        known[known] = self._admitted[rows[known]]
        found = iter(self._vitals.dump(rows[known]))
        return [next(found) if one else b"" for one in known.tolist()]

    def load(self, row: int, state: bytes) -> None:
        """Take back what `dump` gave; in bulk, when there are many or it is needed."""
        if state:
            self._loaded.append((row, state))
            if len(self._loaded) >= TAKEN_AT_ONCE:
                self._settle()

    def _settle(self) -> None:
        if not self._loaded:
            return
        loaded, self._loaded = self._loaded, []
        rows = np.array([row for row, _ in loaded], np.int64)
        self._vitals.load(rows, [state for _, state in loaded])
        count = int(rows.max()) + 1
        if count > len(self._admitted):
            lengthen(self, "_admitted", room(len(self._admitted), count))
        self._enter(np.unique(rows), np.zeros(len(np.unique(rows)), np.int64))


def _reports(fixes: FixColumns, rows: Numbers, at: Numbers) -> Reports:
    low, off = np.zeros(len(fixes.t), np.bool_), np.zeros(len(fixes.t), np.bool_)
    for place in fixes.alarmed:
        low[place] = "low_battery" in fixes.fixes[place].alarms
        off[place] = "power_off" in fixes.fixes[place].alarms
    return Reports(
        rows=rows,
        fix_ms=np.round(fixes.t[at] * 1000).astype(np.int64),
        received_ms=np.round(fixes.received_s[at] * 1000).astype(np.int64),
        lat=fixes.lat[at],
        lon=fixes.lon[at],
        satellite=fixes.satellite[at],
        battery_pct=fixes.battery_pct[at],
        charging=fixes.charging[at],
        low_alarm=low[at],
        power_off=off[at],
        mock=fixes.mock[at],
    )


def _those(said: Sequence[str | None] | None, at: Numbers) -> Sequence[str | None] | None:
    return said if said is None or len(said) == len(at) else [said[place] for place in at.tolist()]
