"""How far inside or outside of a fence is a place? Signed distances in metres, for whole batches.

The chart proposes: GEOS finds what is nearest on the plane, and the length of that way is taken on the ground. On a
conformal chart this is third-order exact: at 60 degrees north 0.1 mm for 1 km. Where a wide buffer puts the boundary
so far from what is drawn that a millimetre is no longer sure, the true nearest place is found by geodesics.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from fences import plane
from fences.nearest import AREA as _AREA
from fences.nearest import EARTH_M as _EARTH_M
from fences.nearest import LINE as _LINE
from fences.nearest import MOST_CORNERS as _INDEXED_FROM
from fences.nearest import PLAIN_SHARE as _PLAIN_SHARE
from fences.nearest import POINT as _POINT
from fences.nearest import Corners, Outlines, signed_of
from fences.shape import Shape

Column = NDArray[np.float64]
Slots = NDArray[np.int64]

_KINDS = {"area": _AREA, "line": _LINE, "point": _POINT}
_PREPARED_FROM = 32
# Vertices from which GEOS's prepared form pays, for inside or not (measured); for the nearest place _INDEXED_FROM.
_SURE_M = 0.002  # the error that may be left near a buffer's boundary
_FAR_PIECE_M, _CLOSE_PIECE_M = 20_000.0, 200.0


class Boundaries:
    """The shapes of an atlas in columns, by slot."""

    def __init__(self) -> None:
        self._kind = np.zeros(16, np.int8)
        self._chart = np.zeros(16, np.int8)
        self._buffer_m = np.zeros(16)
        self._x_middle = np.zeros(16)
        self._vertices = np.zeros(16, np.int64)
        self._lat, self._lon = np.zeros(16), np.zeros(16)  # of points
        self._drawn = np.empty(16, object)
        self._edge = np.empty(16, object)  # made when first needed
        self._has_edge = np.zeros(16, np.bool_)
        self._plain = np.zeros(16, np.int8)  # what `fences.nearest` knows: 0 not yet, 1 yes, -1 cannot
        self._first, self._count = np.zeros(16, np.int64), np.zeros(16, np.int64)
        self._bounds = np.zeros((16, 4))
        self._corners = Corners()

    def put(self, slot: int, shape: Shape) -> None:
        """Measure `slot` by `shape` from now on."""
        if slot >= len(self._kind):
            self._grow(max(slot + 1, 2 * len(self._kind)))
        self._kind[slot], self._chart[slot] = _KINDS[shape.kind], shape.chart
        self._buffer_m[slot], self._x_middle[slot] = shape.buffer_m, shape.x_middle
        self._vertices[slot] = shape.vertices
        self._drawn[slot], self._edge[slot], self._has_edge[slot] = shape.drawn, None, False
        self._plain[slot] = self._count[slot] = 0
        self._bounds[slot] = shape.bounds
        if shape.kind == "point":
            x, y = shapely.get_x(shape.drawn), shapely.get_y(shape.drawn)
            self._lat[slot], self._lon[slot] = plane.unproject(x, y, shape.chart)

    def drop(self, slot: int) -> None:
        """Forget the shape of `slot`."""
        self._drawn[slot] = self._edge[slot] = None
        self._has_edge[slot] = False
        self._plain[slot] = self._count[slot] = 0

    def _grow(self, size: int) -> None:
        for name, column in list(vars(self).items()):
            if not isinstance(column, np.ndarray):
                continue
            shape = (size, *column.shape[1:])
            grown = np.empty(size, object) if column.dtype == object else np.zeros(shape, column.dtype)
            grown[: len(column)] = column
            setattr(self, name, grown)

    def _edges(self, slots: Slots) -> Any:
        missing = slots[~self._has_edge[slots]]
        if missing.size:
            missing = np.unique(missing)
            areas = missing[self._kind[missing] == _AREA]
            self._edge[missing] = self._drawn[missing]
            self._edge[areas] = shapely.boundary(self._drawn[areas])
            self._has_edge[missing] = True
            shapely.prepare(self._drawn[missing[self._vertices[missing] >= _PREPARED_FROM]])
            shapely.prepare(self._edge[missing[self._vertices[missing] >= _INDEXED_FROM]])
        return self._edge[slots]

    def signed_distance_m(self, lat: Column, lon: Column, slots: Slots) -> Column:
        """Metres from each place (degrees) to the boundary of the fence in its slot; negative inside.

        Exact to a centimetre for the nearest 10 km below 84 degrees, and to 1 % up to 50 km; farther it is an estimate.
        """
        away = np.empty(len(slots))
        lat, lon = np.asarray(lat, np.float64), np.asarray(lon, np.float64)
        if signed_of(self.outlines(slots), slots, lat, lon, away):
            left = np.flatnonzero(np.isnan(away))
            left = left[
                np.argsort(slots[left], kind="stable")
            ]  # neighbours in memory one after the other: half as long
            away[left] = self._in_order(lat[left], lon[left], slots[left])
        return away

    def outlines(self, slots: Slots) -> Outlines:
        """What `fences.nearest` reads, with `slots` in it as far as it can have them."""
        new = slots[self._plain[slots] == 0]
        if new.size:
            self._outline(np.unique(new))
        return Outlines(self._plain, self._kind, self._buffer_m, self._x_middle, self._lat, self._lon, self._first,
                        self._count, self._corners.xy)  # fmt: skip

    @property
    def bounds(self) -> Column:
        """(slots, 4): south, west, north, east in degrees, buffer included; west or east may lie beyond 180."""
        return self._bounds

    def _outline(self, slots: Slots) -> None:
        point = self._kind[slots] == _POINT
        plain = (self._kind[slots] == _AREA) & (self._vertices[slots] < _INDEXED_FROM) & (self._buffer_m[slots] == 0)
        plain &= (self._chart[slots] == plane.MERCATOR) & np.array(
            [one is not None for one in self._drawn[slots]], np.bool_
        )
        self._plain[slots] = np.where(point | plain, 1, -1)
        areas = slots[plain]
        if areas.size:
            self._corners.compact(np.flatnonzero(self._count), self._first, self._count)
            first, count = np.empty(len(areas), np.int64), np.empty(len(areas), np.int64)
            self._corners.take(self._drawn[areas], first, count)
            self._first[areas], self._count[areas] = first, count

    def _in_order(self, lat: Column, lon: Column, slots: Slots) -> Column:
        away = np.empty(len(slots))
        point = self._kind[slots] == _POINT
        if point.any():
            rows = slice(None) if point.all() else np.flatnonzero(point)
            of = slots[rows]
            away[rows] = plane.distance_m(lat[rows], lon[rows], self._lat[of], self._lon[of]) - self._buffer_m[of]
        chart = self._chart[slots]
        for number in (plane.MERCATOR, plane.NORTH, plane.SOUTH):
            there = (chart == number) & ~point
            if there.any():
                rows = slice(None) if there.all() else np.flatnonzero(there)
                away[rows] = self._on_chart(lat[rows], lon[rows], slots[rows], number)
        return away

    def may_meet(self, lat0: Column, lon0: Column, lat1: Column, lon1: Column, slots: Slots) -> NDArray[np.bool_]:
        """Whether the straight way between two places may touch the fence in its slot; False is sure."""
        meets = np.empty(len(slots), np.bool_)
        chart = self._chart[slots]
        for number in (plane.MERCATOR, plane.NORTH, plane.SOUTH):
            rows = np.flatnonzero(chart == number)
            if not rows.size:
                continue
            of, far_lat = slots[rows], np.maximum(np.abs(lat0[rows]), np.abs(lat1[rows]))
            x0, y0 = self._placed(lat0[rows], lon0[rows], of, number)
            x1, y1 = plane.project(lat1[rows], lon1[rows], number)
            if number == plane.MERCATOR:
                x1 = x1 + plane.TURN_M * np.round((x0 - x1) / plane.TURN_M)
            ways = shapely.linestrings(np.stack([np.stack([x0, y0], 1), np.stack([x1, y1], 1)], axis=1))
            # A geodesic leaves the chart's straight line by way^2 tan / 8 R; a reach grows with the scale beside it.
            way_m = np.hypot(x1 - x0, y1 - y0) / plane.scale(np.minimum(np.abs(lat0[rows]), np.abs(lat1[rows])), number)
            bend = 1 + np.tan(np.radians(np.minimum(far_lat, 89.0)))
            reach_m = self._buffer_m[of] + 0.05 + way_m * way_m * bend / (6 * _EARTH_M)
            beyond = np.minimum(far_lat + plane.reach_deg(far_lat, reach_m)[0], 90.0)
            stretch = plane.scale(beyond, number) if number == plane.MERCATOR else 2.0  # twofold only at the equator
            meets[rows] = shapely.dwithin(self._drawn[of], ways, reach_m * stretch)
        return meets

    def _placed(self, lat: Column, lon: Column, slots: Slots, chart: int) -> tuple[Column, Column]:
        """Where places lie on `chart`, on the turn that the shape in their slot is drawn on."""
        x, y = plane.project(lat, lon, chart)
        if chart == plane.MERCATOR:
            x = x + plane.TURN_M * np.round((self._x_middle[slots] - x) / plane.TURN_M)
        return x, y

    def _on_chart(self, lat: Column, lon: Column, slots: Slots, chart: int) -> Column:
        x, y = self._placed(lat, lon, slots, chart)
        places = np.asarray(shapely.points(x, y))
        edges = self._edges(slots)
        away = np.empty(len(slots))
        plain = (self._kind[slots] == _AREA) & (self._vertices[slots] < _INDEXED_FROM) & (self._buffer_m[slots] == 0)
        plain &= chart == plane.MERCATOR
        rows = np.flatnonzero(plain)
        if rows.size:
            # Scale at the place alone: off by the share tan(lat) * way / 2 R, nothing near the boundary.
            way = shapely.distance(edges[rows], places[rows]) / plane.scale(lat[rows], chart)
            away[rows] = way
            plain[rows] = way * np.abs(np.tan(np.radians(lat[rows]))) < _PLAIN_SHARE * 2 * _EARTH_M
        rows = np.flatnonzero(~plain)
        if rows.size:
            away[rows] = self._by_nearest(lat[rows], lon[rows], slots[rows], edges[rows], places[rows], chart=chart)
        area = np.flatnonzero(self._kind[slots] == _AREA)
        inside = shapely.contains_xy(self._drawn[slots[area]], x[area], y[area])
        away[area] = np.where(inside, -away[area], away[area])
        return np.asarray(away - self._buffer_m[slots])

    def _by_nearest(self, lat: Column, lon: Column, slots: Slots, edges: Any, places: Any, *, chart: int) -> Column:
        """Unsigned distance to what is drawn, by way of its nearest place."""
        ways = shapely.get_coordinates(shapely.shortest_line(edges, places)).reshape(-1, 2, 2)
        near_lat, near_lon = plane.unproject(ways[:, 0, 0], ways[:, 0, 1], chart)
        away = plane.distance_m(lat, lon, near_lat, near_lon)
        # What is nearest on the chart is off by third order: way^3 tan^2 / 8 R^2.
        bend = np.tan(np.radians(np.minimum(np.abs(lat), 89.0))) if chart == plane.MERCATOR else 1.0
        off_m = away**3 * (1.0 + bend * bend) / (8 * _EARTH_M**2)
        buffer_m = self._buffer_m[slots]
        unsure = (buffer_m > 0) & (off_m > _SURE_M) & (np.abs(away - buffer_m) < 100 + 0.05 * buffer_m + off_m)
        for row in np.flatnonzero(unsure):
            away[row] = _geodesic_m(float(lat[row]), float(lon[row]), edges[row], chart)
        return away


def _geodesic_m(lat: float, lon: float, edge: Any, chart: int) -> float:
    """The geodesic distance to the line `edge`, slowly: first which pieces of it come near, then those looked at
    closely on the plane that is true to distance from the place itself (azimuthal equidistant)."""
    xy, line = shapely.get_coordinates(shapely.get_parts(edge), return_index=True)
    same = np.flatnonzero(line[1:] == line[:-1])
    start, end = _pieces(xy[same], xy[same + 1], chart, _FAR_PIECE_M)
    _, away = _seen(lat, lon, np.concatenate([start, end]), chart)
    nearer = np.minimum(*away.reshape(2, -1))
    close = nearer < nearer.min() + 2 * _FAR_PIECE_M
    start, end = _pieces(start[close], end[close], chart, _CLOSE_PIECE_M)
    azimuth, away = _seen(lat, lon, np.concatenate([start, end]), chart)
    seen = np.stack([away * np.sin(azimuth), away * np.cos(azimuth)], axis=1).reshape(2, -1, 2)
    return float(shapely.distance(shapely.linestrings(np.stack([seen[0], seen[1]], axis=1)), shapely.Point(0, 0)).min())


def _pieces(start: Column, end: Column, chart: int, piece_m: float) -> tuple[Column, Column]:
    """The segments from `start` to `end` (n, 2) cut to at most `piece_m` on the ground."""
    middle = (start + end) / 2
    lat, _ = plane.unproject(middle[:, 0], middle[:, 1], chart)
    length_m = np.hypot(*(end - start).T) / plane.scale(lat, chart)
    count = np.maximum(np.ceil(length_m / piece_m), 1).astype(np.int64)
    of = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    step = ((end - start) / count[:, None])[of]
    first = start[of] + place[:, None] * step
    return first, first + step


def _seen(lat: float, lon: float, xy: Column, chart: int) -> tuple[Column, Column]:
    """Azimuth and geodesic distance of chart places `xy` from one place."""
    there_lat, there_lon = plane.unproject(xy[:, 0], xy[:, 1], chart)
    return plane.azimuth_distance(np.full(len(xy), lat), np.full(len(xy), lon), there_lat, there_lon)
