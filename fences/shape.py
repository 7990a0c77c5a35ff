"""What area does a fence cover, ready to be measured against?

`compile_shape` draws a fence's outline on one of the charts of `fences.plane`, in WGS 84 whatever datum it came in.
Edges are straight in the longitude and latitude of the fence's own datum, so they are divided until the chart's
straight line is nowhere a centimetre off. A buffer is not drawn: it is subtracted from the distance, which is exact,
costs nothing and makes a buffered point a circle on the ground at any latitude.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from fences import plane
from fences.datum import to_wgs84
from fences.outline import Kind, Positions, read_outline, turned
from schemas.fix import Datum
from schemas.message import Invalid
from schemas.reference import Fence

TOLERANCE_M = 0.005
"""How far a divided edge may be from the true one."""
_PIECE_DEG = {"wgs84": 1.0, "gcj02": 0.05, "bd09": 0.02}
# Pieces within which an edge is a plain arc: the shifted datums wave with periods of 37 km and (BD-09) 13 km.
_GRID_M = 1e-4  # to which polar drawings are rounded, so that the two sides of a seam meet


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A fence's area: everything within `buffer_m` of `drawn`.

    `drawn`: the shapely geometry on `chart`, metres. `bounds`: degrees WGS 84 (south, west, north, east) with the
    buffer; west or east may lie beyond 180. `x_middle`: a point is compared where the Mercator chart's x is nearest to
    this. `vertices`: how many the drawn geometry has.
    """

    kind: Kind
    drawn: Any
    chart: int
    buffer_m: float
    bounds: tuple[float, float, float, float]
    x_middle: float
    vertices: int

    def centre(self) -> tuple[float, float]:
        """A place (lat, lon) inside what is drawn, degrees WGS 84."""
        inner = shapely.point_on_surface(self.drawn)
        lat, lon = plane.unproject(shapely.get_x(inner), shapely.get_y(inner), self.chart)
        return float(lat), (float(lon) + 180) % 360 - 180


def compile_shape(fence: Fence) -> Shape:
    """The shape of `fence`.

    Raises:
        Invalid: see `fences.outline.read_outline`; or a line or point without `buffer_m`, or a fence that reaches
            beyond 84 degrees on both hemispheres.
    """
    return compile_geometry(fence.geometry, fence.properties.datum, fence.properties.buffer_m)


def compile_geometry(geometry: dict[str, Any], datum: Datum, buffer_m: float = 0.0, field: str = "$.geometry") -> Shape:
    """The shape of a GeoJSON `geometry` in `datum` with a buffer; raises as `compile_shape`."""
    outline = read_outline(geometry, field)
    if outline.kind != "area" and not buffer_m > 0:
        raise Invalid(
            f"a {geometry['type']} has no inside without a buffer: give its reach in metres as buffer_m",
            "$.properties.buffer_m",
        )
    parts = _abreast(outline.parts)
    chart = _chart([ring for part in parts for ring in part], field)
    degrees = [[_divided(ring, datum, chart) for ring in part] for part in parts]
    places = np.concatenate([ring for part in degrees for ring in part])
    bounds = _bounds(places, buffer_m)
    x_middle = float(np.radians((places[:, 1].min() + places[:, 1].max()) / 2) * plane.A_M)
    drawn = _drawn(outline.kind, degrees, chart)
    vertices = int(shapely.get_num_coordinates(drawn))
    return Shape(outline.kind, drawn, chart, float(buffer_m), bounds, x_middle, vertices)


def _abreast(parts: tuple[tuple[Positions, ...], ...]) -> list[tuple[Positions, ...]]:
    """Parts moved by whole turns to stand beside the first, so that those cut at the antimeridian meet there."""
    first, *others = [ring[0][:, 1] for ring in parts]
    if not others:
        return list(parts)
    middle = (first.min() + first.max()) / 2
    turns = [round((middle - (lon.min() + lon.max()) / 2) / 360) for lon in others]
    moved = [tuple(turned(ring, turn) for ring in part) for part, turn in zip(parts[1:], turns, strict=True)]
    return [parts[0], *moved]


def _chart(rings: list[Positions], field: str) -> int:
    north = max(float(ring[:, 0].max()) for ring in rings)
    south = min(float(ring[:, 0].min()) for ring in rings)
    limit = plane.CHART_LIMIT_DEG
    if north > limit and south < -limit:
        raise Invalid(f"a fence cannot reach beyond {limit:g} degrees both north and south", f"{field}.coordinates")
    if north > limit:
        return plane.NORTH
    return plane.SOUTH if south < -limit else plane.MERCATOR


