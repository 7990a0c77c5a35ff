"""What is there to draw of an incident? Fence, track, accuracy circles, crossing, and the course of the evidence.

In metres east and north of a middle, so that the command line's picture and the desk's map draw the same thing.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from fences import plane
from fences.shape import compile_shape
from pipeline.explain.grounds import Ground, grounds
from pipeline.explain.words import number
from pipeline.whereabouts import place_of
from schemas.fix import Fix
from schemas.incident import Incident
from schemas.reference import Fence

Column = NDArray[np.float64]

WITHIN_S = 1800.0
"""Of a longer track, what lies within this time of the incident is drawn."""

MOST_POINTS = 2000


class Ring(msgspec.Struct, frozen=True):
    """A closed line of a fence. `hole`: what is inside it is outside the fence."""

    east_m: list[float]
    north_m: list[float]
    hole: bool = False


class Point(msgspec.Struct, frozen=True):
    """A position. `ground`: the judgement rests on it; `thrown`: it was looked at and not believed."""

    at: datetime
    east_m: float
    north_m: float
    accuracy_m: float | None = None
    distance_m: float | None = None
    p_outside: float | None = None
    ground: bool = False
    thrown: bool = False


class Drawing(msgspec.Struct, frozen=True):
    """All of it, in metres from (`lat`, `lon`). `crossing`: where the boundary was passed, if the incident says so."""

    lat: float
    lon: float
    rings: list[Ring]
    points: list[Point]
    crossing: tuple[float, float] | None
    occurred_at: datetime
    detected_at: datetime
    keep_out: bool


class _Paper:
    """Degrees to metres east and north of a middle, on the conformal chart that suits its latitude."""

    def __init__(self, lat: float, lon: float) -> None:
        self._chart = plane.MERCATOR if abs(lat) < plane.CHART_LIMIT_DEG else plane.NORTH if lat > 0 else plane.SOUTH
        self._lon = lon
        self._x, self._y = (float(part) for part in plane.project(lat, lon, self._chart))
        self._scale = float(plane.scale(lat, self._chart))

    def place(self, lat: ArrayLike, lon: ArrayLike) -> tuple[Column, Column]:
        lon = self._lon + (np.asarray(lon, np.float64) - self._lon + 180) % 360 - 180
        x, y = plane.project(lat, lon, self._chart)
        return (x - self._x) / self._scale, (y - self._y) / self._scale


def outline(fence: Fence) -> list[tuple[Column, Column, bool]]:
    """The rings of a fence, its buffer included: latitudes, longitudes (degrees), whether it is a hole.

    Good for looking at: the buffer is drawn with the scale at the fence's middle.
    """
    shape = compile_shape(fence)
    drawn = shape.drawn
    if shape.buffer_m:
        drawn = shapely.buffer(drawn, shape.buffer_m * float(plane.scale(shape.centre()[0], shape.chart)), quad_segs=24)
    rings = []
    for part in shapely.get_parts(drawn).tolist():
        for place, ring in enumerate([part.exterior, *part.interiors]):
            x, y = shapely.get_coordinates(ring).T
            lat, lon = plane.unproject(x, y, shape.chart)
            rings.append((lat, lon, place > 0))
    return rings


def drawing(incident: Incident, fence: Fence | None = None, track: Sequence[Fix] = ()) -> Drawing | None:
    """What there is to draw of `incident`; None when it names no place and none is given.

    `fence`: the version it was judged by. `track`: the device's fixes, WGS 84; those near in time are drawn.
    """
    rests_on = grounds(incident)
    crossing = _crossing(incident)
    near = [fix for fix in track if abs((fix.fix_time - incident.occurred_at).total_seconds()) <= WITHIN_S]
    near = near[:: max(len(near) // MOST_POINTS, 1)]
    middle = crossing or place_of(incident) or ((near[0].lat, near[0].lon) if near else None)
    if middle is None:
        return None
    paper = _Paper(*middle)
    rings = []
    for lat, lon, hole in outline(fence) if fence is not None else ():
        east, north = paper.place(lat, lon)
        rings.append(Ring(east.tolist(), north.tolist(), hole))
    return Drawing(
        lat=middle[0],
        lon=middle[1],
        rings=rings,
        points=_points(paper, rests_on, near),
        crossing=None if crossing is None else tuple(float(v) for v in paper.place(*crossing)),  # type: ignore[arg-type]
        occurred_at=incident.occurred_at,
        detected_at=incident.detected_at,
        keep_out=incident.evidence.get("rule") == "keep_out",
    )


def _crossing(incident: Incident) -> tuple[float, float] | None:
    told = incident.evidence.get("crossing")
    if not isinstance(told, dict):
        return None
    lat, lon = number(told, "lat"), number(told, "lon")
    return None if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180 else (lat, lon)


def _points(paper: _Paper, rests_on: Sequence[Ground], near: Sequence[Fix]) -> list[Point]:
    used = {ground.fix_time for ground in rests_on}
    points = []
    for fix in near:
        if fix.fix_time not in used:
            east, north = paper.place(fix.lat, fix.lon)
            points.append(Point(fix.fix_time, float(east), float(north), fix.accuracy_m))
    for ground in rests_on:
        east, north = paper.place(ground.lat, ground.lon)
        points.append(
            Point(
                ground.fix_time,
                float(east),
                float(north),
                ground.accuracy_m,
                ground.distance_m,
                ground.p_outside,
                ground=not ground.thrown,
                thrown=ground.thrown,
            )
        )
    return sorted(points, key=lambda point: point.at)
