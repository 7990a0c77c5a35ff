"""The verdict does not depend on how fixes were batched, repeated, or mixed up within the reorder window."""

import random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pipeline.locate import LocateCore
from pipeline.step import Entry
from schemas.incident import Incident
from schemas.message import encode
from schemas.times import from_epoch, parse
from tests.support.cores import changes
from tests.support.journey import T0, circle, fix, place, records, reference, run, shaken, walk

FENCES = (circle("home", 150.0), circle("school", 80.0, "keep_out", 420.0), circle("strip", 25.0, "keep_out", -600.0))


def a_day(seed: int, period_s: float = 15.0) -> list[dict]:
    rng = random.Random(seed)
    at, legs = 0.0, [(0.0, 0.0, 0.0)]
    for _ in range(3):
        at += rng.uniform(200, 900)
        legs.append((at, 0.0, 0.0))
        goal, speed = rng.uniform(-900, 900), rng.uniform(1.2, 12)
        at += abs(goal) / speed
        legs.append((at, goal, rng.uniform(-50, 50)))
        at += rng.uniform(30, 600)
        legs.append((at, *legs[-1][1:]))
        at += abs(goal) / speed
        legs.append((at, 0.0, 0.0))
    legs.append((at + 300, 0.0, 0.0))
    fixes = shaken(walk(*legs, period_s=period_s), rng.uniform(2, 12), seed)
    for n in rng.sample(range(5, len(fixes)), 3):  # thrown
        lat, lon = place(rng.uniform(-400, 400), rng.uniform(-400, 400))
        fixes[n] = {**fixes[n], "lat": round(lat, 7), "lon": round(lon, 7), "accuracy_m": 4.0}
    return [one for one in fixes if rng.random() > 0.04]


def said(fixes, **how):
    return [encode(one) for one in run(fixes, reference(*FENCES), **how)]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 60), max_size=8))
@example(46, [1] * 400)
def test_batches_change_nothing(seed, sizes):
    fixes = a_day(seed)
    whole = said(fixes)
    assume(whole)  # there are days on which nobody comes near a boundary
    assert said(fixes, sizes=sizes) == whole


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40))
def test_frames_are_as_single_fixes(seed, size):
    fixes = a_day(seed)
    frames = [fixes[n : n + size] for n in range(0, len(fixes), size)]
    assert said(frames) == said(fixes)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(1, 60), max_size=8))
def test_batches_change_nothing_of_what_comes_much_later_than_the_rest(seed, sizes):
    """Whoever judges a backlog at once, and whoever kept up with it, says the same."""
    fixes, rng = a_day(seed), random.Random(seed)
    start = rng.randrange(10, len(fixes) - 40)
    held = fixes[start : start + rng.randrange(15, 40)]
    after = start + len(held) + rng.randrange(1, 10)
    mixed = fixes[:start] + fixes[start + len(held) : after] + held + fixes[after:]
    whole = said(mixed)
    assume(whole)
    assert said(mixed, sizes=sizes) == whole


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
@example(28)
@example(50)
def test_repeats_change_nothing(seed):
    fixes, rng = a_day(seed), random.Random(seed)
    repeated = []
    for n, one in enumerate(fixes):
        repeated.append(one)
        if rng.random() < 0.2:
            repeated.append(fixes[max(n - rng.randrange(3), 0)])
    assert said(repeated) == said(fixes)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([5.0, 10.0, 15.0, 60.0]))
def test_disorder_within_the_window_gives_the_same_incidents(seed, period_s):
    fixes, rng = a_day(seed, period_s), random.Random(seed)
    delay = {one["fix_time"]: rng.uniform(0, 19.9) if rng.random() < 0.3 else 0.0 for one in fixes}
    order = sorted(range(len(fixes)), key=lambda n: _epoch(fixes[n]) + delay[fixes[n]["fix_time"]])
    mixed = [fixes[n] for n in order]
    assert sorted(said(mixed)) == sorted(said(fixes))


def _epoch(one):
    return parse(one["fix_time"]).timestamp()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_a_core_restored_from_its_changelog_goes_on_as_if_nothing_had_happened(seed, data):
    fixes = records(a_day(seed))
    cut = data.draw(st.integers(1, len(fixes) - 1))
    known = reference(*FENCES)
    first = LocateCore(known)
    before = first.apply(fixes[:cut], from_epoch(T0))
    second = LocateCore(known)
    second.restore(Entry(key, value or b"", {"fixes": cut - 1}) for key, value in changes(first))
    # what is read again is skipped
    after = second.apply(fixes[max(cut - 7, 0) :], from_epoch(T0))
    after += second.flush(from_epoch(second.newest_s))
    whole = LocateCore(known)
    all_at_once = whole.apply(fixes, from_epoch(T0)) + whole.flush(from_epoch(whole.newest_s))
    told = [encode(one.message) for one in before + after if isinstance(one.message, Incident)]
    assert told == [encode(one.message) for one in all_at_once if isinstance(one.message, Incident)]


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.data())
def test_a_checkpoint_whose_pieces_are_of_different_moments_is_gone_on_from_as_if_nothing_had_happened(seed, data):
    """Records are judged between its pieces; then the worker dies, and the input is read again from its begin."""
    fixes = sorted((one | {"device_id": f"d{n}"} for n in (1, 2, 3) for one in a_day(seed + n)), key=_epoch)
    log, known = records(fixes), reference(*FENCES, devices=("d1", "d2", "d3"))
    cuts = sorted(data.draw(st.lists(st.integers(1, len(log)), min_size=4, max_size=4)))
    first, told = LocateCore(known), dict[str, bytes]()

    def say(emissions):
        for one in emissions:
            if isinstance(one.message, Incident):
                assert told.setdefault(one.id, encode(one.message)) == encode(one.message)

    say(first.apply(log[: cuts[0]], from_epoch(T0)))
    entries = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.locate.PIECE", 1)
        for piece, begin, end in zip(first.changed(), cuts, cuts[1:], strict=False):
            entries += [Entry(key, value, {"fixes": begin - 1} if begin > cuts[0] else {}) for key, value in piece]
            say(first.apply(log[begin:end], from_epoch(T0)))
    second = LocateCore(known)
    second.restore(entries)
    say(second.apply(log[cuts[0] :], from_epoch(T0)))
    say(second.flush(from_epoch(second.newest_s)))
    whole = LocateCore(known)
    all_at_once = whole.apply(log, from_epoch(T0)) + whole.flush(from_epoch(whole.newest_s))
    assert sorted(told.values()) == sorted(
        encode(one.message) for one in all_at_once if isinstance(one.message, Incident)
    )


def test_a_fix_far_from_everything_says_nothing():
    assert run([fix(0, 10.0, 20.0)], reference()) == []
