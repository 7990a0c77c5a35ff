"""Leave opens a place for a time, and undoes what it excuses."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from pipeline.leave import LeaveBook, Stray, excusing
from schemas.message import Invalid
from schemas.reference import Leave
from schemas.times import parse

NINE = parse("2026-11-23T09:00:00Z")
LAT_M = 1 / 110_860.0


def leave(state: str = "approved", leave_id: str = "l-1", hours: float = 2, **more: Any) -> Leave:
    return Leave(
        leave_id=leave_id,
        subject_id="s-1",
        starts_at=NINE,
        ends_at=NINE + timedelta(hours=hours),
        state=state,  # type: ignore[arg-type]
        **more,
    )


def square(lat: float, lon: float, half_deg: float = 0.01) -> dict[str, Any]:
    south, north, west, east = lat - half_deg, lat + half_deg, lon - half_deg, lon + half_deg
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


def book(*told: Leave, at_s: float = 0.0) -> LeaveBook:
    found = LeaveBook()
    for one in told:
        found.learn(one, at_s)
    return found


def away(leaves: LeaveBook, lat: float, hours: float, fence_id: str = "home") -> float:
    at = np.array([NINE.timestamp() + 3600 * hours])
    return float(leaves.distance_m("s-1", fence_id, np.array([lat]), np.array([120.0]), at)[0])


def test_without_a_region_it_is_anywhere_while_it_runs() -> None:
    leaves = book(leave())
    assert [away(leaves, 30.0, hours) for hours in (-0.001, 0, 1.999, 2)] == [np.inf, -np.inf, -np.inf, np.inf]


def test_with_a_region_it_is_metres_from_there() -> None:
    leaves = book(leave(region=square(30.0, 120.0)))
    assert away(leaves, 30.0, 1) == pytest.approx(-0.01 * 96_486, rel=1e-3)  # the nearest sides are east and west
    assert away(leaves, 30.01 + 50 * LAT_M, 1) == pytest.approx(50, rel=1e-2)


def test_the_regions_datum_counts() -> None:
    shifted = book(leave(region=square(30.0, 120.0, 0.001), region_datum="gcj02"))
    plain = book(leave(region=square(30.0, 120.0, 0.001)))
    assert abs(away(shifted, 30.0, 1) - away(plain, 30.0, 1)) > 50


def test_it_is_for_its_fences_only() -> None:
    leaves = book(leave(fences=("work",)))
    assert away(leaves, 30.0, 1) == np.inf
    assert away(leaves, 30.0, 1, "work") == -np.inf


@pytest.mark.parametrize("state", ["asked", "refused", "withdrawn"])
def test_what_was_never_approved_opens_nothing(state: str) -> None:
    leaves = book(leave(state))
    assert "s-1" not in leaves
    assert away(leaves, 30.0, 1) == np.inf


def test_withdrawn_it_held_until_then() -> None:
    leaves = book(leave())
    leaves.learn(leave("withdrawn"), NINE.timestamp() + 3600)
    assert [away(leaves, 30.0, hours) for hours in (0.5, 1.5)] == [-np.inf, np.inf]


def test_withdrawn_before_it_began_it_never_held() -> None:
    leaves = book(leave())
    leaves.learn(leave("withdrawn"), NINE.timestamp() - 60)
    assert "s-1" not in leaves


def test_two_leaves_allow_either_place() -> None:
    leaves = book(leave(region=square(30.0, 120.0)), leave(leave_id="l-2", region=square(31.0, 120.0)))
    assert away(leaves, 30.0, 1) < 0
    assert away(leaves, 31.0, 1) < 0
    assert away(leaves, 30.5, 1) > 1000


def test_saying_the_same_again_changes_nothing() -> None:
    leaves = book(leave())
    edition = leaves.edition
    leaves.learn(leave(), 5.0)
    assert leaves.edition == edition


def test_turns_come_in_order() -> None:
    leaves = book(leave(), leave(leave_id="l-2", hours=3))
    found, at = [], NINE.timestamp() - 1
    while (turn := leaves.next_turn("s-1", at)) is not None:
        found.append(((turn.at_s - NINE.timestamp()) / 3600, turn.starts))
        at = turn.at_s
    assert found == [(0, True), (2, False), (3, False)]
    assert leaves.next_turn("nobody", 0) is None


def test_a_leave_that_cannot_be_is_refused_and_the_old_one_stays() -> None:
    leaves = book(leave())
    with pytest.raises(Invalid, match="end after") as refused:
        leaves.learn(leave(hours=0), 0.0)
    assert refused.value.field == "$.ends_at"
    with pytest.raises(Invalid) as refused:
        leaves.learn(leave(region={"type": "Polygon", "coordinates": []}), 0.0)
    assert refused.value.field.startswith("$.region")
    assert away(leaves, 30.0, 1) == -np.inf


def stray(hours: float, *places: tuple[float, float, float]) -> Stray:
    return Stray("b-1", "home", NINE + timedelta(hours=hours), places)


def test_a_breach_that_began_on_leave_is_excused() -> None:
    permits = book(leave()).permits("s-1")
    assert excusing(stray(1), permits) is permits[0]
    assert excusing(stray(-1), permits) is None
    assert excusing(stray(2), permits) is None


def test_with_a_region_the_fixes_must_lie_there_or_near_enough() -> None:
    permits = book(leave(region=square(30.0, 120.0))).permits("s-1")
    edge = 30.01 + 20 * LAT_M
    assert excusing(stray(1, (30.0, 120.0, 5.0), (edge, 120.0, 25.0)), permits)
    assert not excusing(stray(1, (30.0, 120.0, 5.0), (edge, 120.0, 15.0)), permits)
    assert not excusing(stray(1), permits)  # a region cannot excuse what was nobody knows where
