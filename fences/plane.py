"""How do degrees become metres? The planes on which fences are drawn, and distances on the ellipsoid.

All fences share three conformal charts, so that a whole batch of points against many fences is array work:

0. `MERCATOR`, ellipsoidal (EPSG:3395), for everything between 84 degrees south and north;
1. `NORTH` and 2. `SOUTH`, polar stereographic with scale 1 at the pole, for what reaches beyond.

A conformal chart stretches all directions at a place alike, by `scale`; so what is nearest on the chart is nearest on
the ground, and a short way on the chart divided by the scale is the way in metres.

Formulas: Snyder, Map Projections: A Working Manual (USGS Professional Paper 1395, 1987), numbers in the comments. Only
this module knows pyproj, for geodesics; the closed forms are held against pyproj's own projections by the tests.
Shapes: columns of n, or scalars, broadcast as numpy does.
"""

from typing import Any

import numpy as np
import pyproj
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.float64]

MERCATOR, NORTH, SOUTH = 0, 1, 2
CHART_LIMIT_DEG = 84.0
"""What reaches beyond this latitude is drawn on a polar chart."""

A_M = 6378137.0
F = 1 / 298.257223563
E2 = F * (2 - F)
E = E2**0.5
TURN_M = 2 * np.pi * A_M
"""Once around the earth on the Mercator chart."""

_POLAR = 2 * A_M / ((1 + E) ** (1 + E) * (1 - E) ** (1 - E)) ** 0.5  # Snyder 21-33, k0 = 1
_FARTHEST_DEG = 90 - 1e-5  # Mercator has no pole; a metre beside it will do
_GEOD = pyproj.Geod(ellps="WGS84")
_SHORT_M = 5000.0
_LEAST_RADIUS_M = A_M * (1 - E2)  # of the meridian at the equator


def _isometric(sin_phi: Column) -> Column:
    """Isometric latitude, Snyder 7-7 written with the logarithm and a series for the small term."""
    s2 = E2 * sin_phi * sin_phi
    small = E2 * sin_phi * (1 + s2 * (1 / 3 + s2 * (1 / 5 + s2 * (1 / 7 + s2 / 9))))
    return np.asarray(0.5 * np.log((1 + sin_phi) / (1 - sin_phi)) - small)


def project(lat: ArrayLike, lon: ArrayLike, chart: int) -> tuple[Column, Column]:
    """Where degrees lie on `chart`, metres (x, y). On Mercator a longitude beyond 180 lies beyond the edge."""
    lat, lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
    if chart == MERCATOR:
        phi = np.radians(np.clip(lat, -_FARTHEST_DEG, _FARTHEST_DEG))
        return A_M * np.radians(lon), A_M * _isometric(np.sin(phi))
    up = 1.0 if chart == NORTH else -1.0
    phi = np.radians(np.maximum(up * lat, -_FARTHEST_DEG))
    e_sin = E * np.sin(phi)
    t = np.tan(np.pi / 4 - phi / 2) * np.exp(E * np.arctanh(e_sin))  # Snyder 15-9
    rho, east = _POLAR * np.maximum(t, 0.0), np.radians((lon + 180) % 360 - 180)  # turns fall on each other exactly
    return rho * np.sin(east), -up * rho * np.cos(east)


