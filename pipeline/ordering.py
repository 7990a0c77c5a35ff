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

What waits stands in columns, too, a linked list for each row, in order of time: after an outage of a network a hundred
thousand devices wait at once.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fences.room import lengthen
from pipeline.judgement import NO_FIXES, Judged

Column = NDArray[np.float64]
Numbers = NDArray[np.int64]

JUDGE, DUPLICATE, LATE, WAIT = 0, 1, 2, 3
SURE_AFTER = 3
"""So many gaps until a period is believed."""

WINDOW_S = 20.0
_SLACK = 1.5
_NEVER = np.inf
_NONE = -1

ROW = np.dtype([("last_s", "f8"), ("period_s", "f4"), ("gaps", "u1"), ("waiting", "u1")])
"""`last_s`: the last fix_time judged (0: none); `waiting`: fixes of this device are held."""

_POOL = np.dtype(
    [("t", "f8"), ("lat", "f8"), ("lon", "f8"), ("accuracy_m", "f8"), ("late", "?"), ("next", "i4")], align=True
)
_HEAD, _SPARE = 0, 1


class Held(NamedTuple):
    """A fix that waits: seconds since 1970, degrees WGS 84, metres."""

    t: float
    lat: float
    lon: float
    accuracy_m: float
    late: bool


class _Rows(NamedTuple):
    """By row: what is in `ROW`, the newest clock seen while something waits, when that is due, the list of it."""

    last_s: Any
    period_s: Any
    gaps: Any
    waiting: Any
    clock_s: Any
    due_s: Any
    first: Any
    held: Any


