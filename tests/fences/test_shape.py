import numpy as np
import pytest

from fences import plane
from fences.boundary import Boundaries
from fences.datum import from_wgs84, to_wgs84
from fences.shape import compile_geometry, compile_shape
from schemas.message import Invalid
from tests.support.ground import fence, line, moved, point, polygon, signed_m

SQUARE = [(10.0, 60.0), (10.01, 60.0), (10.01, 60.01), (10.0, 60.01)]
GCJ_SQUARE = [(116.40, 39.90), (116.41, 39.90), (116.41, 39.91), (116.40, 39.91)]


def multi(*polygons):
    return {"type": "MultiPolygon", "coordinates": [one["coordinates"] for one in polygons]}


def away_m(geometry, lat, lon, buffer_m=0.0, datum="wgs84"):
    one = Boundaries()
    one.put(0, compile_geometry(geometry, datum, buffer_m))
    return float(one.signed_distance_m(np.array([lat]), np.array([lon]), np.array([0]))[0])


REFUSED = {
    "no type": ({}, "$.geometry.type", "not None"),
    "a type that is no text": ({"type": ["Polygon"]}, "$.geometry.type", "a fence is a"),
    "collection": ({"type": "GeometryCollection", "geometries": []}, "$.geometry.type", "make each part a fence"),
    "many lines": ({"type": "MultiLineString", "coordinates": []}, "$.geometry.type", "make each part a fence"),
    "no coordinates": ({"type": "Polygon"}, "$.geometry.coordinates", "no coordinates"),
    "null coordinates": ({"type": "Point", "coordinates": None}, "$.geometry.coordinates", "no coordinates"),
    "empty polygon": ({"type": "Polygon", "coordinates": []}, "$.geometry.coordinates", "empty"),
    "empty ring": ({"type": "Polygon", "coordinates": [[]]}, "$.geometry.coordinates[0]", "at least 4"),
    "empty part": ({"type": "MultiPolygon", "coordinates": [[]]}, "$.geometry.coordinates[0]", "empty"),
    "empty point": ({"type": "Point", "coordinates": []}, "$.geometry.coordinates", "empty"),
    "empty line": ({"type": "LineString", "coordinates": []}, "$.geometry.coordinates", "empty"),
    "point of one number": ({"type": "Point", "coordinates": [1.0]}, "$.geometry.coordinates", "[longitude, latitude]"),
    "line of one place": (line((1, 2)), "$.geometry.coordinates", "two different"),
    "line that stays": (line((1, 2), (1, 2)), "$.geometry.coordinates", "two different"),
    "three positions": (
        {"type": "Polygon", "coordinates": [[[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]]},
        "$.geometry.coordinates[0]",
        "at least 4",
    ),
    "unclosed": (
        {"type": "Polygon", "coordinates": [[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]]},
        "$.geometry.coordinates[0][3]",
        "repeat the first position [0.0, 0.0]",
    ),
    "text for a number": (
        {"type": "Polygon", "coordinates": [[[0, 0], [1, "0"], [1, 1], [0, 0]]]},
        "$.geometry.coordinates[0][1][1]",
        "Expected `float`, got `str`",
    ),
    "truth for a number": (
        {"type": "Point", "coordinates": [True, 1.0]},
        "$.geometry.coordinates[0]",
        "Expected `float`, got `bool`",
    ),
    "rings where a line should be": (
        {"type": "LineString", "coordinates": [[[0, 0]]]},
        "$.geometry.coordinates[0][0]",
        "",
    ),
    "not a number": (polygon([(0, 0), (1, 0), (1, float("nan"))]), "$.geometry.coordinates[0][2][1]", "not a place"),
    "infinite": (polygon([(0, 0), (float("inf"), 0), (1, 1)]), "$.geometry.coordinates[0][1][0]", "not a place"),
    "latitude 91": (polygon([(0, 0), (1, 0), (1, 91)]), "$.geometry.coordinates[0][2][1]", "latitude 91.0 is outside"),
    "swapped": (polygon([(39.9, 116.4), (39.9, 116.5), (40, 116.5)]), "$.geometry.coordinates[0][0][1]", "swapped"),
    "longitude 190": (point(190, 1), "$.geometry.coordinates[0]", "write -170"),
    "bow tie": (
        polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
        "$.geometry.coordinates[0]",
        "latitude 0.500000, longitude 0.5",
    ),
    "flat": (polygon([(0, 0), (1, 1), (2, 2)]), "$.geometry.coordinates[0]", "no inside"),
    "one place over and over": (polygon([(5, 5), (5, 5), (5, 5), (5, 5)]), "$.geometry.coordinates[0]", "no inside"),
    "crossing hole": (
        polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (2, 2), (2, 1), (1, 2)]),
        "$.geometry.coordinates[1]",
        "crosses or touches itself",
    ),
    "hole outside": (
        polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [(1, 1), (2, 1), (2, 2)], [(5, 5), (6, 5), (6, 6)]),
        "$.geometry.coordinates[2]",
        "outside the outer ring",
    ),
    "hole in hole": (
        polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [(1, 1), (8, 1), (8, 8), (1, 8)], [(2, 2), (3, 2), (3, 3)]),
        "$.geometry.coordinates[2]",
        "another",
    ),
    "second polygon crosses itself": (
        multi(polygon(SQUARE), polygon([(0, 0), (1, 1), (1, 0), (0, 1)])),
        "$.geometry.coordinates[1][0]",
        "crosses",
    ),
    "crossing far east": (
        polygon([(179, 0), (-179, 2), (-179, 0), (179, 2)]),
        "$.geometry.coordinates[0]",
        "longitude -180.000000",
    ),
    "both poles": (polygon([(0, -85), (1, -85), (1, 85), (0, 85)]), "$.geometry.coordinates", "both north and south"),
    "round the earth and over the equator": (
        polygon([(0, 10), (120, -10), (-120, 10)]),
        "$.geometry.coordinates[0]",
        "which pole",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_draws_no_fence_is_refused_with_the_place(name):
    geometry, field, words = REFUSED[name]
    with pytest.raises(Invalid) as refused:
        compile_geometry(geometry, "wgs84", 10.0)
    assert refused.value.field == field
    assert words in refused.value.reason


@pytest.mark.parametrize("geometry", [point(1, 2), line((1, 2), (3, 4))])
def test_a_point_or_line_without_buffer_is_refused(geometry):
    with pytest.raises(Invalid, match="no inside without a buffer") as refused:
        compile_shape(fence(geometry))
    assert refused.value.field == "$.properties.buffer_m"


@pytest.mark.parametrize(
    "ring",
    [
        [*SQUARE, SQUARE[0]],
        [SQUARE[0], *SQUARE[::-1]],
        [SQUARE[0], SQUARE[0], *SQUARE[1:], SQUARE[0], SQUARE[0]],
    ],
    ids=["one way", "the other way", "with repeated positions"],
)
def test_harmless_forms_draw_the_same_square(ring):
    assert np.isclose(
        away_m({"type": "Polygon", "coordinates": [[list(place) for place in ring]]}, 60.005, 10.001), -55.8, atol=0.1
    )


def test_altitudes_are_left_out_even_if_only_some_have_one():
    ring = [[lon, lat, 12.0] for lon, lat in SQUARE] + [[10.0, 60.0]]
    assert away_m({"type": "Polygon", "coordinates": [ring]}, 60.005, 10.005) < 0
    assert compile_geometry({"type": "Point", "coordinates": [1.0, 2.0, 3.0]}, "wgs84", 5.0).kind == "point"


def test_parts_that_touch_or_overlap_are_one_area():
    """Their common side is no boundary, and a place in both is not twice inside."""
    left = polygon([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)])
    right = polygon([(0.02, 0), (0.04, 0), (0.04, 0.02), (0.02, 0.02)])
    over = polygon([(0.01, 0), (0.03, 0), (0.03, 0.02), (0.01, 0.02)])
    for geometry in (multi(left, right), multi(left, right, over)):
        assert np.isclose(away_m(geometry, 0.01, 0.02), -1105.7, atol=1)


