"""Where is everybody, and which duties are broken? The core of the agent `locate`, over a partition of `fixes`.

A batch goes through these steps: decode to columns; who wore the device then; what is no position of that time is set
aside; alarms told at once; put in order; judged (`pipeline.judgement`). What is set aside without being refused is
counted in `ignored`, by reason.

State is kept per activation. Times are those of the fixes; the only other clock is that of arrival, which says what is
late. `docs/verdict.md` explains the verdict.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import islice, repeat
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences.evidence import VerdictRule
from fences.room import lengthen, room
from fences.tracker import MotionModel
from pipeline.alarms import Alarms
from pipeline.breaches import LATE_S
from pipeline.columns import EARLIEST_S, FUTURE_S, FixColumns, fix_columns
from pipeline.duties import NEVER, Concern
from pipeline.judgement import Judged, Judgement, Told
from pipeline.late import Fix, LateTracks
from pipeline.ordering import DUPLICATE, LATE, WINDOW_S, Held, Order
from pipeline.ordering import ROW as ORDER_ROW
from pipeline.positions import ASKS, answered
from pipeline.reference import Reference
from pipeline.rejection import rejected, written_at
from pipeline.step import Change, Emission, Entry, Record
from pipeline.vitals import VitalRules
from pipeline.vitalsigns import VitalSigns
from schemas.message import Invalid, Message
from schemas.times import Instant, from_epoch, instant

Numbers = NDArray[np.int64]
FIXES = "fixes"
GRACE_S = 2.0
"""How long after a timer is due it fires, for records that are on their way from the broker."""
_HALF_MS = 0.0005
_LAST_S = 253402300799.0  # the end of the year 9999
AT_ONCE, PIECE = 10_000, 2_000
"""So many states are taken back together, and so many put away; that takes 20 ms, and holds records up."""


class LocateRules(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a supervisor may draft about verdicts. `version` stands in each incident."""

    version: str = ""
    motion: MotionModel = MotionModel()
    verdict: VerdictRule = VerdictRule()
    reorder_s: float = WINDOW_S
    vitals: VitalRules = VitalRules()


