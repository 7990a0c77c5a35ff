import numpy as np
import pytest

from fences.datum import (
    BOX_EAST,
    BOX_NORTH,
    BOX_SOUTH,
    BOX_WEST,
    from_wgs84,
    in_china_box,
    to_wgs84,
)
from fences.plane import distance_m

SHIFTED = ("gcj02", "bd09")


@pytest.mark.parametrize(
    ("datum", "lat", "lon"),
    [("gcj02", 39.91640428, 116.41024450), ("bd09", 39.92269955, 116.41662724)],
)
def test_known_place_in_beijing(datum, lat, lon):
    """The figures that the open converters give for 39.915 N 116.404 E."""
    assert np.allclose(from_wgs84(39.915, 116.404, datum), (lat, lon), atol=1e-8)


@pytest.mark.parametrize("datum", SHIFTED)
def test_inverse_is_exact_everywhere_in_the_box(datum):
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform(BOX_SOUTH, BOX_NORTH, 50_000), rng.uniform(BOX_WEST, BOX_EAST, 50_000)
    back = to_wgs84(*from_wgs84(lat, lon, datum), datum)
    assert distance_m(lat, lon, *back).max() < 0.001


@pytest.mark.parametrize("datum", SHIFTED)
@pytest.mark.parametrize("side", ["south", "north", "west", "east"])
def test_inverse_is_exact_along_the_rim_of_the_box(datum, side):
    """Just inside the rim the shifted place may lie outside of the box; it is taken back all the same."""
    rng = np.random.default_rng(2)
    n = 5000
    lat, lon = rng.uniform(BOX_SOUTH, BOX_NORTH, n), rng.uniform(BOX_WEST, BOX_EAST, n)
    inwards = rng.uniform(0, 0.01, n)
    if side in ("south", "north"):
        lat = BOX_SOUTH + inwards if side == "south" else BOX_NORTH - inwards
    else:
        lon = BOX_WEST + inwards if side == "west" else BOX_EAST - inwards
    back = to_wgs84(*from_wgs84(lat, lon, datum), datum)
    assert distance_m(lat, lon, *back).max() < 0.001


@pytest.mark.parametrize("datum", SHIFTED)
def test_outside_the_box_nothing_is_shifted(datum):
    """Half a degree off the rim and around the world, both ways give what they are given, to the bit."""
    rng = np.random.default_rng(3)
    lat, lon = rng.uniform(-90, 90, 20_000), rng.uniform(-180, 180, 20_000)
    far = (lat < BOX_SOUTH - 0.5) | (lat > BOX_NORTH + 0.5) | (lon < BOX_WEST - 0.5) | (lon > BOX_EAST + 0.5)
    lat, lon = lat[far], lon[far]
    for turn in (to_wgs84, from_wgs84):
        there = turn(lat, lon, datum)
        assert np.array_equal(there, (lat, lon))


@pytest.mark.parametrize("datum", SHIFTED)
def test_what_has_an_origin_is_led_back_to_one(datum):
    """Around the rim two places may share a shifted one; whichever is given, it shifts to where it was asked from."""
    rng = np.random.default_rng(4)
    lat, lon = rng.uniform(BOX_SOUTH - 0.02, BOX_NORTH + 0.02, 20_000), BOX_EAST + rng.uniform(-0.02, 0.02, 20_000)
    shifted = from_wgs84(lat, lon, datum)
    again = from_wgs84(*to_wgs84(*shifted, datum), datum)
    assert distance_m(*shifted, *again).max() < 0.001


def test_shift_in_chinas_cities_is_as_long_as_people_know_it():
    """Beijing, Shanghai, Guangzhou, Urumqi, Harbin, Lhasa: some 250 to 650 m, and up to twice as much for Baidu."""
    lat = np.array([39.9, 31.2, 23.1, 43.8, 45.8, 29.6])
    lon = np.array([116.4, 121.5, 113.3, 87.6, 126.5, 91.1])
    gcj, bd = (distance_m(lat, lon, *from_wgs84(lat, lon, datum)) for datum in SHIFTED)
    assert ((gcj > 250) & (gcj < 650)).all()
    assert ((bd > gcj) & (bd < 1500)).all()


def test_a_row_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(6)
    lat, lon = rng.uniform(20, 45, 999), rng.uniform(80, 125, 999)
    together = to_wgs84(lat, lon, "bd09")
    alone = [to_wgs84(lat[n : n + 1], lon[n : n + 1], "bd09") for n in range(0, 999, 37)]
    assert np.array_equal([one[0][0] for one in alone], together[0][::37])
    assert np.array_equal([one[1][0] for one in alone], together[1][::37])


def test_wgs84_and_empty_columns_pass_through():
    assert to_wgs84([1.5], [2.5], "wgs84")[0].tolist() == [1.5]
    assert to_wgs84([], [], "gcj02")[0].size == 0
    assert from_wgs84([], [], "bd09")[0].size == 0


def test_not_a_number_stays_one_and_harms_no_neighbour():
    lat, lon = to_wgs84([np.nan, 39.9], [116.4, 116.4], "gcj02")
    assert np.isnan(lat[0])
    assert distance_m(lat[1], lon[1], *(part[0] for part in to_wgs84([39.9], [116.4], "gcj02"))) == 0


def test_an_unknown_datum_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown datum 'nad27'; known: wgs84, gcj02, bd09"):
        to_wgs84([1.0], [2.0], "nad27")


def test_box():
    assert in_china_box([39.9, 51.5, 35.7], [116.4, 0.0, 139.7]).tolist() == [True, False, False]
