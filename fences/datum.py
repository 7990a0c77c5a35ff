"""In which datum is this position, and where is it on WGS 84?

GCJ-02 is the shifted datum of maps published in mainland China, BD-09 Baidu's further shift of it. Neither has an
official description; the formulas and constants are those that became public in 2010 as EvilTransform (Krasovsky 1940
ellipsoid; the box outside which nothing is shifted) and in which the open converters eviltransform, coordtransform and
gcoord agree. Baidu states for its location service that positions abroad are given in WGS 84; so outside the
box BD-09, too, is the identity.

Both shifts change by less than 0.5 % of the way, so the inverse is a fixed-point iteration; six rounds leave less than
a micrometre. The number of rounds is fixed: a row's result never depends on its neighbours.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.fix import Datum

Degrees = NDArray[np.float64]

KRASOVSKY_A_M = 6378245.0
KRASOVSKY_E2 = 0.00669342162296594323
BOX_SOUTH, BOX_NORTH = 0.8293, 55.8271
BOX_WEST, BOX_EAST = 72.004, 137.8347
ROUNDS = 6
_BD_WAVE = np.pi * 3000.0 / 180.0


def in_china_box(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
    """Which WGS 84 positions the shifted datums shift."""
    lat, lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    return (lat >= BOX_SOUTH) & (lat <= BOX_NORTH) & (lon >= BOX_WEST) & (lon <= BOX_EAST)


def _gcj_shift(lat: Degrees, lon: Degrees) -> tuple[Degrees, Degrees]:
    """What GCJ-02 adds to a WGS 84 position, in degrees, box or no box."""
    x, y = lon - 105.0, lat - 35.0
    root = 0.1 * np.sqrt(np.abs(x))
    common = (20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)) * 2.0 / 3.0
    north_m = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 2.0 * root + common
        + (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi / 3.0 * y)) * 2.0 / 3.0
        + (160.0 * np.sin(np.pi / 12.0 * y) + 320.0 * np.sin(np.pi / 30.0 * y)) * 2.0 / 3.0
    )  # fmt: skip
    east_m = (
        300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + root + common
        + (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi / 3.0 * x)) * 2.0 / 3.0
        + (150.0 * np.sin(np.pi / 12.0 * x) + 300.0 * np.sin(np.pi / 30.0 * x)) * 2.0 / 3.0
    )  # fmt: skip
    phi = np.radians(lat)
    w2 = 1.0 - KRASOVSKY_E2 * np.sin(phi) ** 2
    meridian_m = KRASOVSKY_A_M * (1.0 - KRASOVSKY_E2) / (w2 * np.sqrt(w2))
    parallel_m = KRASOVSKY_A_M / np.sqrt(w2) * np.cos(phi)
    return np.degrees(north_m / meridian_m), np.degrees(east_m / parallel_m)


def _bd_from_gcj(lat: Degrees, lon: Degrees) -> tuple[Degrees, Degrees]:
    z = np.hypot(lon, lat) + 2e-5 * np.sin(lat * _BD_WAVE)
    theta = np.arctan2(lat, lon) + 3e-6 * np.cos(lon * _BD_WAVE)
    return z * np.sin(theta) + 0.006, z * np.cos(theta) + 0.0065


def _shifted(lat: Degrees, lon: Degrees, datum: Datum) -> tuple[Degrees, Degrees]:
    north, east = _gcj_shift(lat, lon)
    lat, lon = lat + north, lon + east
    return _bd_from_gcj(lat, lon) if datum == "bd09" else (lat, lon)


def _columns(lat: ArrayLike, lon: ArrayLike, datum: str) -> tuple[Degrees, Degrees]:
    if datum not in ("wgs84", "gcj02", "bd09"):
        raise ValueError(f"unknown datum {datum!r}; known: wgs84, gcj02, bd09")
    # contiguous, because numpy's vectorised sine may differ in the last bit on strided arrays
    return np.array(lat, np.float64, order="C", copy=None), np.array(lon, np.float64, order="C", copy=None)


def from_wgs84(lat: ArrayLike, lon: ArrayLike, datum: Datum) -> tuple[Degrees, Degrees]:
    """What a device or map that speaks `datum` calls the WGS 84 positions (`lat`, `lon`), degrees.

    Raises:
        ValueError: `datum` is none of wgs84, gcj02, bd09.
    """
    lat, lon = _columns(lat, lon, datum)
    inside = in_china_box(lat, lon)
    if datum == "wgs84" or not inside.any():
        return lat, lon
    there_lat, there_lon = _shifted(lat, lon, datum)
    return np.where(inside, there_lat, lat), np.where(inside, there_lon, lon)


def to_wgs84(lat: ArrayLike, lon: ArrayLike, datum: Datum) -> tuple[Degrees, Degrees]:
    """The WGS 84 positions that `from_wgs84` turns into (`lat`, `lon`) of `datum`, degrees, to a micrometre.

    At the rim of the box the shift starts at once, so some positions have two origins, one inside and one outside
    the box: then the one inside is given, since who names the datum shifts. Those with no origin (a strip of some
    500 m) are taken back by the shift beside them.

    Raises:
        ValueError: `datum` is none of wgs84, gcj02, bd09.
    """
    lat, lon = _columns(lat, lon, datum)
    if datum == "wgs84":
        return lat, lon
    # No shift is longer than 0.03 degrees inside the box; farther from it everything stays where it is.
    near = (lat > BOX_SOUTH - 0.03) & (lat < BOX_NORTH + 0.03) & (lon > BOX_WEST - 0.03) & (lon < BOX_EAST + 0.03)
    if not near.any():
        return lat, lon
    at_lat, at_lon = np.where(near, lat, 35.0), np.where(near, lon, 105.0)
    goal_lat, goal_lon = at_lat, at_lon
    for _ in range(ROUNDS):
        there_lat, there_lon = _shifted(at_lat, at_lon, datum)
        at_lat, at_lon = at_lat + (goal_lat - there_lat), at_lon + (goal_lon - there_lon)
    take = near & (in_china_box(at_lat, at_lon) | in_china_box(lat, lon))
    return np.where(take, at_lat, lat), np.where(take, at_lon, lon)
