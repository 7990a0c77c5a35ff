"""The demo's town plants the breaches it says it plants, and no others."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from fenceline.demo.town import SCHOOL_HALF_WIDTH_M, Town, build_town

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def outside_home(town: Town, at: datetime) -> set[tuple[str, str]]:
    """By plane geometry on the true places, apart from all that judges fixes."""
    found = set()
    for person in town.people:
        east, north, _ = person.true_place_m(at)
        if math.dist((east, north), person.home_m) > person.fence_radius_m:
            found.add((person.subject_id, person.fence_id))
    return found


def test_planted_breaches_are_real_within_seconds_and_nobody_else_leaves() -> None:
    town = build_town(START, people=60, breaching=8)
    at_home = {pair for pair in town.planted() if pair[1].startswith("home")}
    assert len(at_home) == 8
    assert len(town.planted()) == 9  # one of the eight also drives into the school
    assert outside_home(town, START) == set()
    assert outside_home(town, START + timedelta(seconds=15)) == at_home


def test_only_the_visitor_gets_to_the_school() -> None:
    town = build_town(START, people=60, breaching=8)
    (school,) = [pair for pair in town.planted() if not pair[1].startswith("home")]
    visitor = next(p for p in town.people if p.subject_id == school[0])
    assert visitor.trip is not None
    east = visitor.home_m[0] + visitor.trip.way_m
    for second in range(0, 120, 5):
        for person in town.people:
            there = person.true_place_m(START + timedelta(seconds=second))
            inside = abs(there[0] - east) < SCHOOL_HALF_WIDTH_M and abs(there[1] - visitor.home_m[1]) < 110
            assert not inside or person is visitor


def test_reports_repeat_with_the_seed() -> None:
    first, second = (build_town(START).people[5].report(START + timedelta(seconds=s)) for s in (3, 3))
    assert first == second


def test_more_breaching_than_people_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot breach"):
        build_town(START, people=3, breaching=4)
