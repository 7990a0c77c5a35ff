import numpy as np
import pytest

from fences.atlas import Atlas
from fences.crossing import passages
from fences.plane import distance_m
from tests.support.ground import GEOD, fence, line, moved, point, polygon

SQUARE = polygon([(10, 60), (10.02, 60), (10.02, 60.01), (10, 60.01)])


def crossed(geometry, start, end, buffer_m=0.0):
    atlas = Atlas()
    slot = atlas.put(fence(geometry, buffer_m=buffer_m))
    return atlas.crossings(*start, *end, slot)


def test_straight_through():
    (way,) = crossed(SQUARE, (60.005, 9.99), (60.005, 10.03))
    assert np.allclose(way, (0.25, 0.75), atol=1e-4)


def test_from_inside_and_into():
    assert crossed(SQUARE, (60.005, 10.01), (60.005, 10.015)) == [(0.0, 1.0)]
    ((start, end),) = crossed(SQUARE, (60.005, 10.01), (60.005, 10.03))
    assert (start, round(end, 4)) == (0.0, 0.5)
    ((start, end),) = crossed(SQUARE, (60.005, 9.99), (60.005, 10.01))
    assert (round(start, 4), end) == (0.5, 1.0)


def test_past_it():
    assert crossed(SQUARE, (60.02, 9.99), (60.02, 10.03)) == []


def test_in_and_out_and_in_again():
    """Over the prongs of a horseshoe: two passages, with the gap between them."""
    horseshoe = polygon(
        [(0, 0), (0.03, 0), (0.03, 0.03), (0.02, 0.03), (0.02, 0.01), (0.01, 0.01), (0.01, 0.03), (0, 0.03)]
    )
    ways = crossed(horseshoe, (0.02, -0.01), (0.02, 0.04))
    assert np.allclose(ways, [(0.2, 0.4), (0.6, 0.8)], atol=1e-4)


def test_a_hole_is_outside():
    ring = polygon(
        [(0, 0), (0.03, 0), (0.03, 0.03), (0, 0.03)], [(0.01, 0.01), (0.02, 0.01), (0.02, 0.02), (0.01, 0.02)]
    )
    assert np.allclose(crossed(ring, (0.015, -0.01), (0.015, 0.04)), [(0.2, 0.4), (0.6, 0.8)], atol=1e-4)


@pytest.mark.parametrize("miss_m", [-0.5, -0.02, 0.02, 0.5])
def test_grazing_a_circle_by_centimetres(miss_m):
    """A way of 20 km whose middle is as near to a circle of 1 km: a short passage, or none."""
    middle = moved(60.0, 10.0, 0, 1000.0 + miss_m)
    start, end = moved(*middle, 270, 10_000.0), moved(*middle, 90, 10_000.0)
    ways = crossed(point(10, 60), start, end, buffer_m=1000)
    if miss_m > 0:
        assert ways == []
    else:
        ((share_in, share_out),) = ways
        chord_m = 2 * np.sqrt(1000**2 - (1000 + miss_m) ** 2)
        assert np.isclose((share_out - share_in) * 20_000, chord_m, atol=0.5)


@pytest.mark.parametrize("thin_m", [0.1, 1.0, 10.0])
def test_a_wall_however_thin_is_not_jumped_over(thin_m):
    """A line with a few centimetres of reach, crossed in the midst of 5 km."""
    wall = line((10, 59.9), (10, 60.1))
    ((start, end),) = crossed(wall, (60, 9.97), (60, 10.02), buffer_m=thin_m / 2)
    width_m = (end - start) * float(distance_m(60, 9.97, 60, 10.02))
    assert abs(width_m - thin_m) < 0.03


def test_crossing_places_are_on_the_boundary():
    rng = np.random.default_rng(11)
    atlas = Atlas()
    slot = atlas.put(fence(line((179.98, 50), (-179.99, 50.01), (-179.97, 50.0)), buffer_m=300))
    for _ in range(20):
        start = moved(50.0, 180, rng.uniform(0, 360), rng.uniform(0, 4000))
        end = moved(50.0, 180, rng.uniform(0, 360), rng.uniform(0, 4000))
        for way in atlas.crossings(*start, *end, slot):
            for share in way:
                if 0 < share < 1:
                    lat, lon = _on_the_way(start, end, share)
                    off = atlas.signed_distance_m(np.array([lat]), np.array([lon]), np.array([slot]))
                    assert abs(off[0]) < 0.02


def _on_the_way(start, end, share):
    azimuth, _, way_m = GEOD.inv(start[1], start[0], end[1], end[0])
    return moved(*start, azimuth, share * way_m)


def test_no_way_at_all():
    assert crossed(SQUARE, (60.005, 10.01), (60.005, 10.01)) == [(0.0, 1.0)]
    assert crossed(SQUARE, (60.05, 10.01), (60.05, 10.01)) == []


def test_over_the_antimeridian_and_the_pole():
    ((start, end),) = crossed(point(180, 0), (0, 179.9), (0, -179.9), buffer_m=1000)
    assert np.isclose(start + end, 1, atol=1e-6)
    ((start, end),) = crossed(point(0, 90), (89.9, 0), (89.9, 180), buffer_m=1000)
    assert np.isclose(start + end, 1, atol=1e-6)
    assert np.isclose((end - start) * float(distance_m(89.9, 0, 89.9, 180)), 2000, atol=0.05)


def test_a_way_along_the_boundary_itself_ends_soon():
    """Ten kilometres on the edge: inside or outside, but without a measurement at every centimetre."""
    asked = []
    atlas = Atlas()
    slot = atlas.put(fence(polygon([(10, 50), (10.2, 50), (10.2, 50.1), (10, 50.1)])))

    def measure(lat, lon):
        asked.append(len(lat))
        return atlas.signed_distance_m(lat, lon, np.full(len(lat), slot))

    for way in passages(50.001, 10.2, 50.099, 10.2, measure):
        assert 0 <= way[0] < way[1] <= 1
    assert sum(asked) < 50_000


def test_a_flight_of_a_thousand_kilometres_is_cheap():
    """Few measurements are made, since most of the way is clear at once."""
    asked = []

    def measure(lat, lon):
        asked.append(len(lat))
        return distance_m(lat, lon, 65.0, 20.0) - 500

    passages(60.0, 20.0, 70.0, 20.0, measure)
    assert sum(asked) < 200