@pytest.mark.parametrize(("lat", "edge_deg"), [(60.0, 1.0), (-45.0, 0.2), (83.0, 3.0), (0.0, 40.0)])
def test_edges_are_straight_in_longitude_and_latitude(lat, edge_deg):
    """The middle of a slanting edge, as the ring's numbers give it, is on the boundary to a centimetre."""
    ring = [(20.0, lat), (20.0 + edge_deg, lat + edge_deg / 3), (20.0, lat + edge_deg / 3)]
    for share in (0.1, 0.5, 0.77):
        assert abs(away_m(polygon(ring), lat + share * edge_deg / 3, 20.0 + share * edge_deg)) < 0.01


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_edges_are_straight_in_the_fences_own_datum(datum):
    """What a map draws straight is the fence, though the shift bends it by metres over 10 km."""
    ring = [(116.0, 39.0), (116.3, 39.2), (116.0, 39.2)]
    for share in np.linspace(0, 1, 23):
        lat, lon = 39.0 + 0.2 * share, 116.0 + 0.3 * share
        true_lat, true_lon = to_wgs84(lat, lon, datum)
        assert abs(away_m(polygon(ring), float(true_lat), float(true_lon), datum=datum)) < 0.01


@pytest.mark.parametrize("datum", ["gcj02", "bd09"])
def test_a_fence_is_brought_to_wgs84(datum):
    """The corner of a fence drawn on a shifted map is where that map says the place is."""
    drawn = [tuple(float(part) for part in from_wgs84(lat, lon, datum)[::-1]) for lon, lat in GCJ_SQUARE]
    for lon, lat in GCJ_SQUARE:
        assert abs(away_m(polygon(drawn), lat, lon, datum=datum)) < 0.001
    assert away_m(polygon(drawn), 39.905, 116.405, datum=datum) < -300


