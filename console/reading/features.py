"""How are fences shown? As GeoJSON in WGS 84, whatever datum they are stored in, with whether their duty holds now."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np

from fences.datum import to_wgs84
from fences.schedule import compile_schedule
from schemas.message import Invalid, to_builtins
from schemas.reference import Fence, FenceProperties
from schemas.times import Instant, from_epoch


def collection(fences: Iterable[Fence], now: datetime) -> dict[str, Any]:
    """A FeatureCollection."""
    return {"type": "FeatureCollection", "features": [feature(one, now) for one in fences]}


def feature(fence: Fence, now: datetime) -> dict[str, Any]:
    """The fence, in WGS 84; `properties.stored`: its geometry as stored, when its datum is another."""
    properties = to_builtins(fence.properties) | {"duty_now": duty_now(fence.properties, now)}
    geometry = fence.geometry
    if fence.properties.datum != "wgs84":
        properties["stored"] = geometry
        geometry = {**geometry, "coordinates": _wgs84(geometry["coordinates"], fence.properties.datum)}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _wgs84(coordinates: Any, datum: Any) -> Any:
    if coordinates and isinstance(coordinates[0], int | float):
        lat, lon = to_wgs84(np.array([coordinates[1]]), np.array([coordinates[0]]), datum)
        return [float(lon[0]), float(lat[0]), *coordinates[2:]]
    if coordinates and coordinates[0] and isinstance(coordinates[0][0], int | float):
        lat, lon = to_wgs84(np.array([one[1] for one in coordinates]), np.array([one[0] for one in coordinates]), datum)
        return [[east, north] for north, east in zip(lat.tolist(), lon.tolist(), strict=True)]
    return [_wgs84(one, datum) for one in coordinates]


def duty_now(properties: FenceProperties, now: datetime) -> bool:
    """Whether the fence's hours hold; leave is not considered."""
    if properties.effective_from is not None and now < properties.effective_from:
        return False
    if properties.schedule is None:
        return True
    try:
        return compile_schedule(properties.schedule).active(now.timestamp())
    except Invalid:  # the worker says on fences.rejected what is wrong with it
        return True


def changes_at(properties: FenceProperties, now: datetime) -> Instant | None:
    """When the hours next begin or end."""
    if properties.effective_from is not None and now < properties.effective_from:
        return properties.effective_from  # type: ignore[return-value]  # messages hold instants
    if properties.schedule is None:
        return None
    try:
        edge = compile_schedule(properties.schedule).next_edge(now.timestamp())
    except Invalid:
        return None
    return None if edge is None else from_epoch(edge.at_s)