def unproject(x: ArrayLike, y: ArrayLike, chart: int) -> tuple[Column, Column]:
    """The degrees (lat, lon) of a place on `chart`, the inverse of `project`; longitude as unwrapped as `x` is."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if chart == MERCATOR:
        chi, lon = np.pi / 2 - 2 * np.arctan(np.exp(-y / A_M)), np.degrees(x / A_M)
        up = 1.0
    else:
        up = 1.0 if chart == NORTH else -1.0
        chi, lon = np.pi / 2 - 2 * np.arctan(np.hypot(x, y) / _POLAR), np.degrees(np.arctan2(x, -up * y))
    e4, e6, e8 = E2**2, E2**3, E2**4  # Snyder 3-5
    phi = (
        chi
        + (E2 / 2 + 5 * e4 / 24 + e6 / 12 + 13 * e8 / 360) * np.sin(2 * chi)
        + (7 * e4 / 48 + 29 * e6 / 240 + 811 * e8 / 11520) * np.sin(4 * chi)
        + (7 * e6 / 120 + 81 * e8 / 1120) * np.sin(6 * chi)
        + (4279 * e8 / 161280) * np.sin(8 * chi)
    )
    return up * np.degrees(phi), lon


def scale(lat: ArrayLike, chart: int) -> Column:
    """How much longer a short way at latitude `lat` is on `chart` than on the ground."""
    lat = np.asarray(lat, np.float64)
    if chart == MERCATOR:
        phi = np.radians(np.clip(lat, -_FARTHEST_DEG, _FARTHEST_DEG))
        return np.asarray(np.sqrt(1 - E2 * np.sin(phi) ** 2) / np.cos(phi))  # Snyder 7-8
    up = 1.0 if chart == NORTH else -1.0
    phi = np.radians(np.maximum(up * lat, -_FARTHEST_DEG))
    e_sin = E * np.sin(phi)
    # Snyder 21-32: k = rho / (a m); written so that it stays finite at the pole: tan(pi/4 - phi/2)/cos(phi) = 1/(1+sin)
    t_over_cos = np.exp(E * np.arctanh(e_sin)) / (1 + np.sin(phi))
    return np.asarray(_POLAR * t_over_cos * np.sqrt(1 - e_sin**2) / A_M)


def distance_m(lat0: ArrayLike, lon0: ArrayLike, lat1: ArrayLike, lon1: ArrayLike) -> Column:
    """The geodesic's length between two places, metres.

    Up to 5 km by Gauss's mid-latitude formula (off by less than 1 mm below 80 degrees, where it is used), else by
    Karney's geodesics in pyproj. Each row for itself, whatever stands beside it.
    """
    lat0, lon0, lat1, lon1 = np.broadcast_arrays(*(np.asarray(part, np.float64) for part in (lat0, lon0, lat1, lon1)))
    half = np.radians((lat0 + lat1) / 2)
    d_phi = np.radians(lat1 - lat0)
    d_lon = np.radians((lon1 - lon0 + 180) % 360 - 180)
    sin2 = np.sin(half) ** 2
    w2 = 1 - E2 * sin2
    along_m = A_M * (1 - E2) / (w2 * np.sqrt(w2)) * d_phi
    across_m = A_M / np.sqrt(w2) * np.cos(half) * d_lon
    d_lon2, cos2 = d_lon * d_lon, 1 - sin2  # the formula's second-order terms, as on the sphere
    along_m = along_m * (1 - d_lon2 / 8 + d_lon2 * cos2 / 24)
    across_m = across_m * (1 - (d_lon2 * sin2 - d_phi * d_phi) / 24)
    away = np.hypot(along_m, across_m)
    far = ~((away < _SHORT_M) & (np.abs(lat0) < 80) & (np.abs(lat1) < 80))
    if far.any():
        away = np.array(away)
        _, _, away[far] = _GEOD.inv(lon0[far], lat0[far], lon1[far], lat1[far])
    return np.asarray(away)


def reach_deg(lat: ArrayLike, reach_m: ArrayLike) -> tuple[Column, Column]:
    """How many degrees of (latitude, longitude) at most lie within `reach_m` of a place at `lat`.

    A little too many, never too few: for boxes that propose. 360 of longitude where a pole is within reach.
    """
    away = np.asarray(reach_m, np.float64) * (1.001 / _LEAST_RADIUS_M) + 1e-9
    phi = np.minimum(np.abs(np.radians(lat)), np.pi / 2)
    pole = phi + away >= np.pi / 2 - 1e-6
    ratio = np.sin(np.minimum(away, np.pi / 2)) / np.maximum(np.cos(phi), 1e-12)
    return np.degrees(away), np.where(pole, 360.0, np.degrees(np.arcsin(np.minimum(ratio, 1.0))))


def azimuth_distance(lat0: Column, lon0: Column, lat1: Column, lon1: Column) -> tuple[Column, Column]:
    """The geodesic's azimuth (radians, clockwise from north) at the first places and its length, metres."""
    azimuth, _, away = _GEOD.inv(lon0, lat0, lon1, lat1)
    return np.radians(azimuth), np.asarray(away)


def way_points(lat0: float, lon0: float, lat1: float, lon1: float, parts: int) -> tuple[Column, Column]:
    """The `parts` + 1 equidistant places on the geodesic between two, ends included, degrees (lat, lon)."""
    if parts <= 1:
        return np.array([lat0, lat1]), np.array([lon0, lon1])
    between: Any = np.array(_GEOD.npts(lon0, lat0, lon1, lat1, parts - 1))
    return np.array([lat0, *between[:, 1], lat1]), np.array([lon0, *between[:, 0], lon1])