def test_across_the_antimeridian_in_every_spelling():
    """One ring over the line, or two parts cut at it, are the same fence on both sides."""
    ring = polygon([(179.9, -17), (-179.9, -17), (-179.9, -16.8), (179.9, -16.8)])
    cut = multi(
        polygon([(179.9, -17), (180, -17), (180, -16.8), (179.9, -16.8)]),
        polygon([(-180, -17), (-179.9, -17), (-179.9, -16.8), (-180, -16.8)]),
    )
    turned = multi(*({"coordinates": part} for part in cut["coordinates"][::-1]))
    for lat, lon in [(-16.9, 180), (-16.9, -180), (-16.9, 179.99), (-16.9, -179.95), (-16.7, -179.99), (-16.9, 179.8)]:
        expected = signed_m(lat, lon, ring)
        for geometry in (ring, cut, turned):
            assert np.isclose(away_m(geometry, lat, lon), expected, atol=0.01, rtol=0.003), (lat, lon)


def test_a_band_around_the_earth_has_no_seam():
    band = polygon([(-180, -20), (180, -20), (180, 20), (-180, 20)])
    assert away_m(band, 0, 180) < -2e6
    assert away_m(band, 0, -179.999) < -2e6
    assert np.isclose(away_m(band, 20.01, 180), 1107, atol=1)


@pytest.mark.parametrize("up", [1, -1])
@pytest.mark.parametrize(
    "ring",
    [
        [(-180, 70), (180, 70), (180, 90), (-180, 90)],
        [(-180, 70), (-60, 70), (60, 70), (180, 70), (180, 90), (-180, 90)],
        [(0, 70), (90, 70), (180, 70), (-90, 70)],
        [(0, 70), (-90, 70), (180, 70), (90, 70)],
    ],
    ids=["rectangle", "rectangle with more corners", "ring around the pole", "the other way round"],
)
def test_a_cap_around_a_pole(ring, up):
    """The pole is inside; a degree beyond the parallel is a degree outside, on every side."""
    cap = polygon([(lon, up * lat) for lon, lat in ring])
    assert away_m(cap, up * 90, 0) < -2.2e6
    degree = float(plane.distance_m(69.0, 0.0, 70.0, 0.0))
    for lon in (-180, -179.999, -91, 0, 33, 180):
        assert np.isclose(away_m(cap, up * 69.0, lon), degree, rtol=2e-4)
        assert np.isclose(away_m(cap, up * 71.0, lon), -degree, rtol=2e-3)
        assert abs(away_m(cap, up * 70.0, lon)) < 0.01


def test_a_fence_beside_the_pole():
    """A square of some 2 km whose corner places straddle the pole."""
    ring = [moved(90.0, 0.0, azimuth, 1500.0)[::-1] for azimuth in (135, 45, -45, -135)]
    assert away_m(polygon(ring), 90.0, 55.0) < -900
    assert away_m(polygon(ring), *moved(90.0, 0.0, 0.0, 1600.0)) > 0


@pytest.mark.parametrize("lat", [-80, 0, 60, 89.99])
def test_a_kilometre_of_buffer_is_a_kilometre(lat):
    for azimuth in range(0, 360, 30):
        assert abs(away_m(point(25, lat), *moved(lat, 25, azimuth, 1000.0), buffer_m=1000)) < 0.001


def test_a_buffer_makes_an_area_wider():
    outside = moved(60.005, 10.01, 90, 500.0)
    assert np.isclose(away_m(polygon(SQUARE), *outside, buffer_m=200), 300, atol=0.01)
    assert np.isclose(away_m(polygon(SQUARE), *outside, buffer_m=700), -200, atol=0.01)


def test_bounds_hold_the_buffer():
    south, west, north, east = compile_geometry(point(10, 60), "wgs84", 1000).bounds
    for azimuth in range(0, 360, 7):
        lat, lon = moved(60, 10, azimuth, 1000.0)
        assert south < lat < north
        assert west < lon < east
    assert compile_geometry(point(10, 89.999), "wgs84", 1000).bounds[1::2] == (-180, 180)


def test_a_hundred_thousand_vertices():
    """A coast of 100,000 vertices compiles and measures like any other."""
    turn = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    radius = 0.3 * (1 + 0.05 * np.sin(turn * 997))
    ring = list(zip((20 + radius * np.cos(turn)).tolist(), (50 + radius * np.sin(turn)).tolist(), strict=True))
    shape = compile_geometry(polygon(ring), "wgs84")
    assert shape.vertices >= 100_001
    one = Boundaries()
    one.put(0, shape)
    rng = np.random.default_rng(9)
    lat, lon = 50 + 0.2 * rng.standard_normal(2000), 20 + 0.2 * rng.standard_normal(2000)
    off = one.signed_distance_m(lat, lon, np.zeros(2000, np.int64))
    angle = np.arctan2(lat - 50, lon - 20)
    assert np.array_equal(off < 0, np.hypot(lat - 50, lon - 20) < 0.3 * (1 + 0.05 * np.sin(angle * 997)))


def test_centre_is_inside():
    horseshoe = polygon([(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)])
    shape = compile_geometry(horseshoe, "wgs84")
    assert away_m(horseshoe, *shape.centre()) < 0