class _Pool(NamedTuple):
    """Fixes that wait, and free places; `next`: the one after it of its row. `free`: (first free place, how many)."""

    t: Any
    lat: Any
    lon: Any
    accuracy_m: Any
    late: Any
    next: Any
    free: Any


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _learn(s: _Rows, r: int, gap: float) -> None:
    """Learn the least period that a device keeps to from another gap."""
    period = s.period_s[r]
    if s.gaps[r] == 0:
        s.period_s[r] = gap
    elif gap < period:
        s.period_s[r] = period + 0.5 * (gap - period)
    elif gap <= _SLACK * period:
        s.period_s[r] = period + 0.1 * (gap - period)
    else:
        s.period_s[r] = period * 1.02
    s.gaps[r] = min(s.gaps[r] + 1, 200)


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _is_usual(s: _Rows, r: int, t: float, window_s: float) -> bool:
    """Whether nothing can be missing before a fix at `t`."""
    period = s.period_s[r]
    return bool(
        s.last_s[r] != 0.0 and s.gaps[r] >= SURE_AFTER and (t - s.last_s[r] <= _SLACK * period or period >= window_s)
    )


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _due_s(s: _Rows, r: int, t: float, window_s: float) -> float:
    """By which clock a fix at `t` that waits is judged anyway."""
    if s.gaps[r] >= SURE_AFTER and s.last_s[r] != 0.0:
        return float(t - min(s.period_s[r], window_s) + window_s)
    return t + window_s


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _judge(
    s: _Rows, r: int, t: float, lat: float, lon: float, accuracy_m: float, settled_s: float, place: int, late: bool,
    out: Judged, n: int,
) -> int:  # fmt: skip
    """Put a fix out to be judged; how many there are then."""
    out.rows[n], out.t[n], out.lat[n], out.lon[n], out.accuracy_m[n] = r, t, lat, lon, accuracy_m
    out.settled_s[n], out.place[n], out.late[n] = settled_s, place, late
    if s.last_s[r] != 0.0:
        _learn(s, r, t - s.last_s[r])
    s.last_s[r] = t
    return n + 1


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _hold(s: _Rows, pool: _Pool, r: int, t: float, lat: float, lon: float, accuracy_m: float, late: bool) -> bool:
    """Let a fix wait in its turn; False: one of the same time waits already."""
    before, after = _NONE, s.first[r]
    while after != _NONE and pool.t[after] < t:
        before, after = after, pool.next[after]
    if after != _NONE and pool.t[after] == t:
        return False
    k = pool.free[_HEAD]
    pool.free[_HEAD] = pool.next[k]
    pool.free[_SPARE] -= 1
    pool.t[k], pool.lat[k], pool.lon[k], pool.accuracy_m[k], pool.late[k] = t, lat, lon, accuracy_m, late
    pool.next[k] = after
    if before == _NONE:
        s.first[r] = k
    else:
        pool.next[before] = k
    s.held[r] += 1
    s.waiting[r] = 1
    return True


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _release(s: _Rows, pool: _Pool, r: int, window_s: float, place: int, out: Judged, n: int) -> int:
    """Put out what waits in `r` and can be judged by its clock; how many are out then."""
    while s.first[r] != _NONE:
        k = s.first[r]
        t = pool.t[k]
        due = t if _is_usual(s, r, t, window_s) else _due_s(s, r, t, window_s)
        if due > t and due > s.clock_s[r]:
            s.due_s[r] = due
            return n
        n = _judge(s, r, t, pool.lat[k], pool.lon[k], pool.accuracy_m[k], max(t, due), place, pool.late[k], out, n)
        s.first[r] = pool.next[k]
        s.held[r] -= 1
        pool.next[k] = pool.free[_HEAD]
        pool.free[_HEAD] = k
        pool.free[_SPARE] += 1
    s.waiting[r], s.clock_s[r], s.due_s[r] = 0, 0.0, _NEVER
    return n


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _admit(
    s: _Rows, pool: _Pool, rows: Any, t: Any, lat: Any, lon: Any, accuracy_m: Any, clock_s: Any, late: Any,
    window_s: float, said: Any, out: Judged,
) -> int:  # fmt: skip
    """Take fixes (n,) in the order of their arrival; how many are put out."""
    n = 0
    for i in range(len(rows)):
        r = rows[i]
        if not s.waiting[r]:
            gap = t[i] - s.last_s[r]
            if s.last_s[r] != 0.0 and gap <= 0.0:
                said[i] = DUPLICATE if gap == 0.0 else LATE
                continue
            if window_s <= 0.0 or _is_usual(s, r, t[i], window_s):
                said[i] = JUDGE
                n = _judge(s, r, t[i], lat[i], lon[i], accuracy_m[i], t[i], i, late[i], out, n)
                continue
        s.clock_s[r] = max(s.clock_s[r], clock_s[i])
        said[i] = WAIT
        if s.last_s[r] != 0.0 and t[i] <= s.last_s[r]:
            said[i] = DUPLICATE if t[i] == s.last_s[r] else LATE
        elif not _hold(s, pool, r, t[i], lat[i], lon[i], accuracy_m[i], late[i]):
            said[i] = DUPLICATE
        n = _release(s, pool, r, window_s, i, out, n)
    return n


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _wake(s: _Rows, pool: _Pool, rows: Any, until_s: float, window_s: float, out: Judged) -> int:
    """Put out what waits in `rows` and is due by `until_s`, one timer after the other; how many."""
    n = 0
    for i in range(len(rows)):
        r = rows[i]
        while s.due_s[r] <= until_s and s.first[r] != _NONE:
            s.clock_s[r] = max(s.clock_s[r], s.due_s[r])
            n = _release(s, pool, r, window_s, i, out, n)
    return n


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _load(s: _Rows, pool: _Pool, rows: Any, held: Any, window_s: float) -> None:
    """Let fixes (n,) wait as they did; `held` (n, 5): the fields of `Held`."""
    for i in range(len(rows)):
        r = rows[i]
        _hold(s, pool, r, held[i, 0], held[i, 1], held[i, 2], held[i, 3], held[i, 4] != 0.0)
        s.due_s[r] = _due_s(s, r, pool.t[s.first[r]], window_s)


ROWS_AT_ONCE = 10_000
MUCH = 1 << 17
"""Places for fixes that wait beyond which they are given up when nothing waits."""


