"""Has a device fallen silent, and is it back? The time between hearings, learnt per activation or told.

A hearing is a moment at which something new arrived of a device: the gateway's `received_at`, else the newest
`fix_time`. Rules, for each activation (state table below):

- **Expected period**: as configured, else the gap that 95 % of those seen stayed within, from a histogram with buckets
  a factor of 1.41 apart that forgets by halves (a memory of 100 to 200 hearings, so a phone that reports every 15 s on
  the move and every 10 min at rest is not taken for silent at rest). Until 8 gaps are known, a default.
- **Silent** once nothing was heard for `factor` expected periods, within bounds. It happened at the last hearing.
- **Back** when two hearings lie no farther apart than that; one sign of life in an hour is not a return.
- **Damping**: who falls silent again within an hour of coming back is given twice the time, up to eight times, until an
  hour has passed without a gap that is long by the undamped measure.

| state | heard in time | heard too late | due passes |
| --- | --- | --- | --- |
| heard | learn the gap | silent, then returning | silent |
| silent | returning | returning | - |
| returning | back, then heard | returning anew | - |

The hot path is columns. A row of state is touched as an object only where something may change beyond "heard again",
and both ways give the same state; so nothing depends on how hearings were batched.
"""

from bisect import bisect_left
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

BUCKETS = 35
"""Of gaps: from 1 s, each 1.41 times as wide as the last, to a day and a half."""

QUANTILE = 0.95
FIRST_ESTIMATE, ESTIMATE_EVERY, FORGET_AT = 8, 32, 192  # the last below 256, so that a byte holds any count
NEVER_MS = np.iinfo(np.int64).max
_FULL_ROW = 1 << 40  # ms; more than any batch spans, so that rows of different activations keep apart

EDGES_MS = np.floor(1000 * 2 ** (np.arange(BUCKETS) / 2)).astype(np.int64)
"""The longest gap in each bucket, milliseconds."""

_EDGES = EDGES_MS.tolist()

Ms = NDArray[np.int64]
Rows = NDArray[np.intp]

ROW = np.dtype(
    [
        ("heard_ms", "i8"),  # last hearing; before the first, when listening began
        ("due_ms", "i8"),  # silent if not heard until then; NEVER_MS while silent or not listened to
        ("until_ms", "i8"),  # listened to until then
        ("patience_ms", "i8"),  # how long after a hearing it is due, without damping
        ("fixed_ms", "i8"),  # the configured period, 0 when learnt
        ("silent_since_ms", "i8"),  # 0: not silent
        ("return_ms", "i8"),  # first hearing of a return that is not yet sure, 0: none
        ("rough_ms", "i8"),  # the last return, or gap that only damping let pass; 0: none
        ("hearings", "u4"),
        ("gaps_known", "u2"),
        ("damping", "u1"),
        ("gaps", "u1", (BUCKETS,)),
    ]
)
"""An activation's state; its bytes are what the changelog keeps."""


class SilenceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a device counts as silent; part of the rules that a supervisor may draft."""

    factor: Annotated[float, msgspec.Meta(gt=1, le=100)] = 3.0
    shortest_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 120.0
    longest_s: Annotated[float, msgspec.Meta(gt=0, le=604800)] = 21_600.0
    default_period_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 300.0
    calm_s: Annotated[float, msgspec.Meta(ge=0, le=604800)] = 3600.0
    most_damping: Annotated[int, msgspec.Meta(ge=0, le=6)] = 3
    hold_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 20.0


class Turn(NamedTuple):
    """A device fell silent or came back. `occurred_ms`: its last hearing, or the first of its return."""

    row: int
    kind: Literal["silent", "back"]
    occurred_ms: int
    detected_ms: int
    silent_s: float
    patience_s: float
    period_s: float
    learnt: bool
    never_heard: bool


def bucket_of(gaps_ms: Ms) -> NDArray[np.intp]:
    """The histogram's bucket for gaps (n,) in milliseconds: the first whose `EDGES_MS` is not below them."""
    return np.minimum(np.searchsorted(EDGES_MS, gaps_ms), BUCKETS - 1)


