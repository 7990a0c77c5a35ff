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

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.hearing import (
    FIRST_ESTIMATE,
    NEVER_MS,
    ROW,
    Heard,
    Ms,
    Rows,
    SilenceRule,
    estimate,
    learn_all,
    learn_one,
    period_ms,
    sort_hearings,
    unsteady,
)


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
            estimate(self.rows, np.array([row]), self.rule)
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
        heard = sort_hearings(self.rows, slots, heard_ms)
        slot, at, first = heard.slot, heard.at, heard.first
        rare = self._rare(heard)
        plain = heard.new & ~rare[heard.group]
        self._hear_plain(slot[plain], at[plain], heard.gap[plain])
        turns: list[Turn] = []
        for number in np.flatnonzero(rare).tolist():
            start = first[number]
            end = first[number + 1] if number + 1 < len(first) else len(slot)
            for moment in at[start:end][heard.new[start:end]].tolist():
                self._hear_one(int(slot[start]), moment, turns)
        return turns

    def may_turn(self, slots: Rows, heard_ms: Ms) -> NDArray[np.bool_]:
        """For each hearing (n,) whether its row might fall silent or come back with these; nothing is taken in."""
        if not len(slots):
            return np.zeros(0, np.bool_)
        heard = sort_hearings(self.rows, slots, heard_ms)
        silent = self.rows["silent_since_ms"][heard.slot[heard.first]] != 0
        may = np.empty(len(slots), np.bool_)
        may[heard.order] = (silent | unsteady(self.rows, heard))[heard.group]
        return may

    def _rare(self, heard: Heard) -> NDArray[np.bool_]:
        """For each activation in the batch (g,): whether more may change than that it was heard again."""
        state = self.rows[heard.slot[heard.first]]
        odd = (state["silent_since_ms"] != 0) | (state["damping"] != 0) | (state["hearings"] == 0)
        return np.asarray(np.logical_or.reduceat(heard.new, heard.first) & (odd | unsteady(self.rows, heard)))

    def _hear_plain(self, slot: Rows, at: Ms, gap: Ms) -> None:
        state = self.rows
        learn_all(state, slot, gap, self.rule)
        state["heard_ms"][slot] = at  # rising within a row: the last one stays
        due = at + state["patience_ms"][slot]
        state["due_ms"][slot] = np.where(due < state["until_ms"][slot], due, NEVER_MS)

    def _hear_one(self, row: int, at_ms: int, turns: list[Turn]) -> None:
        state = self.rows[row]
        if at_ms > state["due_ms"]:
            turns.append(self._fall_silent(row))
        gap = at_ms - int(state["heard_ms"])
        if state["hearings"]:
            learn_one(self.rows, row, gap, self.rule)
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
            period_s=float(period_ms(self.rows, np.array([row]), self.rule)[0]) / 1000,
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
