"""Moments of check-ins: by the wall clock of the person's place, or drawn from a seed that is published afterwards."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.identity.plan import Slot, check, slots
from schemas.message import Invalid, convert
from schemas.plan import CheckinPlan
from schemas.times import instant

SEED = bytes(range(32))
BERLIN = ZoneInfo("Europe/Berlin")


def _plan(**fields: Any) -> CheckinPlan:
    given_ = {"plan_id": "p", "subject_id": "s", "time_zone": "Europe/Berlin", "starts_at": "2026-01-01T00:00:00Z"}
    return convert(given_ | fields, CheckinPlan)


def _random(seed: bytes = SEED, **fields: Any) -> CheckinPlan:
    sampling = {"hours": [{"start": "08:00", "end": "20:00"}], "seed_sha256": sha256(seed).hexdigest()} | fields
    return _plan(sampling=sampling)


def _on(found: tuple[Slot, ...]) -> list[str]:
    return [
        f"{slot.opens_at.astimezone(BERLIN):%m-%d %H:%M}-{slot.closes_at.astimezone(BERLIN):%H:%M}" for slot in found
    ]


def _days(plan: CheckinPlan, first: str, days: int) -> tuple[Slot, ...]:
    begin = datetime.fromisoformat(first).replace(tzinfo=BERLIN).astimezone(UTC)
    return slots(plan, SEED, begin, begin + timedelta(days=days))


def test_wall_clock_times_stay_when_the_clock_changes() -> None:
    """The last Sunday of October has 25 hours: one check-in at noon on each day, and one at half past two on it."""
    noon = _plan(fixed=[{"at": "12:00"}, {"at": "02:30", "days": [6]}])
    assert _on(_days(noon, "2026-10-24", 3)) == [
        "10-24 11:45-12:15", "10-25 02:15-02:45", "10-25 11:45-12:15", "10-26 11:45-12:15",
    ]  # fmt: skip


def test_a_time_that_the_clock_skips_is_reached_when_it_jumps() -> None:
    """On the last Sunday of March there is no half past two; it is due at three, when two would have been over."""
    found = _days(_plan(fixed=[{"at": "02:30", "early_s": 0, "late_s": 900}]), "2026-03-29", 1)
    assert _on(found) == ["03-29 03:00-03:15"]


def test_a_slot_at_midnight_opens_the_day_before() -> None:
    found = _days(_plan(fixed=[{"at": "00:00", "days": [1]}]), "2026-11-23", 7)
    assert _on(found) == ["11-23 23:45-00:15"], "a Tuesday's midnight"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"fixed": []}, "$"),
        ({"fixed": [{"at": "12:00"}], "time_zone": "Mars/Base"}, ""),
        ({"fixed": [{"at": "12:00"}], "ends_at": "2025-01-01T00:00:00Z"}, "$.ends_at"),
        (
            {"sampling": {"hours": [{"start": "08:00", "end": "20:00"}], "seed_sha256": "0" * 64, "seed": "1" * 64}},
            "$.sampling.seed",
        ),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(_plan(**fields))
    assert refused.value.field.startswith(field)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.binary(min_size=32, max_size=32),
    per_day=st.integers(1, 6),
    open_s=st.sampled_from([60, 900, 1800]),
    first=st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    cuts=st.lists(st.integers(1, 3 * 86400), max_size=4),
)
def test_random_times_keep_to_the_hours_and_are_the_same_however_time_is_cut(
    seed: bytes, per_day: int, open_s: int, first: date, cuts: list[int]
) -> None:
    """As many a day as planned, within the hours, apart; drawn piece by piece or at once."""
    plan = _random(seed, per_day=per_day, open_s=open_s, apart_s=3600)
    begin = datetime(first.year, first.month, first.day, tzinfo=BERLIN).astimezone(UTC)
    end = datetime.combine(first + timedelta(days=3), datetime.min.time(), BERLIN).astimezone(UTC)
    found = slots(plan, seed, begin, end)
    assert len(found) == 3 * per_day
    for slot in found:
        opens, closes = slot.opens_at.astimezone(BERLIN), slot.closes_at.astimezone(BERLIN)
        assert opens.hour * 60 + opens.minute >= 8 * 60
        assert closes.hour * 60 + closes.minute <= 20 * 60
    for day in {slot.opens_at.astimezone(BERLIN).date() for slot in found}:
        times = [slot.opens_at for slot in found if slot.opens_at.astimezone(BERLIN).date() == day]
        assert len(times) == per_day
        assert all(b - a >= timedelta(seconds=3599) for a, b in pairwise(times))
    edges = sorted({begin, end, *(min(end, begin + timedelta(seconds=cut)) for cut in cuts)})
    pieces = [slot for a, b in pairwise(edges) for slot in slots(plan, seed, a, b)]
    assert tuple(pieces) == found


def test_another_seed_another_person_or_plan_gives_other_times() -> None:
    def times(plan: CheckinPlan, seed: bytes) -> list[object]:
        begin = instant(datetime(2026, 6, 1, tzinfo=UTC))
        return [slot.opens_at for slot in slots(plan, seed, begin, begin + timedelta(days=20))]

    base = _random(per_day=2)
    fields = {"sampling": base.sampling}
    others = [
        times(base, bytes(32)),
        times(_plan(**fields, subject_id="t"), SEED),
        times(_plan(**fields, plan_id="q"), SEED),
    ]
    assert times(base, SEED) not in others
    assert times(base, SEED) == times(base, SEED)
    assert slots(base, None, *(datetime(2026, 6, day, tzinfo=UTC) for day in (1, 9))) == (), "no seed, no times"
