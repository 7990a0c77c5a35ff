"""Where is everybody, and which duties are broken? The core of the agent `locate`, over a partition of `fixes`.

A batch goes through these steps: decode to columns; who wore the device then; what is no position of that time is set
aside; alarms told at once; put in order; judged (`pipeline.judgement`). What is set aside without being refused is
counted in `ignored`, by reason.

State is kept per activation. Times are those of the fixes; the only other clock is that of arrival, which says what is
late. `docs/verdict.md` explains the verdict.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences.evidence import VerdictRule
from fences.tracker import MotionModel
from pipeline.alarms import Alarms
from pipeline.breaches import LATE_S
from pipeline.columns import EARLIEST_S, FUTURE_S, FixColumns, fix_columns
from pipeline.duties import NEVER, Concern
from pipeline.judgement import NO_FIXES, Judged, Judgement, Told
from pipeline.late import Fix, LateTracks
from pipeline.ordering import DUPLICATE, JUDGE, LATE, WAIT, WINDOW_S, Order, Waiting
from pipeline.positions import ASKS, answered
from pipeline.reference import Reference
from pipeline.rejection import rejected, written_at
from pipeline.step import Emission, Record
from pipeline.vitals import VitalRules
from pipeline.vitalsigns import VitalSigns
from schemas.message import Invalid, Message
from schemas.times import from_epoch, instant

Numbers = NDArray[np.int64]
FIXES = "fixes"
GRACE_S = 2.0
"""How long after a timer is due it fires, for records that are on their way from the broker."""


class LocateRules(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a supervisor may draft about verdicts. `version` stands in each incident."""

    version: str = ""
    motion: MotionModel = MotionModel()
    verdict: VerdictRule = VerdictRule()
    reorder_s: float = WINDOW_S
    vitals: VitalRules = VitalRules()


class _Held(msgspec.Struct, frozen=True, array_like=True):
    """A fix that waits: seconds since 1970, degrees WGS 84, metres."""

    t: float
    lat: float
    lon: float
    accuracy_m: float
    late: bool


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    """An activation's state in the changelog."""

    tracked: bytes
    order: bytes
    concerns: list[Concern]
    waiting: list[_Held]
    clock_s: float
    extra: Any
    alarms: Any
    vitals: bytes = b""


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_Saved).decode


