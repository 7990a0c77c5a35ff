"""What there is to draw of an incident, in metres."""

import math
from datetime import timedelta
from typing import Any

import pytest
from matplotlib.figure import Figure

from fenceline.pictures import frame, picture
from fences.plane import distance_m
from pipeline.explain.drawing import MOST_POINTS, drawing, outline
from schemas.fix import Fix
from schemas.incident import Incident
from schemas.reference import Fence, FenceProperties
from schemas.times import instant, parse

AT = parse("2026-11-23T09:31:12Z")


def fence(geometry: dict[str, Any], buffer_m: float = 0.0) -> Fence:
    properties = FenceProperties(fence_id="f", rule="stay_in", datum="wgs84", buffer_m=buffer_m)
    return Fence(type="Feature", geometry=geometry, properties=properties)


def incident(**evidence: Any) -> Incident:
    return Incident(
        incident_id="i", type="breach.opened", subject_id="s", occurred_at=AT, detected_at=AT, evidence=evidence
    )


def track(count: int, step_s: float = 10, lat: float = 60.0) -> list[Fix]:
    start = AT - timedelta(seconds=step_s * count / 2)
    return [
        Fix(
            device_id="d",
            fix_time=instant(start + timedelta(seconds=step_s * n)),
            lat=lat + n * 1e-5,
            lon=25.0,
            accuracy_m=9,
        )
        for n in range(count)
    ]


GROUNDS = [
    {"fix_time": "2026-11-23T09:31:00.000Z", "lat": 60.0005, "lon": 25.0, "accuracy_m": 8, "distance_m": -44,
     "p_outside": 0.01},
    {"fix_time": "2026-11-23T09:31:30.000Z", "lat": 60.002, "lon": 25.0, "accuracy_m": 8, "distance_m": 123,
     "p_outside": 0.98},
]  # fmt: skip


def test_a_round_fence_is_round_in_metres_far_north() -> None:
    drawn = drawing(
        incident(crossing={"lat": 60.0, "lon": 25.0}), fence({"type": "Point", "coordinates": [25, 60]}, 100)
    )
    assert drawn is not None
    (ring,) = drawn.rings
    reach = [math.hypot(east, north) for east, north in zip(ring.east_m, ring.north_m, strict=True)]
    assert (min(reach), max(reach)) == (pytest.approx(100, abs=0.5), pytest.approx(100, abs=0.5))


def test_holes_are_holes() -> None:
    outer = [[25, 60], [25.1, 60], [25.1, 60.1], [25, 60.1], [25, 60]]
    inner = [[25.04, 60.04], [25.06, 60.04], [25.06, 60.06], [25.04, 60.06], [25.04, 60.04]]
    rings = outline(fence({"type": "Polygon", "coordinates": [outer, inner]}))
    assert [hole for _, _, hole in rings] == [False, True]
    assert float(rings[1][0].min()) == pytest.approx(60.04)


def test_points_lie_as_far_apart_as_on_the_ground() -> None:
    drawn = drawing(incident(fixes=GROUNDS))
    assert drawn is not None
    one, other = drawn.points
    east, north = other.east_m - one.east_m, other.north_m - one.north_m
    assert math.hypot(east, north) == pytest.approx(float(distance_m(60.0005, 25.0, 60.002, 25.0)), rel=1e-3)
    assert [point.ground for point in drawn.points] == [True, True]


def test_the_track_is_drawn_around_the_incident_and_each_fix_once() -> None:
    long = track(2000)
    drawn = drawing(
        incident(fixes=GROUNDS),
        None,
        [*long, Fix(device_id="d", fix_time=parse("2026-11-23T09:31:30Z"), lat=60.002, lon=25.0)],
    )
    assert drawn is not None
    assert all(abs((point.at - AT).total_seconds()) <= 1800 for point in drawn.points)
    assert [point.at for point in drawn.points] == sorted(point.at for point in drawn.points)
    assert sum(point.at == parse("2026-11-23T09:31:30Z") for point in drawn.points) == 1


def test_a_dense_track_is_thinned() -> None:
    drawn = drawing(incident(), None, track(20_000, 0.1))
    assert drawn is not None
    assert MOST_POINTS / 2 < len(drawn.points) < 2 * MOST_POINTS


def test_across_the_antimeridian_it_stays_together() -> None:
    grounds = [{**GROUNDS[0], "lon": 179.9999}, {**GROUNDS[1], "lon": -179.9999}]
    drawn = drawing(incident(crossing={"lat": 60.0, "lon": 180.0}, fixes=grounds))
    assert drawn is not None
    assert all(abs(point.east_m) < 50 for point in drawn.points)


def test_nothing_to_draw() -> None:
    assert drawing(incident()) is None
    assert drawing(incident(crossing={"lat": 91, "lon": "x"}, fixes=[{"lat": 1}])) is None


@pytest.mark.parametrize("with_fence", [True, False])
@pytest.mark.parametrize("evidence", [{"fixes": GROUNDS, "rule": "keep_out"}, {"crossing": {"lat": 60.0, "lon": 25.0}}])
def test_the_picture_is_a_png_whatever_is_known(with_fence: bool, evidence: Any) -> None:
    """Also with a title that the fonts lack signs for; warnings would be errors here."""
    shown = fence({"type": "Point", "coordinates": [25, 60]}, 100) if with_fence else None
    drawn = drawing(incident(**evidence), shown, track(50))
    assert drawn is not None
    png = picture(drawn, "案号 2026-0004 “家” left 🏠 " + "and so on " * 30)
    assert png.startswith(b"\x89PNG\r\n")
    assert len(png) > 10_000


def test_the_boundary_is_in_the_picture_where_it_is_nearest() -> None:
    """Somebody who is 500 m off when the hours begin: all that it rests on is far from the line."""
    away = [{**one, "lat": 60.0055 + n * 1e-5} for n, one in enumerate(GROUNDS)]
    drawn = drawing(incident(fixes=away), fence({"type": "Point", "coordinates": [25, 60]}, 100))
    assert drawn is not None
    axes = Figure().subplots()
    frame(axes, drawn)
    low, high = axes.get_ylim()
    north = max(drawn.rings[0].north_m)
    assert low < north < high
    assert low < min(point.north_m for point in drawn.points)
