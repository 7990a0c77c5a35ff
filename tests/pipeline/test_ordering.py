"""The order of fixes against a plain model of it: one device, lists and dictionaries, one fix after another."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.judgement import NO_FIXES, Judged
from pipeline.ordering import DUPLICATE, JUDGE, LATE, SURE_AFTER, WAIT, WINDOW_S, Order

PERIOD_S = 8.0


class Model:
    """The order of one device that keeps to `PERIOD_S`, as the module's table says it."""

    def __init__(self) -> None:
        self.last: float | None = None
        self.period, self.clock = PERIOD_S, 0.0
        self.waiting: list[float] = []

    def _usual(self, t: float) -> bool:
        return self.last is not None and t - self.last <= 1.5 * self.period

    def due(self, t: float) -> float:
        return t + WINDOW_S - (self.period if self.last is not None else 0.0)

    def _judge(self, t: float, settled: float) -> tuple[float, float]:
        if self.last is not None:
            gap = t - self.last
            share = 0.5 if gap < self.period else 0.1
            self.period = self.period * 1.02 if gap > 1.5 * self.period else self.period + share * (gap - self.period)
            self.period = float(np.float32(self.period))
        self.last = t
        return t, settled

    def release(self) -> list[tuple[float, float]]:
        out = []
        while self.waiting:
            t = self.waiting[0]
            if not self._usual(t) and self.due(t) > self.clock:
                return out
            settled = t if self._usual(t) else self.due(t)
            out.append(self._judge(self.waiting.pop(0), settled))
        self.clock = 0.0
        return out

    def take(self, t: float, clock: float) -> tuple[int, list[tuple[float, float]]]:
        old = self.last is not None and t <= self.last
        if not self.waiting:
            if old:
                return (DUPLICATE if t == self.last else LATE), []
            if self._usual(t):
                return JUDGE, [self._judge(t, t)]
        self.clock = max(self.clock, clock)
        said = WAIT
        if old:
            said = DUPLICATE if t == self.last else LATE
        elif t in self.waiting:
            said = DUPLICATE
        else:
            self.waiting = sorted([*self.waiting, t])
        return said, self.release()

    def wake(self, until: float) -> list[tuple[float, float]]:
        out = []
        while self.waiting and (due := self.due(self.waiting[0])) <= until:
            self.clock = max(self.clock, due)
            out += self.release()
        return out


def columns(fixes: list[tuple[int, float, float]]) -> tuple[Any, ...]:
    rows, t, clock = (np.array(column) for column in zip(*fixes, strict=True))
    none = np.zeros(len(rows))
    return rows, t, none, t / 10, none, clock, np.zeros(len(rows), np.bool_)


def fresh(rows: int) -> Order:
    order = Order()
    order.reserve(rows)
    order.expect(np.arange(rows), np.full(rows, PERIOD_S, np.float32))
    return order


def seen(out: Judged, row: int) -> list[tuple[float, float]]:
    mine = out.rows == row
    assert (out.lon[mine] == out.t[mine] / 10).all(), "each fix keeps its own place"
    return list(zip(out.t[mine].tolist(), out.settled_s[mine].tolist(), strict=True))


def woken(order: Order, until_s: float) -> Judged:
    parts = list(order.wake(until_s)) or [NO_FIXES]
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


MOMENTS = st.one_of(
    st.tuples(st.just("fix"), st.integers(0, 1), st.integers(1, 240), st.integers(0, 30)),
    st.tuples(st.just("wake"), st.integers(1, 300)),
    st.tuples(st.just("restart")),
)


@settings(deadline=None)  # the kernels compile at first
@given(st.lists(MOMENTS, max_size=60), st.integers(1, 9))
def test_fixes_are_judged_in_the_models_order_whatever_the_batches_and_after_a_restart(
    moments: list[tuple[Any, ...]], size: int
) -> None:
    order, models = fresh(2), [Model(), Model()]
    batch: list[tuple[int, float, float]] = []

    def judge() -> None:
        if not batch:
            return
        said, out = order.admit(*columns(batch))
        wanted: list[list[tuple[float, float]]] = [[], []]
        for (row, t, clock), mine in zip(batch, said.tolist(), strict=True):
            kind, judged = models[row].take(t, clock)
            assert mine == kind
            wanted[row] += judged
        assert [seen(out, row) for row in (0, 1)] == wanted
        batch.clear()

    for kind, *rest in moments:
        if kind == "fix":
            row, t, on_the_way = rest
            batch.append((row, float(t), float(t + on_the_way)))
            if len(batch) == size:
                judge()
            continue
        judge()
        if kind == "wake":
            out = woken(order, float(rest[0]))
            assert [seen(out, row) for row in (0, 1)] == [model.wake(float(rest[0])) for model in models]
        else:
            rows, other = np.arange(2), fresh(2)
            held = [(row, one) for row in (0, 1) for one in order.held(row)]
            clocks = np.array([order.clock_s(row) for row in (0, 1)])
            other.load(rows, np.frombuffer(b"".join(order.dump(rows)), order.rows.dtype), clocks, held)
            order = other
        due = min((model.due(model.waiting[0]) for model in models if model.waiting), default=np.inf)
        assert order.next_due_s() == due
    judge()


def test_a_hundred_thousand_devices_that_come_back_at_once_wait_and_are_judged_at_once() -> None:
    many = 100_000
    order = fresh(many)
    rows = np.arange(many)
    none, on_time = np.zeros(many), np.zeros(many, np.bool_)
    for t in (1000.0, 1008.0):
        said, out = order.admit(rows, np.full(many, t), none, none, none, np.full(many, t), on_time)
        assert (said == WAIT).all()
        assert not len(out.rows)
    assert order.next_due_s() == 1000.0 + WINDOW_S
    assert not len(woken(order, 1019.9).rows)
    out = woken(order, 1020.0)
    assert (out.t.reshape(many, 2) == [1000.0, 1008.0]).all()
    assert (out.rows.reshape(many, 2) == rows[:, None]).all()
    assert order.next_due_s() == np.inf
    said, out = order.admit(rows, np.full(many, 1016.0), none, none, none, np.full(many, 1016.0), on_time)
    assert (said == JUDGE).all()
    assert (out.place == rows).all()
    # the places where they waited were given up; who waits anew has one
    said, out = order.admit(rows, np.full(many, 1100.0), none, rows / 1, none, np.full(many, 1100.0), on_time)
    assert (said == WAIT).all()
    assert [order.held(row)[0].lon for row in (0, 7, many - 1)] == [0.0, 7.0, many - 1.0]
    out = woken(order, np.inf)
    assert (out.t == 1100.0).all()
    assert (np.sort(out.rows) == rows).all()


def test_the_period_is_believed_after_some_gaps() -> None:
    order = Order()
    order.reserve(1)
    said = [int(order.admit(*columns([(0, 30.0 * n, 30.0 * n)]))[0][0]) for n in range(1, SURE_AFTER + 4)]
    assert said[0] == WAIT
    assert said[-1] == JUDGE