class Silence:
    """The silence of a partition's activations, one row each, judged in batches."""

    def __init__(self, rule: SilenceRule | None = None) -> None:
        self.rule = rule or SilenceRule()
        self.rows = np.zeros(0, ROW)

    def listen(self, row: int, since_ms: int, until_ms: int, period_s: float | None) -> None:
        """Take a new activation in `row`; a known one gets its new end and period."""
        if row >= len(self.rows):
            more = np.zeros(max(row + 1, 2 * len(self.rows), 64), ROW)
            more["due_ms"] = NEVER_MS
            more[: len(self.rows)] = self.rows
            self.rows = more
        state = self.rows[row]
        state["until_ms"] = until_ms
        state["fixed_ms"] = 0 if period_s is None else round(period_s * 1000)
        if state["heard_ms"] == 0:
            state["heard_ms"] = since_ms
        if not state["silent_since_ms"]:
            self._estimate(np.array([row]))
            self._expect(row)

    def forget(self, row: int) -> None:
        """Leave `row` free for another."""
        if row < len(self.rows):
            self.rows[row] = np.zeros((), ROW)
            self.rows["due_ms"][row] = NEVER_MS

    def dump(self, row: int) -> bytes:
        """What `load` takes back."""
        return bytes(self.rows[row].tobytes())

    def load(self, row: int, state: bytes) -> None:
        """Take back what `dump` gave, for a row that is listened to."""
        self.rows[row] = np.frombuffer(state, ROW)[0]

    def hear(self, slots: Rows, heard_ms: Ms) -> list[Turn]:
        """Take hearings (n,) in the order of their arrival; those not newer than the last of their row say nothing."""
        if not len(slots):
            return []
        order = np.argsort(slots, kind="stable")
        slot, at = slots[order], heard_ms[order]
        first = np.flatnonzero(np.diff(slot, prepend=-1))
        group = np.cumsum(np.diff(slot, prepend=-1) != 0) - 1
        at = self._newest_so_far(at, group, self.rows["heard_ms"][slot[first]])
        before = np.empty_like(at)
        before[1:] = at[:-1]
        before[first] = self.rows["heard_ms"][slot[first]]
        gap = at - before
        new = gap > 0
        rare = self._rare(slot, gap, new, first)
        plain = new & ~rare[group]
        self._hear_plain(slot[plain], at[plain], gap[plain])
        turns: list[Turn] = []
        for number in np.flatnonzero(rare).tolist():
            start = first[number]
            end = first[number + 1] if number + 1 < len(first) else len(slot)
            for moment in at[start:end][new[start:end]].tolist():
                self._hear_one(int(slot[start]), moment, turns)
        return turns

    @staticmethod
    def _newest_so_far(at: Ms, group: NDArray[np.intp], known: Ms) -> Ms:
        base = int(at.min())
        lifted = np.maximum(at, known[group]) - base + group * _FULL_ROW
        return np.asarray(np.maximum.accumulate(lifted) - group * _FULL_ROW + base)

    def _rare(self, slot: Rows, gap: Ms, new: NDArray[np.bool_], first: NDArray[np.intp]) -> NDArray[np.bool_]:
        """For each activation in the batch (g,): whether more may change than that it was heard again."""
        row = slot[first]
        state = self.rows
        count = np.add.reduceat(new.astype(np.int64), first)
        known = state["gaps_known"][row].astype(np.int64)
        crosses = (known // ESTIMATE_EVERY != (known + count) // ESTIMATE_EVERY) | (known < FIRST_ESTIMATE)
        crosses &= count > 1  # one alone is learnt from by column
        late = np.logical_or.reduceat(gap > state["patience_ms"][slot], first)
        odd = (state["silent_since_ms"][row] != 0) | (state["damping"][row] != 0) | (state["hearings"][row] == 0)
        rare: NDArray[np.bool_] = (count > 0) & (crosses | late | odd)
        return rare

    def _hear_plain(self, slot: Rows, at: Ms, gap: Ms) -> None:
        state = self.rows
        bucket = bucket_of(gap)
        if (np.diff(slot) > 0).all():  # each once, as in most batches: several times as fast
            state["gaps"][slot, bucket] += 1
            state["gaps_known"][slot] += 1
            state["hearings"][slot] += 1
        else:
            np.add.at(state["gaps"], (slot, bucket), 1)
            np.add.at(state["gaps_known"], slot, 1)
            np.add.at(state["hearings"], slot, 1)
        state["heard_ms"][slot] = at  # rising within a row: the last one stays
        known = state["gaps_known"][slot]
        self._estimate(slot[(known % ESTIMATE_EVERY == 0) | (known == FIRST_ESTIMATE)])
        due = at + state["patience_ms"][slot]
        state["due_ms"][slot] = np.where(due < state["until_ms"][slot], due, NEVER_MS)

    def _hear_one(self, row: int, at_ms: int, turns: list[Turn]) -> None:
        state = self.rows[row]
        if at_ms > state["due_ms"]:
            turns.append(self._fall_silent(row))
        gap = at_ms - int(state["heard_ms"])
        if state["hearings"]:
            self._learn(row, gap)
        state["hearings"] += 1
        if state["silent_since_ms"]:
            if state["return_ms"] and gap <= self._patience_ms(row):
                turns.append(self._come_back(row, at_ms))
            else:
                state["return_ms"] = at_ms
        elif state["damping"] and gap > state["patience_ms"]:
            state["rough_ms"] = at_ms
        elif state["damping"] and at_ms - int(state["rough_ms"]) > self.rule.calm_s * 1000:
            state["damping"] = 0
        state["heard_ms"] = at_ms
        if not state["silent_since_ms"]:
            self._expect(row)

    def _learn(self, row: int, gap_ms: int) -> None:
        state = self.rows[row]
        state["gaps"][min(bisect_left(_EDGES, gap_ms), BUCKETS - 1)] += 1
        state["gaps_known"] += 1
        if state["gaps_known"] % ESTIMATE_EVERY == 0 or state["gaps_known"] == FIRST_ESTIMATE:
            self._estimate(np.array([row]))

    def _estimate(self, rows: Rows) -> None:
        """Settle how long to wait for `rows`, and let them forget what is old."""
        if not len(rows):
            return
        state, rule = self.rows, self.rule
        patience = rule.factor * self._period_ms(rows)
        state["patience_ms"][rows] = np.clip(patience, rule.shortest_s * 1000, rule.longest_s * 1000)
        full = rows[state["gaps_known"][rows] >= FORGET_AT]
        state["gaps"][full] //= 2
        state["gaps_known"][full] = FORGET_AT // 2

    def _period_ms(self, rows: Rows) -> NDArray[np.float64]:
        state = self.rows
        seen = np.cumsum(state["gaps"][rows], axis=1, dtype=np.int64)
        total = seen[:, -1:]
        learnt = EDGES_MS[np.argmax(seen >= QUANTILE * total, axis=1)]
        period = np.where(total[:, 0] < FIRST_ESTIMATE, self.rule.default_period_s * 1000, learnt)
        fixed = state["fixed_ms"][rows]
        return np.where(fixed > 0, fixed, period)

    def _patience_ms(self, row: int) -> int:
        state = self.rows[row]
        return min(int(state["patience_ms"]) << int(state["damping"]), round(self.rule.longest_s * 1000))

    def _expect(self, row: int) -> None:
        state = self.rows[row]
        due = int(state["heard_ms"]) + self._patience_ms(row)
        state["due_ms"] = due if due < state["until_ms"] else NEVER_MS

    def _fall_silent(self, row: int) -> Turn:
        state = self.rows[row]
        since, due = int(state["heard_ms"]), int(state["due_ms"])
        turn = self._turn(row, "silent", since, due, due - since)
        state["silent_since_ms"], state["due_ms"], state["return_ms"] = since, NEVER_MS, 0
        return turn

    def _come_back(self, row: int, at_ms: int) -> Turn:
        state = self.rows[row]
        first = int(state["return_ms"])
        turn = self._turn(row, "back", first, at_ms, first - int(state["silent_since_ms"]))
        soon = state["rough_ms"] and int(state["silent_since_ms"]) - int(state["rough_ms"]) < self.rule.calm_s * 1000
        state["damping"] = min(int(state["damping"]) + 1, self.rule.most_damping) if soon else 0
        state["rough_ms"], state["silent_since_ms"], state["return_ms"] = first, 0, 0
        return turn

    def _turn(self, row: int, kind: Literal["silent", "back"], occurred: int, detected: int, silent_ms: int) -> Turn:
        state = self.rows[row]
        return Turn(
            row=row,
            kind=kind,
            occurred_ms=occurred,
            detected_ms=detected,
            silent_s=silent_ms / 1000,
            patience_s=self._patience_ms(row) / 1000,
            period_s=float(self._period_ms(np.array([row]))[0]) / 1000,
            learnt=not state["fixed_ms"] and int(state["gaps"].sum()) >= FIRST_ESTIMATE,
            never_heard=not state["hearings"],
        )

    def quiet(self, now_ms: int) -> Rows:
        """The rows that are overdue or silent at `now_ms`."""
        return np.flatnonzero((self.rows["due_ms"] <= now_ms) | (self.rows["silent_since_ms"] != 0))

    def next_wake_ms(self) -> int:
        """When `wake` next has something to do; `NEVER_MS`: never."""
        due = int(self.rows["due_ms"].min()) if len(self.rows) else NEVER_MS
        return due if due == NEVER_MS else due + round(self.rule.hold_s * 1000)

    def wake(self, now_ms: int) -> list[Turn]:
        """Those that fell silent and were held long enough by `now_ms`, in order of when they did."""
        late = np.flatnonzero(self.rows["due_ms"] <= now_ms - round(self.rule.hold_s * 1000))
        late = late[np.argsort(self.rows["due_ms"][late], kind="stable")]
        return [self._fall_silent(row) for row in late.tolist()]
