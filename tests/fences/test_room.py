"""Tests of how columns grow."""

from types import SimpleNamespace

import numpy as np
import pytest

from fences import motion
from fences.room import AHEAD, LARGE, LEAST, MOST, lengthen, room, zeros
from fences.tracker import Tracker


@pytest.mark.parametrize("viewed", [False, True])
@pytest.mark.parametrize("rows", [100, LARGE // 8 - 20, LARGE // 4, AHEAD // 8 - 20])
def test_a_longer_column_says_the_same_and_is_empty_after_it(viewed: bool, rows: int) -> None:
    """A view that is left still shows what it showed."""
    had = np.arange(2 * rows, dtype=np.int32).reshape(-1, 2)
    holder = SimpleNamespace(column=zeros(had.shape, had.dtype))
    holder.column[:] = had
    view = holder.column[:3] if viewed else None
    for longer in (rows + 1, rows + 50, 3 * rows):
        lengthen(holder, "column", longer, -7)
        assert holder.column.dtype == np.int32
        assert holder.column.shape == (longer, 2)
        assert np.array_equal(holder.column[:rows], had)
        assert (holder.column[rows:] == -7).all()
        assert view is None or np.array_equal(view, had[:3])


def test_a_column_without_rows_gets_empty_ones() -> None:
    """The first rows are as empty as the later ones."""
    holder = SimpleNamespace(column=np.zeros(0, motion.STATE))
    lengthen(holder, "column", 5)
    assert holder.column.tobytes() == bytes(5 * motion.STATE.itemsize)


def test_room_grows_by_bounded_steps() -> None:
    """Never less than is needed, never much more."""
    assert room(10, 10) == room(10, 3) == 10
    assert room(0, 1) == LEAST
    assert room(10, 5000) == 5000
    assert room(1000, 1001) == 1250
    assert room(1_000_000, 1_000_001) == 1_000_000 + MOST


def test_a_tracker_that_grows_goes_on_as_one_that_had_the_room() -> None:
    """Also where somebody still looks at its rows."""
    rng = np.random.default_rng(3)
    grown, ready = Tracker(), Tracker()
    ready.reserve(4000)
    looked_at = None
    for count in (1, 64, 65, 900, 4000):
        grown.reserve(count)
        rows = np.arange(count)
        t = np.full(count, 1e9 + count)
        lat, lon = rng.normal(30, 0.001, count), rng.normal(115, 0.001, count)
        seen = [one.advance(rows, t, lat, lon, np.full(count, 8.0)) for one in (grown, ready)]
        assert all(np.array_equal(a, b) for a, b in zip(*seen, strict=True))
        assert grown.rows[:count].tobytes() == ready.rows[:count].tobytes()
        looked_at = grown.rows["t"]
    assert looked_at is not None