class LocateCore:
    """The `pipeline.step.Core` of the topic `fixes`. `ignored` counts fixes that were set aside, by reason.

    `source` names the partition when its devices are counted for outages; they are not without it.
    """

    def __init__(self, reference: Reference, rules: LocateRules | None = None, source: str = "") -> None:
        self.rules = rules or LocateRules()
        self.reference = reference
        self.judgement = Judgement(reference, self.rules.motion, self.rules.verdict, self.rules.version)
        self.judgement.grace_s = self.rules.reorder_s
        self.order = Order(self.rules.reorder_s)
        self.late = LateTracks(self.judgement)
        self.alarms = Alarms(self.judgement.teller)
        self.vitals = VitalSigns(reference, self.judgement.activation, self.rules.vitals, source, self.rules.version)
        self.ignored: Counter[str] = Counter()
        self._row_of = np.full(0, -1, np.int64)  # by activation slot
        self._changed = np.zeros(0, np.bool_)
        self._saved_to = np.zeros(0, np.int64)  # offset up to which records are in the restored state
        self._restored_newer = False
        self._timers: list[tuple[float, int]] = []
        self._due: dict[int, float] = {}
        self._caught_up = 0
        self.newest_s = 0.0
        """The newest fix_time seen that is no nonsense."""

    def __len__(self) -> int:
        """How many activations have a state."""
        return len(self.judgement.activation)

    # records

    def apply(self, batch: Sequence[Record], now: datetime) -> list[Emission]:
        """Judge `batch` in the order given; then answer who asks for a position (`pipeline.positions`)."""
        asks = [record for record in batch if record.topic == ASKS]
        if asks:
            batch = [record for record in batch if record.topic != ASKS]
        fixes, refused = fix_columns(batch, now)
        emissions = refused + self.judge_columns(fixes, batch, now)
        return emissions + [answered(ask, self.reference.activations, self.last_of, now) for ask in asks]

    def last_of(self, slot: int) -> tuple[float, float, float, float] | None:
        """(seconds since 1970, lat, lon, accuracy_m) of the latest position of an activation; None: none is known."""
        row = int(self._row_of[slot]) if slot < len(self._row_of) else -1
        if row < 0:
            return None
        waiting = self.order.waiting.get(row)
        if waiting:
            held = max((one.place for one in waiting), key=lambda one: one.t)
            return held.t, held.lat, held.lon, held.accuracy_m
        recent = self.judgement.tracker.recent(row)
        if not len(recent[0]):
            return None
        t, lat, lon, accuracy_m = (float(column[-1]) for column in recent)
        return t, lat, lon, accuracy_m

    def judge_columns(self, fixes: FixColumns, batch: Sequence[Record], now: datetime) -> list[Emission]:
        """Judge the `fixes` in `batch`, which is decoded already."""
        self._catch_up()
        if not fixes.fixes:
            return []
        slots, emissions = self._who(fixes, batch, now)
        rows = self._rows(slots)
        fresh = self._fresh(fixes, rows, batch)
        usable = self._usable(fixes, slots, rows, fresh)
        told = self.vitals.observe(fixes, rows, fresh)
        told += self.alarms.tell(fixes, rows, self.judgement.activation, usable)
        told += self._locate(fixes, rows, usable)
        told.sort(key=_place)
        return emissions + [one.emission for one in told]

    def _who(self, fixes: FixColumns, batch: Sequence[Record], now: datetime) -> tuple[Numbers, list[Emission]]:
        """The activation of each fix, by slot; -1: none at its time, -2: an unknown device, which is refused."""
        known = self.reference.activations
        find = known.of_device.get
        found = [find(fix.device_id, -2) for fix in fixes.fixes]
        if known.shared:
            found = [
                known.at(fix.device_id, t) if type(one) is list else one
                for one, fix, t in zip(found, fixes.fixes, fixes.t.tolist(), strict=True)
            ]
        slots = np.array(found, np.int64)
        refused = []
        for place in np.flatnonzero(slots == -2).tolist():
            fix = fixes.fixes[place]
            if self.reference.open_world:
                slots[place] = known.at(fix.device_id, float(fixes.t[place]))
                if slots[place] == -2:
                    slots[place] = self.reference.introduce(fix.device_id)
                continue
            record = batch[int(fixes.record[place])]
            why = Invalid(f"no activation names the device {fix.device_id!r}", "$.device_id")
            refused.append(rejected(record, why, written_at(record, now), device_id=fix.device_id, place=place))
        worn = slots >= 0
        at = slots[worn]
        t = fixes.t[worn]
        slots[worn] = np.where((known.t_from[at] <= t) & (t < known.t_until[at]), at, -1)
        return slots, refused

    def _rows(self, slots: Numbers) -> Numbers:
        """The row of each activation, a new one for a new one; -1 for none."""
        known = len(self.reference.activations.ids)
        if known >= len(self._row_of):  # some room always: slots -1 and -2 are looked up, too
            grown = np.full(known + known // 4 + 2, -1, np.int64)
            grown[: len(self._row_of)] = self._row_of
            self._row_of = grown
        rows = np.where(slots >= 0, self._row_of[slots], -1)
        for slot in dict.fromkeys(slots[(rows < 0) & (slots >= 0)].tolist()):
            self._row_of[slot] = self._new_row(slot)
        return np.where(slots >= 0, self._row_of[slots], -1)

    def _new_row(self, slot: int) -> int:
        row = len(self.judgement.activation)
        self.judgement.activation.append(slot)
        self.judgement.reserve(row + 1)
        capacity = len(self.judgement.tracker.rows)
        if capacity > len(self._changed):
            self.order.reserve(capacity)
            self._changed = np.append(self._changed, np.zeros(capacity - len(self._changed), np.bool_))
            self._saved_to = np.append(self._saved_to, np.full(capacity - len(self._saved_to), -1))
        self.order.expect(row, float(self.reference.activations.period_s[slot]))
        return row

    def _fresh(self, fixes: FixColumns, rows: Numbers, batch: Sequence[Record]) -> NDArray[np.bool_]:
        """Which fixes are of somebody, and not yet in the state."""
        fresh = rows >= 0
        if self._restored_newer:
            offsets = np.array([record.offset for record in batch])
            fresh &= offsets[fixes.record] > np.where(fresh, self._saved_to[rows], -1)
        return fresh

    def _usable(self, fixes: FixColumns, slots: Numbers, rows: Numbers, fresh: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the `fresh` are positions of their time."""
        usable = fresh.copy()
        self.ignored["outside of any activation"] += int((slots == -1).sum())
        for reason, odd in (
            ("before 2000", fixes.t < EARLIEST_S),
            ("from the future", (fixes.arrived_s > 0) & (fixes.t > fixes.arrived_s + FUTURE_S)),
            ("invented by an app", np.array([fix.mock for fix in fixes.fixes], np.bool_)),
        ):
            self.ignored[reason] += int((odd & usable).sum())
            usable &= ~odd
        return usable

    def _locate(self, fixes: FixColumns, rows: Numbers, usable: NDArray[np.bool_]) -> list[Told]:
        """Put usable fixes in order and judge them."""
        at = np.flatnonzero(usable)
        if not len(at):
            return []
        self._changed[rows[at]] = True
        self.newest_s = max(self.newest_s, float(fixes.t[at].max()))
        late = (fixes.received_s > 0) & (fixes.received_s - fixes.t > LATE_S)
        said = self.order.sort(rows[at], fixes.t[at])
        now = at[said == JUDGE]
        judged = Judged(
            rows[now], fixes.t[now], fixes.lat[now], fixes.lon[now], fixes.accuracy_m[now], fixes.t[now], now, late[now]
        )  # fmt: skip
        self.ignored["a duplicate"] += int((said == DUPLICATE).sum())
        freed: list[tuple[Any, ...]] = []
        tardy = at[said == LATE].tolist()
        for place in at[said == WAIT].tolist():
            row, t = int(rows[place]), float(fixes.t[place])
            held = _Held(
                t, float(fixes.lat[place]), float(fixes.lon[place]), float(fixes.accuracy_m[place]), bool(late[place])
            )
            result, free = self.order.wait(row, t, held, max(t, float(fixes.received_s[place])))
            self.ignored["a duplicate"] += result == DUPLICATE
            if result == LATE:
                tardy.append(place)
            freed += [_freed(row, one.place, one.settled_s, place) for one in free]
            if result == WAIT:
                self._schedule(row)
        told = self._in_turn(fixes, rows, _joined(judged, freed), sorted(tardy))
        told.sort(key=lambda one: (one.place, one.emission.message.detected_at))
        return told

    def _in_turn(self, fixes: FixColumns, rows: Numbers, judged: Judged, tardy: Sequence[int]) -> list[Told]:
        """Judge those in order, and those that came too late for it (by place)."""
        if not tardy:
            return self._judge(judged)
        # A late fix is judged after those of its row that came before it, and before those that came after.
        tardy_of: dict[int, list[int]] = {}
        for place in tardy:
            tardy_of.setdefault(int(rows[place]), []).append(place)
        turns = [bisect_left(tardy_of.get(row, ()), place)
                 for row, place in zip(judged.rows.tolist(), judged.place.tolist(), strict=True)]  # fmt: skip
        turn_of = np.array(turns, np.int64)
        told: list[Told] = []
        for turn in range(1 + max(map(len, tardy_of.values()))):
            columns: list[Any] = [column[turn_of == turn] for column in judged]
            told += self._judge(Judged(*columns))
            for row, places in tardy_of.items():
                if turn < len(places):
                    told += self._take(row, fixes, places[turn])
        return told

    def _take(self, row: int, fixes: FixColumns, place: int) -> list[Told]:
        """Judge a fix older than the last one judged."""
        fix = Fix(*(float(column[place]) for column in (fixes.t, fixes.lat, fixes.lon, fixes.accuracy_m)))
        clock = max(float(fixes.received_s[place]), float(self.judgement.tracker.rows["t"][row]))
        emissions, taken = self.late.take(row, fix, clock)
        self.ignored["late, judged" if taken else "late, and between fixes already judged"] += 1
        self._schedule(row)
        return [Told(place, emission) for emission in emissions]

    def _judge(self, judged: Judged) -> list[Told]:
        if not len(judged.rows):
            return []
        told = []
        for part in self.judgement.rounds(judged, self.late.filling()):
            self.late.before(part)
            told += self.judgement.judge_round(part)
            told += self.late.after(part)
        for row in dict.fromkeys(judged.rows.tolist()) if self.judgement.concerns else ():
            if row in self.judgement.concerns or row in self._due:
                self._schedule(row)
        return told

    # timers

    def _schedule(self, row: int) -> None:
        """Set the row's timer to what comes first."""
        due = min(self.order.due_s(row), self.judgement.next_edge_s(row) + self.rules.reorder_s, self.late.due_s(row))
        if due == self._due.get(row, NEVER):
            return
        if due == NEVER:
            del self._due[row]
            return
        self._due[row] = due
        heappush(self._timers, (due, row))

    def next_wake(self) -> datetime | None:
        """When the next timer is to fire."""
        due_at, vital_at = self._next_timer(), self.vitals.next_wake()
        return min(due_at, vital_at) if due_at and vital_at else due_at or vital_at

    def _next_timer(self) -> datetime | None:
        while self._timers:
            due, row = self._timers[0]
            if self._due.get(row) == due:
                return instant(from_epoch(min(due + GRACE_S, 253402300799.0)))
            heappop(self._timers)
        return None

    def wake(self, now: datetime) -> list[Emission]:
        """Fire all timers due by `now`, in order of their due time."""
        self._catch_up()
        emissions, rows = self.vitals.wake(now)
        self._changed[rows] = True
        while (due_at := self._next_timer()) is not None and due_at <= now:
            due, row = heappop(self._timers)
            del self._due[row]
            emissions += self._fire(row, due)
            self._changed[row] = True
            self._schedule(row)
        return emissions

    def _fire(self, row: int, due_s: float) -> list[Emission]:
        free = self.order.release(row, due_s)
        told = self._judge(_joined(NO_FIXES, [_freed(row, one.place, one.settled_s, n) for n, one in enumerate(free)]))
        until = due_s - self.rules.reorder_s
        emissions = [one.emission for one in told]
        concerns = self.judgement.concerns.get(row, {})
        for concern in list(concerns.values()):
            emissions += self.judgement.edges(row, concern, until, due_s)
            if not concern.broken and self.reference.span(concern.duty)[1] <= until:
                del concerns[concern.duty]
        return emissions + self.late.fire(row, due_s)

    def flush(self, now: datetime) -> list[Emission]:
        """Judge all that waits: nothing more will come. Timers due by `now` fire."""
        emissions: list[Emission] = []
        for row in sorted(self.order.waiting, key=lambda row: self.order.waiting[row][0].t):
            emissions += self._fire(row, self.order.waiting[row][-1].t + self.rules.reorder_s)
            self._schedule(row)
        return emissions + self.late.flush() + self.wake(now)

    # what is known changed

    def _catch_up(self) -> None:
        """Look anew at those whom an edit may concern."""
        edits = self.reference.edits[self._caught_up :]
        if not edits:
            return
        self._caught_up += len(edits)
        self.vitals.changed({slot for kind, slot in edits if kind == "activation"})
        self.judgement.catch_up()
        for row in self.judgement.concerns:
            self._schedule(row)

    # state

    def restore(self, key: bytes, value: bytes, as_of: Mapping[str, int]) -> None:
        """Take back one changelog entry; `as_of` as in `pipeline.step.Core`."""
        slot = self.reference.activations.slot(key.decode())
        if slot < 0 or not value:
            return
        row = int(self._rows(np.array([slot]))[0])
        if as_of:
            self._saved_to[row], self._restored_newer = as_of.get(FIXES, -1), True
        saved = _DECODE(value)
        self.judgement.tracker.load(row, saved.tracked)
        self.order.load(row, saved.order, [Waiting(one.t, one) for one in saved.waiting], saved.clock_s)
        if saved.concerns:
            self.judgement.concerns[row] = {concern.duty: concern for concern in saved.concerns}
        self.judgement.renew(row)
        self.late.load(row, saved.extra)
        self.alarms.load(row, saved.alarms)
        self.vitals.load(row, saved.vitals)
        self._schedule(row)

    def changed(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Changelog entries that differ from what was last given out."""
        ids = self.reference.activations.ids
        rows = np.flatnonzero(self._changed).tolist()
        self._changed[:] = False
        for row in rows:
            saved = _Saved(
                self.judgement.tracker.dump(row),
                self.order.rows[row].tobytes(),
                list(self.judgement.concerns.get(row, {}).values()),
                [one.place for one in self.order.waiting.get(row, ())],
                self.order.clock_s.get(row, 0.0),
                self.late.dump(row),
                self.alarms.dump(row),
                self.vitals.dump(row),
            )
            yield ids[self.judgement.activation[row]].encode(), _ENCODE(saved)


def _place(one: Told) -> int:
    return one.place


def _freed(row: int, held: _Held, settled_s: float, place: int) -> tuple[Any, ...]:
    return row, held.t, held.lat, held.lon, held.accuracy_m, settled_s, place, held.late


def _joined(judged: Judged, freed: Sequence[tuple[Any, ...]]) -> Judged:
    """`judged`, and after them those set free."""
    if not freed:
        return judged
    more = [np.array(column, had.dtype) for column, had in zip(zip(*freed, strict=True), judged, strict=True)]
    columns: list[Any] = [np.concatenate(both) for both in zip(judged, more, strict=True)]
    return Judged(*columns)
