"""A device falls silent and comes back, by what is usual for it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.hearing import EDGES_MS, NEVER_MS, ROW, SilenceRule, bucket_of
from pipeline.silence import Silence, Turn

T0 = 1_780_000_000_000
MINUTE = 60_000


def listening(*periods_s: float | None, rule: SilenceRule | None = None, until_ms: int = NEVER_MS) -> Silence:
    silence = Silence(rule)
    count = len(periods_s)
    told = np.array([period_s or 0.0 for period_s in periods_s])
    silence.listen(np.arange(count), np.full(count, T0), np.full(count, until_ms), told)
    return silence


def hear(silence: Silence, *moments_s: float, row: int = 0) -> list[Turn]:
    at = np.array([T0 + round(moment * 1000) for moment in moments_s])
    return silence.hear(np.full(len(at), row), at)


def told(turns: list[Turn]) -> list[tuple[str, float, float]]:
    return [(turn.kind, (turn.occurred_ms - T0) / 1000, (turn.detected_ms - T0) / 1000) for turn in turns]


def test_silence_is_found_by_the_timer_and_dates_from_the_last_hearing() -> None:
    silence = listening(60.0)
    assert hear(silence, 10, 70, 130) == []
    assert silence.next_wake_ms() <= T0 + (130 + 180 + 20) * 1000
    assert silence.wake(T0 + 329_999) == []
    assert told(silence.wake(T0 + 330_000)) == [("silent", 130, 310)]
    assert silence.next_wake_ms() == NEVER_MS
    assert silence.wake(T0 + 10 * 3600_000) == []


def test_a_gap_between_two_hearings_of_one_batch_is_the_same_silence() -> None:
    assert told(hear(listening(60.0), 10, 70, 130, 1000, 1060)) == [("silent", 130, 310), ("back", 1000, 1060)]


def test_a_single_sign_of_life_is_no_return() -> None:
    silence = listening(60.0)
    assert told(hear(silence, 10, 1000, 2000, 3000)) == [("silent", 10, 190)]
    assert told(hear(silence, 3050)) == [("back", 3000, 3050)]


def test_until_the_first_hearing_the_default_period_counts() -> None:
    (turn,) = listening(None).wake(T0 + 3600_000)
    assert (turn.learnt, told([turn])) == (False, [("silent", 0, 900)])


def test_nothing_is_expected_after_the_end() -> None:
    silence = listening(60.0, until_ms=T0 + 20 * MINUTE)
    hear(silence, *range(0, 1190, 60))
    assert silence.wake(T0 + 90 * MINUTE) == []
    assert silence.next_wake_ms() == NEVER_MS


def test_the_period_is_learnt() -> None:
    silence = listening(None)
    hear(silence, *range(15, 15 * 40, 15))
    (turn,) = silence.wake(T0 + 3600_000)
    assert turn.learnt
    assert turn.period_s == pytest.approx(16.0)
    assert told([turn]) == [("silent", 585, 585 + 120)]  # three periods would be less than the shortest patience


def test_a_phone_that_reports_rarely_at_rest_is_not_silent_there() -> None:
    """Seven minutes of 10 s on the move, then an hour of 10 min at rest, over two days."""
    silence, at, turns = listening(None), 0.0, []
    for spell in range(48):
        for gap in [10.0] * 42 + [600.0] * 6:
            at += gap
            turns += [(spell, turn.kind) for turn in hear(silence, at)]
    assert all(spell < 2 for spell, _ in turns)


def test_lost_reports_do_not_make_silence() -> None:
    rng = np.random.default_rng(5)
    silence = listening(None)
    moments = np.flatnonzero(rng.random(5000) > 0.2) * 30.0 + 30
    assert hear(silence, *moments.tolist()) == []


def test_flapping_is_damped() -> None:
    """On for 3 minutes, off for 10, all day: named a few times, then known as what this device does."""
    silence, at, kinds = listening(60.0), 0.0, []
    for _ in range(100):
        for _ in range(4):
            at += 60
            kinds += [turn.kind for turn in hear(silence, at)]
        at += 600
    assert kinds == ["silent", "back"] * 3


def test_after_a_calm_time_patience_is_as_before() -> None:
    silence = listening(60.0)
    hear(silence, 10, 400, 460, 900, 960, 1500, 1560)
    assert int(silence.rows["damping"][0]) == 2
    hear(silence, *range(1620, 1620 + 3900, 60))
    assert int(silence.rows["damping"][0]) == 0


def test_what_arrives_out_of_order_or_twice_is_no_hearing() -> None:
    silence = listening(60.0)
    hear(silence, 100, 40, 100, 99)
    assert (silence.rows["heard_ms"][0], silence.rows["hearings"][0]) == (T0 + 100_000, 1)


def test_state_survives_being_written() -> None:
    silence = listening(None)
    hear(silence, *range(15, 900, 15))
    other = listening(None)
    other.rows[:1] = np.frombuffer(silence.rows[:1].tobytes(), ROW)
    assert hear(silence, 5000, 5015, 9000) == hear(other, 5000, 5015, 9000)


def test_buckets_grow_by_the_root_of_two() -> None:
    assert [bucket_of(gap) for gap in (1, 1000, 1001, 1414, 1415, 2000, 10**12)] == [0, 0, 1, 1, 2, 2, 34]
    assert EDGES_MS[-1] > 86_400_000


hearings = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 15, 15, 15, 15, 60, 130, 400, 1500])), min_size=1, max_size=400
)


@settings(max_examples=60, deadline=None)
@given(hearings, st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_batches_change_nothing(steps: list[tuple[int, int]], sizes: list[int]) -> None:
    """One at a time with a timer before each, all at once, or cut anyhow: the same turns and the same state."""
    clock = np.cumsum([gap for _, gap in steps]) * 1000 + T0
    rows = np.array([row for row, _ in steps])
    whole, single, cut = (listening(None, 20.0, 300.0, None) for _ in range(3))
    expected = whole.hear(rows, clock)
    found = []
    for row, at in zip(rows, clock.tolist(), strict=True):
        found += single.wake(at)
        found += single.hear(np.array([row]), np.array([at]))
    pieces, start, turn = [], 0, 0
    while start < len(rows):
        size = sizes[turn % len(sizes)]
        pieces += cut.hear(rows[start : start + size], clock[start : start + size])
        start, turn = start + size, turn + 1
    key = lambda turn: (turn.detected_ms, turn.row, turn.kind)  # noqa: E731
    now = int(clock[-1])
    ends = [
        sorted(turns, key=key)
        for turns in (expected + whole.wake(now), found + single.wake(now), pieces + cut.wake(now))
    ]
    assert ends[0] == ends[1] == ends[2]
    assert whole.rows.tobytes() == single.rows.tobytes() == cut.rows.tobytes()
