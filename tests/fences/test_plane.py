import numpy as np
import pyproj
import pytest

from fences import plane

CHARTS = {
    plane.MERCATOR: "EPSG:3395",
    plane.NORTH: "+proj=stere +lat_0=90 +k=1 +ellps=WGS84",
    plane.SOUTH: "+proj=stere +lat_0=-90 +k=1 +ellps=WGS84",
}
GEOD = pyproj.Geod(ellps="WGS84")


def places(chart, n=5000):
    rng = np.random.default_rng(chart)
    low, high = {plane.MERCATOR: (-84, 84), plane.NORTH: (20, 90), plane.SOUTH: (-90, -20)}[chart]
    return rng.uniform(low, high, n), rng.uniform(-180, 180, n)


@pytest.mark.parametrize("chart", CHARTS)
def test_charts_are_those_of_proj(chart):
    """Places agree with PROJ to a micrometre, scales to a ten-millionth (PROJ differentiates numerically)."""
    lat, lon = places(chart)
    x, y = plane.project(lat, lon, chart)
    theirs = pyproj.Transformer.from_crs("EPSG:4326", CHARTS[chart], always_xy=True).transform(lon, lat)
    assert np.abs(np.array([x, y]) - theirs).max() < 1e-6
    factors = pyproj.Proj(CHARTS[chart]).get_factors(lon, np.clip(lat, -89.9, 89.9))
    assert np.abs(factors.meridional_scale / plane.scale(np.clip(lat, -89.9, 89.9), chart) - 1).max() < 1e-7


@pytest.mark.parametrize("chart", CHARTS)
def test_unproject_is_the_inverse(chart):
    lat, lon = places(chart)
    back = plane.unproject(*plane.project(lat, lon, chart), chart)
    assert plane.distance_m(lat, lon, *back).max() < 1e-4


def test_poles_are_places_too():
    assert np.allclose(plane.project(90.0, 12.0, plane.NORTH), 0)
    assert np.allclose(plane.project(-90.0, 12.0, plane.SOUTH), 0)
    assert np.isclose(plane.scale(90.0, plane.NORTH), 1)
    assert np.isfinite(plane.project(90.0, 12.0, plane.MERCATOR)).all()
    assert np.isfinite(plane.project(-90.0, 12.0, plane.NORTH)).all()


def test_distance_is_the_geodesics():
    """From a metre to half around the earth, poles included, within a tenth of a millimetre of Karney's."""
    rng = np.random.default_rng(7)
    n = 20_000
    lat, lon = rng.uniform(-90, 90, n), rng.uniform(-180, 180, n)
    away = 10 ** rng.uniform(0, 7, n)
    there_lon, there_lat, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360, n), away)
    assert np.abs(plane.distance_m(lat, lon, there_lat, there_lon) - away).max() < 1e-4


def test_distance_across_the_antimeridian_and_of_nothing():
    assert np.isclose(plane.distance_m(0.0, 179.999, 0.0, -179.999), 0.002 * np.pi / 180 * plane.A_M, rtol=1e-9)
    assert plane.distance_m([], [], [], []).size == 0
    assert plane.distance_m(10.0, 20.0, 10.0, 20.0) == 0


def test_reach_is_never_too_short():
    """Whatever lies within the reach lies within the degrees; and they are no more than a third too wide."""
    rng = np.random.default_rng(8)
    n = 20_000
    lat, lon, away = rng.uniform(-89.9, 89.9, n), rng.uniform(-180, 180, n), 10 ** rng.uniform(0, 6.3, n)
    there_lon, there_lat, _ = GEOD.fwd(lon, lat, rng.uniform(0, 360, n), away)
    reach_lat, reach_lon = plane.reach_deg(lat, away)
    assert (np.abs(there_lat - lat) <= reach_lat).all()
    assert (np.abs((there_lon - lon + 180) % 360 - 180) <= reach_lon).all()
    assert plane.reach_deg(60.0, 1000.0)[1] < 1000 / 55800 * 1.02


def test_a_reach_over_a_pole_is_all_longitudes():
    assert plane.reach_deg(89.999, 1000.0)[1] == 360
    assert plane.reach_deg(-90.0, 0.0)[1] == 360


def test_way_points_lie_on_the_geodesic():
    lat, lon = plane.way_points(60.0, 10.0, 61.0, 30.0, 10)
    total = plane.distance_m(60.0, 10.0, 61.0, 30.0)
    assert np.allclose(plane.distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]), total / 10, atol=1e-4)
    assert plane.way_points(1.0, 2.0, 3.0, 4.0, 1)[0].tolist() == [1.0, 3.0]
