"""Where does a straight way pass through a fence?

The signed distance changes along a way by no more than the way is long. So two places on it whose distances have the
same sign and together exceed the way between them have no boundary between them; any other stretch is cut until that
holds or it is shorter than a centimetre. No passage is missed, however thin, and it works alike for areas, circles and
buffered lines.
"""

from collections.abc import Callable

import numpy as np

from fences import plane

Column = plane.Column
Measure = Callable[[Column, Column], Column]
"""Signed distances in metres of places (lat, lon), degrees, to one fence."""

_RESOLUTION_M = 0.01
_SLACK = 1.02  # signed distances far away are good to 1 %
_GEODESIC_PIECE_M = 2000.0
_CUTS = np.arange(1, 16) / 16  # many at once, since asking costs more than the answer
_MOST_CUTS = 2000  # only a way along the boundary itself has more; there in and out are a matter of centimetres


def passages(lat0: float, lon0: float, lat1: float, lon1: float, measure: Measure) -> list[tuple[float, float]]:
    """Where the geodesic from the first place to the second is inside: fractions (in, out) of the way, in order.

    A way that begins inside gives an `in` of 0, one that ends inside an `out` of 1. Exact to a centimetre.
    """
    length_m = float(plane.distance_m(lat0, lon0, lat1, lon1))
    way = _Way(lat0, lon0, lat1, lon1, length_m)
    at = np.array([0.0, 1.0])
    off_m = measure(*way.places(at))
    if length_m <= _RESOLUTION_M:
        return [(0.0, 1.0)] if off_m[0] <= 0 else []
    return _inside(*_isolated(at, off_m, way, measure))


class _Way:
    """The places on a geodesic by fraction, through equidistant ones near enough for straight lines between them."""

    def __init__(self, lat0: float, lon0: float, lat1: float, lon1: float, length_m: float) -> None:
        self.length_m = length_m
        parts = max(1, min(10_000, int(np.ceil(length_m / _GEODESIC_PIECE_M))))
        lat, lon = (np.radians(column) for column in plane.way_points(lat0, lon0, lat1, lon1, parts))
        # Normals of the ellipsoid, because degrees turn too fast near a pole to lie on straight lines.
        self._normals = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
        self._fraction = np.linspace(0.0, 1.0, parts + 1)

    def places(self, at: Column) -> tuple[Column, Column]:
        """(lat, lon) at the fractions `at`, degrees; longitude within -180 to 180."""
        x, y, z = (np.interp(at, self._fraction, part) for part in self._normals)
        return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _isolated(at: Column, off_m: Column, way: _Way, measure: Measure) -> tuple[Column, Column]:
    """More fractions and their distances, so that between neighbours of the same sign there is no boundary, and
    those of different sign are at most a centimetre apart."""
    while True:
        gap_m = np.diff(at) * way.length_m
        same = np.signbit(off_m[1:]) == np.signbit(off_m[:-1])
        clear = same & (np.abs(off_m[1:]) + np.abs(off_m[:-1]) > gap_m * _SLACK)
        open_ = ~clear & (gap_m > _RESOLUTION_M)
        if not open_.any() or len(at) > _MOST_CUTS:
            return at, off_m
        fresh = (at[:-1][open_][:, None] + np.diff(at)[open_][:, None] * _CUTS).ravel()
        place = np.searchsorted(at, fresh)
        at = np.insert(at, place, fresh)
        off_m = np.insert(off_m, place, measure(*way.places(fresh)))


def _inside(at: Column, off_m: Column) -> list[tuple[float, float]]:
    inside = off_m <= 0
    turn = np.flatnonzero(inside[1:] != inside[:-1])
    # between neighbours a centimetre apart the distance is a straight line
    share = off_m[turn] / (off_m[turn] - off_m[turn + 1])
    edges = (at[turn] + share * (at[turn + 1] - at[turn])).tolist()
    edges = ([0.0] if inside[0] else []) + edges + ([1.0] if inside[-1] else [])
    ways = [(edges[n], edges[n + 1]) for n in range(0, len(edges), 2)]
    return [way for way in ways if way[0] < way[1]]  # a touch is no passage