class Order:
    """The order of a core's devices, one row each."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self.window_s = window_s
        self.rows = np.zeros(0, ROW)
        self._clock_s, self._due_s = np.zeros(0), np.zeros(0)
        self._first, self._held = np.zeros(0, np.int32), np.zeros(0, np.int32)
        self._fixes = np.zeros(0, _POOL)
        self._free = np.array([_NONE, 0], np.int64)
        self._next_due_s: float | None = _NEVER  # None: not known
        self._rebind()

    def _rebind(self) -> None:
        state, fixes = self.rows, self._fixes
        self._rows: Any = _Rows(
            state["last_s"], state["period_s"], state["gaps"], state["waiting"],
            self._clock_s, self._due_s, self._first, self._held,
        )  # fmt: skip
        self._pool: Any = _Pool(
            fixes["t"], fixes["lat"], fixes["lon"], fixes["accuracy_m"], fixes["late"], fixes["next"], self._free
        )

    def reserve(self, count: int) -> None:
        """Have at least `count` rows."""
        had = len(self.rows)
        if count <= had:
            return
        self._rows = self._pool = None
        for name, empty in (("rows", 0), ("_clock_s", 0), ("_due_s", _NEVER), ("_first", _NONE), ("_held", 0)):
            lengthen(self, name, count, empty)
        self._rebind()

    def _have_free(self, count: int) -> None:
        spare, had = int(self._free[_SPARE]), len(self._fixes)
        if spare == had > MUCH:  # all that waited is judged: after an outage, say
            self._fixes, self._free[:] = np.zeros(0, _POOL), (_NONE, 0)
            spare = had = 0
        if spare >= count:
            return
        size = max(count - spare, min(had, 1 << 17), 1024)
        self._rows = self._pool = None
        lengthen(self, "_fixes", had + size)
        self._fixes["next"][had:] = np.arange(had + 1, had + size + 1)
        self._fixes["next"][-1] = self._free[_HEAD]
        self._free[:] = had, spare + size
        self._rebind()

    def expect(self, rows: Numbers, period_s: NDArray[np.float32]) -> None:
        """Believe from the start that devices (n,) report every `period_s`; 0: not known."""
        those = (period_s > 0) & (self.rows["gaps"][rows] == 0)
        self.rows["period_s"][rows[those]] = period_s[those]
        self.rows["gaps"][rows[those]] = SURE_AFTER

    def admit(
        self, rows: Numbers, t: Column, lat: Column, lon: Column, accuracy_m: Column, clock_s: Column,
        late: NDArray[np.bool_],
    ) -> tuple[NDArray[np.int8], Judged]:  # fmt: skip
        """Take fixes (n,) in the order of their arrival: what is to be done with each (`JUDGE`, `DUPLICATE`, `LATE`,
        `WAIT`), and all that can be judged now, each at the place of the fix after whose arrival it can.

        `clock_s`: the newest of fix_time and arrival of each.
        """
        self._have_free(len(rows))
        out = _room(len(rows) + int(self._held[rows].sum()))
        said = np.empty(len(rows), np.int8)
        n = _admit(
            self._rows, self._pool, rows, t, lat, lon, accuracy_m, clock_s, late, self.window_s, said, out
        )  # fmt: skip
        self._next_due_s = None
        return said, _cut(out, n)

    def wake(self, until_s: float) -> Iterator[Judged]:
        """All that waits and is due by `until_s` (inf: all), some rows at a time; those due first come first."""
        if self.next_due_s() > until_s or not len(self._due_s):
            return
        rows = np.flatnonzero((self._due_s <= until_s) & (self._first != _NONE))
        rows = rows[np.argsort(self._due_s[rows], kind="stable")]
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[begin : begin + ROWS_AT_ONCE]
            out = _room(int(self._held[part].sum()))
            n = _wake(self._rows, self._pool, part, until_s, self.window_s, out)
            self._next_due_s = None
            yield _cut(out, n)

    def next_due_s(self) -> float:
        """By which clock the first that waits is judged anyway; inf: none waits."""
        if self._next_due_s is None:
            self._next_due_s = float(self._due_s.min(initial=_NEVER))
        return self._next_due_s

    def held(self, row: int) -> list[Held]:
        """What waits in `row`, in order."""
        found = []
        k = int(self._first[row])
        while k != _NONE:
            t, lat, lon, accuracy_m, late, k = self._fixes[k].item()
            found.append(Held(t, lat, lon, accuracy_m, late))
        return found

    def clock_s(self, row: int) -> float:
        """The newest clock seen since something waits in `row`; 0: nothing does."""
        return float(self._clock_s[row])

    def dump(self, rows: Numbers) -> list[bytes]:
        """The state of rows (n,) but for what waits."""
        states, size = self.rows[rows].tobytes(), ROW.itemsize
        return [states[n : n + size] for n in range(0, len(states), size)]

    def load(self, rows: Numbers, states: NDArray[np.void], clock_s: Column, held: Sequence[tuple[int, Held]]) -> None:
        """Take back rows (n,): their `states`, clocks, and all that waited in any of them, as (row, fix)."""
        self.rows[rows] = states
        self._clock_s[rows] = clock_s
        if held:
            self._have_free(len(held))
            columns = np.array([one for _, one in held], np.float64)
            _load(self._rows, self._pool, np.array([row for row, _ in held], np.int64), columns, self.window_s)
            self._next_due_s = None


def _room(count: int) -> Judged:
    columns: list[Any] = [np.empty(count, column.dtype) for column in NO_FIXES]
    return Judged(*columns)


def _cut(out: Judged, n: int) -> Judged:
    columns: list[Any] = [column[:n] for column in out]
    return Judged(*columns)
