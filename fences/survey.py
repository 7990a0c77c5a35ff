"""What areas do many fences cover? `fences.shape.compile_shape` for a whole file at once, twenty times as quick.

Nearly all fences are a small polygon without holes, or a point, in WGS 84: these are checked and drawn as columns. All
others, and all that something seems wrong with, go through `compile_shape` one by one and get its answer or refusal.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from fences import plane
from fences.shape import TOLERANCE_M, Shape, compile_shape
from schemas.message import Invalid
from schemas.reference import Fence

_RINGS = list[list[tuple[float, float]]]
_PLACE = tuple[float, float]
_STRAIGHT_DEG = 1.0  # longer edges are divided


def compile_shapes(fences: Sequence[Fence]) -> list[Shape | Invalid]:
    """The shape of each of `fences`, or why it has none; as `compile_shape` would say one by one."""
    shapes: dict[int, Shape] = {}
    rings: dict[int, list[tuple[float, float]]] = {}
    places: dict[int, tuple[float, float]] = {}
    for number, fence in enumerate(fences):
        kind = fence.geometry.get("type")
        if fence.properties.datum != "wgs84" or kind not in ("Polygon", "Point"):
            continue
        try:
            if kind == "Point":
                places[number] = msgspec.convert(fence.geometry.get("coordinates"), _PLACE)
            else:
                (ring,) = msgspec.convert(fence.geometry.get("coordinates"), _RINGS)
                if len(ring) >= 4:
                    rings[number] = ring
        except (msgspec.ValidationError, ValueError):
            continue  # altitudes, holes or faults
    buffer_m = np.array([fence.properties.buffer_m for fence in fences], np.float64)
    if rings:
        shapes |= _areas(np.fromiter(rings, np.int64), list(rings.values()), buffer_m)
    if places:
        shapes |= _points(np.fromiter(places, np.int64), np.array(list(places.values())), buffer_m)
    return [shapes.get(number) or _alone(fence) for number, fence in enumerate(fences)]


def _alone(fence: Fence) -> Shape | Invalid:
    try:
        return compile_shape(fence)
    except Invalid as invalid:
        return invalid


def _areas(numbers: NDArray[np.int64], rings: list[list[tuple[float, float]]], buffer_m: Any) -> dict[int, Shape]:
    """The shapes of those rings that need no division, no turn and no chart but Mercator."""
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    flat = np.fromiter(chain.from_iterable(chain.from_iterable(rings)), np.float64, 2 * int(lengths.sum()))
    lon, lat = flat[0::2].copy(), flat[1::2].copy()
    first = np.cumsum(lengths) - lengths
    last = first + lengths - 1
    with np.errstate(invalid="ignore"):
        step = np.maximum(np.abs(np.diff(lon, append=lon[-1])), np.abs(np.diff(lat, append=lat[-1])))
        step[last] = 0.0
        apart = step > 0
        apart[last] = True
        known = (np.abs(lat) <= plane.CHART_LIMIT_DEG) & (np.abs(lon) <= 180)
        span = np.maximum.reduceat(step, first)
        north = np.maximum.reduceat(np.abs(lat), first)
        sagitta_m = plane.A_M * np.radians(span) ** 2 * np.tan(np.radians(np.minimum(north, 89.0))) / 8
        good = np.logical_and.reduceat(known & apart, first) & (lon[first] == lon[last]) & (lat[first] == lat[last])
        good &= (span <= _STRAIGHT_DEG) & (sagitta_m <= TOLERANCE_M)
    of = np.repeat(np.arange(len(rings)), lengths)
    keep = good[of]
    chosen = np.flatnonzero(good)
    if not chosen.size:
        return {}
    lat, lon, lengths = lat[keep], lon[keep], lengths[chosen]
    of, first = np.repeat(np.arange(len(chosen)), lengths), np.cumsum(lengths) - lengths
    flat_drawn = _polygons(lon, lat, of)
    sound = np.asarray(shapely.is_valid(flat_drawn)) & (np.asarray(shapely.area(flat_drawn)) > 0)
    x, y = plane.project(lat, lon, plane.MERCATOR)
    drawn = _polygons(x, y, of)
    sides = [np.minimum.reduceat(lat, first), np.minimum.reduceat(lon, first)]
    sides += [np.maximum.reduceat(lat, first), np.maximum.reduceat(lon, first)]
    middle = np.radians((sides[1] + sides[3]) / 2) * plane.A_M
    numbers = numbers[chosen]
    bounds = _bounds(sides, buffer_m[numbers])
    rows = zip(numbers.tolist(), drawn, sound.tolist(), bounds, middle.tolist(), lengths.tolist(), strict=True)
    return {
        number: Shape("area", polygon, plane.MERCATOR, float(buffer_m[number]), box, x_middle, vertices)
        for number, polygon, whole, box, x_middle, vertices in rows
        if whole
    }


def _polygons(x: NDArray[np.float64], y: NDArray[np.float64], ring: NDArray[np.intp]) -> Any:
    return shapely.polygons(shapely.linearrings(np.stack([x, y], axis=1), indices=ring))


def _points(numbers: NDArray[np.int64], places: NDArray[np.float64], buffer_m: Any) -> dict[int, Shape]:
    lon, lat = places[:, 0].copy(), places[:, 1].copy()
    with np.errstate(invalid="ignore"):
        good = (np.abs(lat) <= plane.CHART_LIMIT_DEG) & (np.abs(lon) <= 180) & (buffer_m[numbers] > 0)
    lat, lon, numbers = lat[good], lon[good], numbers[good]
    drawn = np.asarray(shapely.points(*plane.project(lat, lon, plane.MERCATOR)))
    bounds = _bounds([lat, lon, lat, lon], buffer_m[numbers])
    middle = np.radians(lon) * plane.A_M
    return {
        number: Shape("point", place, plane.MERCATOR, float(buffer_m[number]), box, x_middle, 1)
        for number, place, box, x_middle in zip(numbers.tolist(), drawn, bounds, middle.tolist(), strict=True)
    }


def _bounds(sides: list[NDArray[np.float64]], buffer_m: NDArray[np.float64]) -> list[tuple[float, float, float, float]]:
    """As `fences.shape` has them, for columns of (south, west, north, east)."""
    south, west, north, east = sides
    reach_lat, reach_lon = plane.reach_deg(np.maximum(np.abs(south), np.abs(north)), buffer_m + 2 * TOLERANCE_M)
    south, north = np.maximum(south - reach_lat, -90.0), np.minimum(north + reach_lat, 90.0)
    west, east = west - reach_lon, east + reach_lon
    whole = east - west >= 360
    west, east = np.where(whole, -180.0, west), np.where(whole, 180.0, east)
    return list(zip(south.tolist(), west.tolist(), north.tolist(), east.tolist(), strict=True))
