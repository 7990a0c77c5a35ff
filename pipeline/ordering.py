"""In which order are fixes judged? By their own time, also when they come in another order.

A fix that follows the last one at the usual period is judged at once. One that comes after a gap waits for what may
still be on its way, until everything within the reorder window has had its time to come; then the same fixes give the
same verdicts in whatever order they came within that window. The usual period is the least that a device keeps to,
learnt.

| fix_time | then |
| --- | --- |
| of the last one judged | a duplicate |
| before it | late |
| within 1.5 periods after it, nothing waiting | judge |
| later | wait until period before it + window, by the device's own clock (newest fix_time or arrival seen) |
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Column = NDArray[np.float64]

JUDGE, DUPLICATE, LATE, WAIT = 0, 1, 2, 3
SURE_AFTER = 3
"""So many gaps until a period is believed."""

WINDOW_S = 20.0
_SLACK = 1.5

ROW = np.dtype([("last_s", "f8"), ("period_s", "f4"), ("gaps", "u1"), ("waiting", "u1")])
"""`last_s`: the last fix_time judged (0: none); `waiting`: fixes of this device are held."""


class Waiting(NamedTuple):
    """A fix held back. `place`: where it stands with whoever holds it; `arrival` orders equals."""

    t: float
    place: Any


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _usual(period: float, gaps: int, gap: float) -> float:
    """The least period that a device keeps to, after another gap."""
    if gaps == 0 or gap < period:
        return gap if gaps == 0 else period + 0.5 * (gap - period)
    if gap <= _SLACK * period:
        return period + 0.1 * (gap - period)
    return period * 1.02


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def admit(last: Any, period: Any, gaps: Any, waiting: Any, rows: Any, t: Any, window_s: float, out: Any) -> None:
    """Say of each fix (n,), in order of arrival, what to do; what is judged counts as the last at once."""
    for i in range(len(rows)):
        r = rows[i]
        if waiting[r]:
            out[i] = WAIT
            continue
        gap = t[i] - last[r]
        if last[r] != 0.0 and gap <= 0.0:
            out[i] = DUPLICATE if gap == 0.0 else LATE
            continue
        usual = last[r] != 0.0 and gaps[r] >= SURE_AFTER and (gap <= _SLACK * period[r] or period[r] >= window_s)
        if not usual and window_s > 0.0:
            waiting[r] = 1
            out[i] = WAIT
            continue
        out[i] = JUDGE
        if last[r] != 0.0:
            period[r] = _usual(period[r], gaps[r], gap)
            gaps[r] = min(gaps[r] + 1, 200)
        last[r] = t[i]


class Release(NamedTuple):
    """What waited and now is to be judged. `settled_s`: when it was sure that nothing comes before it, or its time."""

    place: Any
    settled_s: float


class Order:
    """The order of a core's devices, one row each."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self.window_s = window_s
        self.rows = np.zeros(0, ROW)
        self.waiting: dict[int, list[Waiting]] = {}
        self.clock_s: dict[int, float] = {}  # of rows that wait

    def reserve(self, count: int) -> None:
        """Have at least `count` rows."""
        if count > len(self.rows):
            grown = np.zeros(count, ROW)
            grown[: len(self.rows)] = self.rows
            self.rows = grown

    def forget(self, row: int) -> None:
        """Let `row` be empty."""
        self.rows[row] = np.zeros((), ROW)
        self.waiting.pop(row, None)
        self.clock_s.pop(row, None)

    def expect(self, row: int, period_s: float) -> None:
        """Believe from the start that a device reports every `period_s`."""
        state = self.rows[row]
        if state["gaps"] == 0 and period_s > 0:
            state["period_s"], state["gaps"] = period_s, SURE_AFTER

    def sort(self, rows: NDArray[np.int64], t: Column) -> NDArray[np.int8]:
        """What to do with each fix: `JUDGE`, `DUPLICATE`, `LATE`, or `WAIT`, then `wait` is to be called with it."""
        out = np.empty(len(rows), np.int8)
        state = self.rows
        admit(
            state["last_s"], state["period_s"], state["gaps"], state["waiting"], rows, t, self.window_s, out
        )  # fmt: skip
        return out

    def wait(self, row: int, t: float, place: Any, clock_s: float) -> tuple[int, list[Release]]:
        """Hold a fix back; says `WAIT`, `DUPLICATE` or `LATE`, and what can be judged now."""
        last = float(self.rows["last_s"][row])
        held = self.waiting.setdefault(row, [])
        self.clock_s[row] = max(self.clock_s.get(row, 0.0), clock_s)
        said = WAIT
        if last != 0.0 and t <= last:
            said = DUPLICATE if t == last else LATE
        elif any(one.t == t for one in held):
            said = DUPLICATE
        else:
            held.append(Waiting(t, place))
            held.sort(key=_time)
        return said, self.release(row)

    def load(self, row: int, state: bytes, waiting: list[Waiting], clock_s: float) -> None:
        """Take back a row's state and what waited."""
        self.rows[row] = np.frombuffer(state, ROW)[0]
        if waiting:
            self.waiting[row], self.clock_s[row] = waiting, clock_s

    def due_s(self, row: int) -> float:
        """By which clock the first that waits in `row` is judged anyway; inf: none waits."""
        held = self.waiting.get(row)
        return self._due_s(row, held[0].t) if held else np.inf

    def _due_s(self, row: int, t: float) -> float:
        state = self.rows[row]
        known = state["gaps"] >= SURE_AFTER and state["last_s"] != 0.0
        return t - (min(float(state["period_s"]), self.window_s) if known else 0.0) + self.window_s

    def release(self, row: int, clock_s: float = 0.0) -> list[Release]:
        """What can be judged of `row` when its clock is at least `clock_s`."""
        held = self.waiting.get(row)
        if held is None:
            return []
        clock_s = max(clock_s, self.clock_s.get(row, 0.0))
        self.clock_s[row] = clock_s
        state = self.rows[row]
        free: list[Release] = []
        while held:
            t = held[0].t
            last = float(state["last_s"])
            gap = t - last
            period = float(state["period_s"])
            usual = last != 0.0 and state["gaps"] >= SURE_AFTER and (gap <= _SLACK * period or period >= self.window_s)
            due = t if usual else self._due_s(row, t)
            if due > clock_s and not usual:
                break
            free.append(Release(held.pop(0).place, max(t, due)))
            if last != 0.0:
                state["period_s"] = _usual(period, int(state["gaps"]), gap)
                state["gaps"] = min(int(state["gaps"]) + 1, 200)
            state["last_s"] = t
        if not held:
            state["waiting"] = 0
            del self.waiting[row]
            self.clock_s.pop(row, None)
        else:
            state["waiting"] = 1
        return free


def _time(one: Waiting) -> float:
    return one.t
