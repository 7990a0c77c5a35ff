"""How far is one place from one fence, in compiled code? For the fences that most are: small polygons, and circles.

The same figures as `fences.boundary` gives by way of GEOS: on the Mercator chart, the shortest way to an edge divided
by the scale at the place; inside where a ray crosses the edges an odd number of times. Circles by Gauss's mid-latitude
formula as `fences.plane.distance_m` has it. Where either would not be exact enough, and for all other fences, the
answer is NaN, which says: ask `Boundaries.signed_distance_m`.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from fences import plane

AREA, LINE, POINT = 0, 1, 2
MOST_CORNERS = 512
"""From how many corners on GEOS's indexed forms pay."""
PLAIN_SHARE = 0.002
"""The error that may be left in the distance to a far boundary."""
EARTH_M = 6371008.8

_SHORT_M = 5000.0
_NO, _YES = 0, 1
_RADIAN = math.pi / 180.0
_A_M, _E2, _TURN_M = plane.A_M, plane.E2, plane.TURN_M


class Outlines(NamedTuple):
    """Columns by slot, as the kernels read them. `known`: has an outline here. The corners of slot s are rows
    `first[s]` to `first[s]` + `count[s]` of `xy`, metres on the chart, rings one after the other with a row of NaN
    between."""

    known: Any
    kind: Any
    buffer_m: Any
    x_middle: Any
    lat: Any
    lon: Any
    first: Any
    count: Any
    xy: Any


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def chart_y(sin_phi: float) -> float:
    """`fences.plane.project` for one place: the Mercator chart's y, Snyder 7-7."""
    s2 = _E2 * sin_phi * sin_phi
    small = _E2 * sin_phi * (1 + s2 * (1 / 3 + s2 * (1 / 5 + s2 * (1 / 7 + s2 / 9))))
    return float(_A_M * (0.5 * math.log((1 + sin_phi) / (1 - sin_phi)) - small))


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def short_way_m(lat0: float, lon0: float, lat1: float, lon1: float) -> float:
    """`fences.plane.distance_m` for one pair, NaN where its short formula does not do."""
    half = (lat0 + lat1) * 0.5 * _RADIAN
    d_phi = (lat1 - lat0) * _RADIAN
    d_lon = ((lon1 - lon0 + 180.0) % 360.0 - 180.0) * _RADIAN
    s = math.sin(half)
    sin2 = s * s
    w2 = 1 - _E2 * sin2
    along = _A_M * (1 - _E2) / (w2 * math.sqrt(w2)) * d_phi
    across = _A_M / math.sqrt(w2) * math.cos(half) * d_lon
    d_lon2, cos2 = d_lon * d_lon, 1 - sin2
    along *= 1 - d_lon2 / 8 + d_lon2 * cos2 / 24
    across *= 1 - (d_lon2 * sin2 - d_phi * d_phi) / 24
    away = math.sqrt(along * along + across * across)
    return away if away < _SHORT_M and abs(lat0) < 80.0 and abs(lat1) < 80.0 else math.nan


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def signed_m(s: Outlines, slot: int, lat: float, lon: float) -> float:
    """Metres from a place to the boundary of `slot`, negative inside; NaN: not to be had here."""
    if s.known[slot] != _YES:
        return math.nan
    if s.kind[slot] == POINT:
        return float(short_way_m(lat, lon, s.lat[slot], s.lon[slot]) - s.buffer_m[slot])
    phi = min(max(lat, -89.9), 89.9) * _RADIAN
    sin_phi = math.sin(phi)
    cos_phi = math.cos(phi)
    x = lon * _RADIAN * _A_M
    x += _TURN_M * np.round((s.x_middle[slot] - x) / _TURN_M)
    y = chart_y(sin_phi)
    first = s.first[slot]
    nearest2 = math.inf
    inside = False
    x0, y0 = s.xy[first, 0], s.xy[first, 1]
    for k in range(first + 1, first + s.count[slot]):
        x1, y1 = s.xy[k, 0], s.xy[k, 1]
        dx, dy = x1 - x0, y1 - y0
        px, py = x - x0, y - y0
        length2 = dx * dx + dy * dy
        if length2 >= 0.0:  # not over the gap between two rings
            share = min(max((px * dx + py * dy) / length2, 0.0), 1.0) if length2 > 0.0 else 0.0
            ex, ey = px - share * dx, py - share * dy
            nearest2 = min(nearest2, ex * ex + ey * ey)
            if (y0 > y) != (y1 > y) and px < dx * py / dy:
                inside = not inside
        x0, y0 = x1, y1
    way = math.sqrt(nearest2) / (math.sqrt(1 - _E2 * sin_phi * sin_phi) / cos_phi)
    # Scale at the place alone: off by the share tan(lat) * way / 2 R, nothing near the boundary.
    if not way * abs(sin_phi / cos_phi) < PLAIN_SHARE * 2 * EARTH_M:
        return math.nan
    return -way if inside else way


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def signed_of(s: Outlines, slots: Any, lat: Any, lon: Any, out: Any) -> int:
    """`signed_m` of each place (n,) and the slot beside it, into `out`; how many are NaN."""
    left = 0
    for i in range(len(slots)):
        out[i] = signed_m(s, slots[i], lat[i], lon[i])
        left += out[i] != out[i]
    return left


class Corners:
    """The pool of corners behind `Outlines`: shapes are taken in when they are first asked about."""

    def __init__(self) -> None:
        self.xy = np.empty((1024, 2))
        self._end = 0

    def take(self, drawn: NDArray[np.object_], first: NDArray[np.int64], count: NDArray[np.int64]) -> None:
        """Put the corners of polygons `drawn` (n,) in; says in `first` and `count` (n,) where."""
        rings, of = shapely.get_rings(drawn, return_index=True)
        xy, ring = shapely.get_coordinates(rings, return_index=True)
        # a row of NaN after each ring
        place = np.arange(len(xy)) + ring
        need = len(xy) + len(rings)
        if self._end + need > len(self.xy):
            grown = np.empty((max(self._end + need, len(self.xy) + len(self.xy) // 2), 2))
            grown[: self._end] = self.xy[: self._end]
            self.xy = grown
        part = self.xy[self._end : self._end + need]
        part[:] = np.nan
        part[place] = xy
        of_ring = np.bincount(ring, minlength=len(rings)) + 1
        count[:] = np.bincount(of, weights=of_ring, minlength=len(drawn)).astype(np.int64)
        first[:] = self._end + np.cumsum(count) - count
        self._end += need

    def compact(self, slots: NDArray[np.int64], first: NDArray[np.int64], count: NDArray[np.int64]) -> bool:
        """Let only the corners of `slots` stay, if that frees half; whether it was done."""
        kept = int(count[slots].sum())
        if 2 * kept + 1024 > self._end:
            return False
        rows = np.repeat(first[slots] - (np.cumsum(count[slots]) - count[slots]), count[slots]) + np.arange(kept)
        xy = np.empty((kept + 1024, 2))
        xy[:kept] = self.xy[rows]
        first[slots] = np.cumsum(count[slots]) - count[slots]
        self.xy, self._end = xy, kept
        return True
