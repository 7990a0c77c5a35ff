"""Has a device fallen silent, and is it back? The time between hearings, learnt per activation or told.

A hearing is a moment at which something new arrived of a device: the gateway's `received_at`, else the newest
`fix_time`. Rules, for each activation (state table below):

- **Expected period**: as configured, else the gap that 95 % of those seen stayed within (`pipeline.hearing`), so a
  phone that reports every 15 s on the move and every 10 min at rest is not silent there. Until 8 are known, a default.
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

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.room import lengthen, room
from pipeline import hearing
from pipeline.hearing import FIRST_ESTIMATE, NEVER_MS, ROW, Ms, Rows, SilenceRule
from pipeline.rows import StateRows


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


class Silence:
    """The silence of a partition's activations, one row each, judged in batches."""

    def __init__(self, rule: SilenceRule | None = None) -> None:
        self.rule = rule or SilenceRule()
        self.rows = StateRows(ROW, hearing.SELDOM)
        self._figures = self.rule.array()
        self._apart = np.zeros(0, np.bool_)
        self._columns: Any = hearing.columns(self.rows, self._apart)
        self._soonest_ms = NEVER_MS  # no row is due before; looking for the row that is takes a while

    def reserve(self, count: int) -> None:
        """Have at least `count` rows; new ones are not listened to."""
        if count > len(self.rows):
            had, self._columns = len(self.rows), None
            self.rows.lengthen(room(had, count))
            self.rows["due_ms"][had:] = NEVER_MS
            lengthen(self, "_apart", len(self.rows))
            self._columns = hearing.columns(self.rows, self._apart)

    def listen(self, rows: Rows, since_ms: Ms, until_ms: Ms, period_s: NDArray[np.float64]) -> None:
        """Take new activations in `rows` (n,); known ones get their new end and period.

        `since_ms`: 0, from their first hearing on. `period_s`: 0, to be learnt.
        """
        self.reserve(int(rows.max(initial=-1)) + 1)
        state = self.rows
        state["until_ms"][rows] = until_ms
        fresh = state["heard_ms"][rows] == 0
        state["heard_ms"][rows[fresh]] = since_ms[fresh]
        fixed = np.round(period_s * 1000).astype(np.int64)
        other = fresh | (state["fixed_ms"][rows] != fixed)
        state["fixed_ms"][rows] = fixed
        for row in rows[other & ~fresh].tolist():
            self._settle(row)
        period = np.where(fixed > 0, fixed, self._figures[3])
        patience = np.clip(self._figures[0] * period, self._figures[1], self._figures[2]).astype(np.int64)
        state["patience_ms"][rows[fresh]] = patience[fresh]
        heard = rows[(state["silent_since_ms"][rows] == 0) & (state["heard_ms"][rows] != 0)]
        patience = np.minimum(state["patience_ms"][heard] << state["damping"][heard], int(self._figures[2]))
        due = state["heard_ms"][heard] + patience
        state["due_ms"][heard] = np.where(due < state["until_ms"][heard], due, NEVER_MS)
        self._soonest_ms = min(self._soonest_ms, int(due.min(initial=NEVER_MS)))

    def load(self, rows: Rows, states: bytes) -> None:
        """Take back the bytes of `rows` (n,)."""
        self.reserve(int(rows.max(initial=-1)) + 1)
        self.rows[rows] = np.frombuffer(states, ROW)
        self._soonest_ms = min(self._soonest_ms, int(self.rows["due_ms"][rows].min(initial=NEVER_MS)))

    def _settle(self, row: int) -> None:
        state = self.rows[row]
        period = hearing.period_of(int(state["fixed_ms"]), state["gaps"], self._figures)
        state["patience_ms"] = hearing.patience_of(period, self._figures)

    def hear(self, slots: Rows, heard_ms: Ms) -> list[Turn]:
        """Take hearings (n,) in the order of their arrival; those not newer than the last of their row say nothing."""
        turns: list[Turn] = []
        for place in np.flatnonzero(self.hear_plain(slots, heard_ms)).tolist():
            self.hear_one(int(slots[place]), int(heard_ms[place]), turns)
        return turns

    def hear_plain(self, slots: Rows, heard_ms: Ms) -> NDArray[np.bool_]:
        """As `hear`, for the rows that turn neither silent nor back; which hearings (n,) are left for `hear_one`."""
        left = np.zeros(len(slots), np.bool_)
        hearing.hear(self._columns, slots, heard_ms, self._figures, left)
        self._apart[slots[left]] = False
        if len(heard_ms):
            self._soonest_ms = min(self._soonest_ms, int(heard_ms.min()) + round(self._figures[1]))
        return left

    def hear_one(self, row: int, at_ms: int, turns: list[Turn]) -> None:
        """Take one hearing; what it turns is added to `turns`."""
        state = self.rows[row]
        gap = at_ms - int(state["heard_ms"])
        if gap <= 0:
            return
        if at_ms > state["due_ms"]:
            turns.append(self._fall_silent(row))
        if state["hearings"]:
            hearing.learn(self._columns, row, gap, self._figures)
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
            period_s=hearing.period_of(int(state["fixed_ms"]), state["gaps"], self._figures) / 1000,
            learnt=not state["fixed_ms"] and int(state["gaps"].sum()) >= FIRST_ESTIMATE,
        )

    def next_wake_ms(self) -> int:
        """When `wake` may next have something to do, at the earliest; `NEVER_MS`: never."""
        return self._soonest_ms if self._soonest_ms == NEVER_MS else self._soonest_ms + round(self.rule.hold_s * 1000)

    def wake(self, now_ms: int) -> list[Turn]:
        """Those that fell silent and were held long enough by `now_ms`, in order of when they did."""
        late = np.flatnonzero(self.rows["due_ms"] <= now_ms - round(self.rule.hold_s * 1000))
        late = late[np.argsort(self.rows["due_ms"][late], kind="stable")]
        turns = [self._fall_silent(row) for row in late.tolist()]
        self._soonest_ms = int(self.rows["due_ms"].min(initial=NEVER_MS))
        return turns
