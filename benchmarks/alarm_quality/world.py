"""A life and a receiver's reports as the product reads them: fences as GeoJSON, fixes as JSON lines; and the truth."""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from benchmarks.alarm_quality.people import Life, Track, Zone
from benchmarks.alarm_quality.receivers import Reports
from schemas.times import from_epoch

LAT, LON = 30.2741, 120.1551
NORTH_M, EAST_M = 110_861.0, 96_226.0
"""Metres per degree there, on the WGS 84 ellipsoid."""


@dataclass(frozen=True)
class Episode:
    """A true breach: from when to when (seconds since 1970), and how deep (m)."""

    fence_id: str
    start_s: float
    end_s: float
    deepest_m: float


def degrees(places: Track) -> Track:
    """(lat, lon) of places in metres."""
    return np.stack([LAT + places[:, 1] / NORTH_M, LON + places[:, 0] / EAST_M], axis=1)


def feature(life: Life, zone: Zone) -> dict[str, Any]:
    """The zone as a fence."""
    positions = [[round(lon, 8), round(lat, 8)] for lat, lon in degrees(zone.shape).tolist()]
    line = zone.buffer_m > 0
    return {
        "type": "Feature",
        "geometry": {
            "type": "LineString" if line else "Polygon",
            "coordinates": positions if line else [[*positions[:-1], positions[0]]],
        },
        "properties": {
            "fence_id": f"{life.name}-{zone.name}",
            "rule": "keep_out" if zone.keep_out else "stay_in",
            "datum": "wgs84",
            "subjects": [life.name],
            **({"buffer_m": zone.buffer_m} if line else {}),
        },
    }


def lines(life: Life, reports: Reports, *, received: bool) -> list[bytes]:
    """The reports as values of the topic `fixes`, in the order of their arrival."""
    there = degrees(np.stack([reports.x, reports.y], axis=1))
    found = []
    for n in range(len(reports.t)):
        fix: dict[str, Any] = {
            "device_id": life.name,
            "fix_time": str(from_epoch(float(reports.t[n]))),
            "lat": round(float(there[n, 0]), 7),
            "lon": round(float(there[n, 1]), 7),
            "accuracy_m": round(float(reports.accuracy_m[n]), 1),
        }
        if received:
            fix["received_at"] = str(from_epoch(float(reports.arrived[n])))
        found.append(json.dumps(fix, separators=(",", ":")).encode())
    return found


def depths(zone: Zone, places: Track) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How deep places are on the forbidden side, metres."""
    shape = shapely.LineString(zone.shape).buffer(zone.buffer_m, 64) if zone.buffer_m else shapely.Polygon(zone.shape)
    shapely.prepare(shape)
    edge = shape.boundary
    shapely.prepare(edge)
    points = shapely.points(places)
    away = shapely.distance(edge, points)
    inside = shapely.contains_xy(shape, places[:, 0], places[:, 1])
    return np.where(inside == zone.keep_out, away, -away)


def episodes(life: Life, zone: Zone) -> list[Episode]:
    """The true breaches of a zone."""
    moved = np.append(True, (np.diff(life.places, axis=0) != 0).any(axis=1))  # most of a life is rest
    depth = depths(zone, life.places[moved])[np.cumsum(moved) - 1]
    out = np.flatnonzero(np.diff(np.concatenate([[False], depth > 0, [False]]).astype(np.int8)))
    found = []
    for start, end in out.reshape(-1, 2).tolist():
        at = float(start)
        if start > 0:
            at = start - 1 + math.fabs(depth[start - 1]) / (math.fabs(depth[start - 1]) + depth[start])
        found.append(
            Episode(
                f"{life.name}-{zone.name}", life.start_s + at, life.start_s + end - 1, float(depth[start:end].max())
            )
        )
    return found