class _Saved(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An activation's state in the changelog."""

    tracked: bytes
    order: bytes
    concerns: list[Concern]
    waiting: list[Held]
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
        waiting = self.order.held(row)
        if waiting:
            return waiting[-1][:4]
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
        found = list(map(find, fixes.device_ids, repeat(-2)))
        if known.shared:
            found = [
                known.at(device_id, t) if type(one) is list else one
                for one, device_id, t in zip(found, fixes.device_ids, fixes.t.tolist(), strict=True)
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
            lengthen(self, "_row_of", room(len(self._row_of), known + 2), -1)
        rows = np.where(slots >= 0, self._row_of[slots], -1)
        new = slots[(rows < 0) & (slots >= 0)]
        if not len(new):
            return rows
        self._new_rows(np.array(list(dict.fromkeys(new.tolist()))))
        return np.where(slots >= 0, self._row_of[slots], -1)

    def _new_rows(self, slots: Numbers) -> None:
        first = len(self.judgement.activation)
        self.judgement.activation.extend(slots.tolist())
        rows = np.arange(first, first + len(slots))
        self._row_of[slots] = rows
        self.judgement.reserve(first + len(slots))
        capacity = len(self.judgement.tracker.rows)
        if capacity > len(self._changed):
            self.order.reserve(capacity)
            lengthen(self, "_changed", capacity)
            lengthen(self, "_saved_to", capacity, -1)
        self.order.expect(rows, self.reference.activations.period_s[slots])

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
            ("invented by an app", fixes.mock),
        ):
            self.ignored[reason] += int((odd & usable).sum())
            usable &= ~odd
        return usable

    def _locate(self, fixes: FixColumns, rows: Numbers, usable: NDArray[np.bool_]) -> list[Told]:
        """Put usable fixes in order and judge them."""
        at = np.flatnonzero(usable)
        if not len(at):
            return []
        t, received_s = fixes.t[at], fixes.received_s[at]
        self._changed[rows[at]] = True
        self.newest_s = max(self.newest_s, float(t.max()))
        late = (received_s > 0) & (received_s - t > LATE_S)
        said, judged = self.order.admit(
            rows[at], t, fixes.lat[at], fixes.lon[at], fixes.accuracy_m[at], np.maximum(t, received_s), late
        )
        judged.place[:] = at[judged.place]
        self.ignored["a duplicate"] += int((said == DUPLICATE).sum())
        told = self._in_turn(fixes, rows, judged, at[said == LATE].tolist())
        told.sort(key=_turn)
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
        if self.judgement.concerns or self._due:
            mine = set(judged.rows.tolist())
            for row in (self.judgement.concerns.keys() & mine) | (self._due.keys() & mine):
                self._schedule(row)
        return told

    # timers

    def _schedule(self, row: int) -> None:
        """Set the row's timer to what comes first of its edges and its late fixes; `order` knows when what waits is
        due."""
        due = min(self.judgement.next_edge_s(row) + self.rules.reorder_s, self.late.due_s(row))
        if due == self._due.get(row, NEVER):
            return
        if due == NEVER:
            del self._due[row]
            return
        self._due[row] = due
        heappush(self._timers, (due, row))

    def next_wake(self) -> datetime | None:
        """When the next timer is to fire."""
        due, vital_at = min(self._next_due_s(), self.order.next_due_s()), self.vitals.next_wake()
        due_at = None if due == NEVER else instant(from_epoch(min(due + GRACE_S, _LAST_S)))
        return min(due_at, vital_at) if due_at and vital_at else due_at or vital_at

    def _next_due_s(self) -> float:
        while self._timers:
            due, row = self._timers[0]
            if self._due.get(row) == due:
                return due
            heappop(self._timers)
        return NEVER

    def wake(self, now: datetime) -> list[Emission]:
        """Fire all timers due by `now`: of each row in order of their due time."""
        self._catch_up()
        emissions, rows = self.vitals.wake(now)
        self._changed[rows] = True
        until = now.timestamp() + _HALF_MS - GRACE_S  # as `next_wake` rounds
        while True:
            due = self._next_due_s()
            emissions += self._release(min(due, until))
            if due > until:
                return emissions
            due, row = heappop(self._timers)
            del self._due[row]
            emissions += self._fire(row, due)
            self._changed[row] = True
            self._schedule(row)

    def _release(self, until_s: float) -> list[Emission]:
        """Judge all that waits and is due by `until_s`."""
        emissions: list[Emission] = []
        for judged in self.order.wake(until_s):
            self._changed[judged.rows] = True
            told = self._judge(judged)
            told.sort(key=_turn)
            emissions += [one.emission for one in told]
        return emissions

    def _fire(self, row: int, due_s: float) -> list[Emission]:
        until = due_s - self.rules.reorder_s
        emissions: list[Emission] = []
        concerns = self.judgement.concerns.get(row, {})
        for concern in list(concerns.values()):
            emissions += self.judgement.edges(row, concern, until, due_s)
            if not concern.broken and self.reference.span(concern.duty)[1] <= until:
                del concerns[concern.duty]
        return emissions + self.late.fire(row, due_s)

    def flush(self, now: datetime) -> list[Emission]:
        """Judge all that waits: nothing more will come. Timers due by `now` fire."""
        return self._release(NEVER) + self.late.flush() + self.wake(now)

    # what is known changed

    def _catch_up(self) -> None:
        """Look anew at those whom an edit may concern."""
        edits, since = self.reference.edits, self._caught_up
        if since == len(edits):
            return
        self._caught_up = len(edits)
        self.vitals.changed(edits.numbers("activation", since))
        self.judgement.catch_up()
        for row in self.judgement.concerns:
            self._schedule(row)

    # state

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take back changelog entries, many at once."""
        left = iter(entries)
        while part := list(islice(left, AT_ONCE)):
            self._restore(part)

    def _restore(self, entries: Sequence[Entry]) -> None:
        slot_of = self.reference.activations.slot
        found = [(slot, one) for one in entries if one.value and (slot := slot_of(one.key.decode())) >= 0]
        if not found:
            return
        rows = self._rows(np.array([slot for slot, _ in found]))
        saved = [_DECODE(one.value) for _, one in found]
        self.judgement.tracker.load(rows, b"".join([one.tracked for one in saved]))
        self.order.load(
            rows,
            np.frombuffer(b"".join([one.order for one in saved]), ORDER_ROW),
            np.array([one.clock_s for one in saved]),
            [(row, held) for row, one in zip(rows.tolist(), saved, strict=True) for held in one.waiting],
        )
        for row, (_, entry), one in zip(rows.tolist(), found, saved, strict=True):
            self.vitals.load(row, one.vitals)
            if entry.as_of:
                self._saved_to[row], self._restored_newer = entry.as_of.get(FIXES, -1), True
            if one.alarms:
                self.alarms.load(row, one.alarms)
            if one.concerns:
                self.judgement.concerns[row] = {concern.duty: concern for concern in one.concerns}
            if one.concerns or one.extra:
                self.late.load(row, one.extra)
                self._schedule(row)

    def changed(self) -> Iterator[list[Change]]:
        """Changelog entries that differ from what was last given out, in pieces that take little time."""
        rows = np.flatnonzero(self._changed)
        for begin in range(0, len(rows), PIECE):
            piece = rows[begin : begin + PIECE]
            self._changed[piece] = False
            yield list(self._dumped(piece))

    def _dumped(self, rows: Numbers) -> Iterator[Change]:
        ids, concerns = self.reference.activations.ids, self.judgement.concerns
        tracked, order, vitals = self.judgement.tracker.dump(rows), self.order.dump(rows), self.vitals.dump(rows)
        slots = self.judgement.slots(rows).tolist()
        for n, row in enumerate(rows.tolist()):
            saved = _Saved(
                tracked[n],
                order[n],
                list(concerns[row].values()) if row in concerns else [],
                self.order.held(row),
                self.order.clock_s(row),
                self.late.dump(row),
                self.alarms.dump(row),
                vitals[n],
            )
            yield ids[slots[n]].encode(), _ENCODE(saved)


def _place(one: Told) -> int:
    return one.place


def _turn(one: Told) -> tuple[int, Instant]:
    return one.place, one.emission.message.detected_at