def _divided(ring: Positions, datum: Datum, chart: int) -> Positions:
    """`ring`, in `datum`, as degrees WGS 84 with its edges divided to the tolerance."""
    if len(ring) > 1:
        span = np.abs(ring[1:] - ring[:-1]).max(axis=1)
        widest = float(span.max())
        if widest > _PIECE_DEG[datum]:
            ring = _split(ring, np.ceil(span / _PIECE_DEG[datum]).astype(np.int64))
        if datum != "wgs84" or chart != plane.MERCATOR or _sagitta_m(widest, ring) > TOLERANCE_M:
            off_m = _off_m(ring, datum, chart)
            if off_m.max() > TOLERANCE_M:
                ring = _split(ring, np.ceil(np.sqrt(off_m / TOLERANCE_M)).astype(np.int64))
    lat, lon = _wgs84(ring, datum)
    return np.stack([lat, lon], axis=1)


def _sagitta_m(span_deg: float, ring: Positions) -> float:
    """At most how far the middle of an edge of `span_deg` is beside Mercator's straight line: R span^2 tan(lat) / 8."""
    steepest = math.tan(math.radians(float(np.abs(ring[:, 0]).max())))
    return plane.A_M * math.radians(span_deg) ** 2 * steepest / 8


def _wgs84(places: Positions, datum: Datum) -> tuple[plane.Column, plane.Column]:
    # Unwrapped longitudes beyond 180 are far from where any datum shifts.
    return to_wgs84(places[:, 0], places[:, 1], datum)


def _split(ring: Positions, pieces: NDArray[np.int64]) -> Positions:
    """`ring` with edge i cut into `pieces[i]` equal ones."""
    pieces = np.maximum(pieces, 1)
    edge = np.repeat(np.arange(len(pieces)), pieces)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[edge]
    step = np.diff(ring, axis=0)
    return np.concatenate([ring[edge] + share[:, None] * step[edge], ring[-1:]])


def _off_m(ring: Positions, datum: Datum, chart: int) -> plane.Column:
    """How far the middle of each edge is beside the chart's straight line, metres on the ground."""
    x, y = plane.project(*_wgs84(ring, datum), chart)
    lat, lon = _wgs84((ring[1:] + ring[:-1]) / 2, datum)
    mid_x, mid_y = plane.project(lat, lon, chart)
    along_x, along_y = np.diff(x), np.diff(y)
    cross = (mid_x - x[:-1]) * along_y - (mid_y - y[:-1]) * along_x
    length = np.maximum(np.hypot(along_x, along_y), 1e-9)
    return np.asarray(np.abs(cross) / length / plane.scale(lat, chart))


def _drawn(kind: Kind, degrees: list[list[Positions]], chart: int) -> Any:
    if kind != "area":
        places = degrees[0][0]
        xy = np.stack(plane.project(places[:, 0], places[:, 1], chart), axis=1)
        return shapely.Point(xy[0]) if kind == "point" else shapely.LineString(xy)
    lon = np.concatenate([part[0][:, 1] for part in degrees])
    if chart == plane.MERCATOR and lon.max() - lon.min() >= 360:
        # All the way round: the seam is no boundary, so the neighbouring turns are drawn as well.
        degrees = [[turned(ring, turns) for ring in part] for turns in (0, -1, 1) for part in degrees]
    polygons = []
    for part in degrees:
        rings = [np.stack(plane.project(ring[:, 0], ring[:, 1], chart), axis=1) for ring in part]
        polygons.append(shapely.Polygon(rings[0], rings[1:]))
    if chart != plane.MERCATOR:
        # A cap's rectangle in degrees runs to the pole and back along the seam: that spike goes, the cap stays.
        whole = [shapely.make_valid(polygon, method="structure", keep_collapsed=False) for polygon in polygons]
        return shapely.unary_union(whole, grid_size=_GRID_M)
    return polygons[0] if len(polygons) == 1 else shapely.unary_union(polygons)


def _bounds(places: Positions, buffer_m: float) -> tuple[float, float, float, float]:
    """(south, west, north, east) of everything within `buffer_m` of `places`, degrees, a little too wide."""
    south, west = (float(least) for least in places.min(axis=0))
    north, east = (float(most) for most in places.max(axis=0))
    reach_lat, reach_lon = plane.reach_deg(max(abs(south), abs(north)), buffer_m + 2 * TOLERANCE_M)
    south, north = max(-90.0, south - float(reach_lat)), min(90.0, north + float(reach_lat))
    west, east = west - float(reach_lon), east + float(reach_lon)
    return (south, -180.0, north, 180.0) if east - west >= 360 else (south, west, north, east)
