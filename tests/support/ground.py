"""Where is a place against a fence, told the slow way: by geodesics to a densely divided boundary, and by counting
crossings on the meridian to the south pole. Shares nothing with `fences` but the earth's measures."""

from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from schemas.message import convert
from schemas.reference import Fence

GEOD = pyproj.Geod(ellps="WGS84")
Ring = list[list[float]]


def fence(geometry: dict[str, Any], fence_id: str = "f", **properties: Any) -> Fence:
    """A fence around `geometry`; stay_in and WGS 84 unless said otherwise."""
    told = {"fence_id": fence_id, "rule": "stay_in", "datum": "wgs84", **properties}
    return convert({"type": "Feature", "geometry": geometry, "properties": told}, Fence)


def polygon(*rings: Any) -> dict[str, Any]:
    """A GeoJSON Polygon from rings of (lon, lat), closed here if they are not."""
    lists = [[[float(lon), float(lat)] for lon, lat in ring] for ring in rings]
    return {"type": "Polygon", "coordinates": [ring if ring[0] == ring[-1] else [*ring, ring[0]] for ring in lists]}


def point(lon: float, lat: float) -> dict[str, Any]:
    """A GeoJSON Point."""
    return {"type": "Point", "coordinates": [lon, lat]}


def line(*places: tuple[float, float]) -> dict[str, Any]:
    """A GeoJSON LineString from (lon, lat)."""
    return {"type": "LineString", "coordinates": [[float(lon), float(lat)] for lon, lat in places]}


def moved(lat: float, lon: float, azimuth_deg: float, way_m: float) -> tuple[float, float]:
    """The place (lat, lon) that lies `way_m` along the geodesic."""
    there_lon, there_lat, _ = GEOD.fwd(lon, lat, azimuth_deg, way_m)
    return float(there_lat), float(there_lon)


def blob(
    rng: np.random.Generator, lat: float, lon: float, radius_m: float, *, corners: int = 8, rough: float = 0.4
) -> Ring:
    """A ring of (lon, lat) around a place, star-shaped and so never self-crossing, by geodesics."""
    turn = (np.arange(corners) + 0.8 * rng.random(corners)) / corners * 360
    reach = radius_m * (1 - rough * rng.random(corners))
    there_lon, there_lat, _ = GEOD.fwd(np.full(corners, lon), np.full(corners, lat), turn, reach)
    ring = [[float(east), float(north)] for east, north in zip(there_lon, there_lat, strict=True)]
    return [*ring, ring[0]]


def edges(coordinates: Any) -> NDArray[np.float64]:
    """All edges of nested rings or lines as rows (lon0, lat0, lon1, lat1); the short way over the antimeridian."""
    if isinstance(coordinates[0][0], int | float):
        places = np.array(coordinates, float)
        found = np.hstack([places[:-1], places[1:]])
        step = found[:, 2] - found[:, 0]
        seam = (np.abs(found[:, 0]) == 180) & (np.abs(found[:, 2]) == 180)
        found[:, 2] -= np.where((np.abs(step) > 180) & ~seam, 360 * np.sign(step), 0)
        return found
    return np.concatenate([edges(part) for part in coordinates])


def unsigned_m(lat: float, lon: float, boundary: NDArray[np.float64]) -> float:
    """The geodesic distance to the nearest of `boundary`'s edges, each straight in longitude and latitude."""
    low, high = np.zeros(len(boundary)), np.ones(len(boundary))
    best = np.inf
    for _ in range(7):  # ever closer to the nearest place of every edge
        share = np.linspace(low, high, 41)
        east = boundary[:, 0] + share * (boundary[:, 2] - boundary[:, 0])
        north = boundary[:, 1] + share * (boundary[:, 3] - boundary[:, 1])
        away = GEOD.inv(np.full(east.shape, lon), np.full(east.shape, lat), east, north)[2]
        nearest = away.argmin(axis=0)
        at = np.take_along_axis(share, nearest[None], axis=0)[0]
        step = (high - low) / 40
        low, high = np.maximum(at - step, 0), np.minimum(at + step, 1)
        best = min(best, float(away.min()))
    return best


def inside(lat: float, lon: float, boundary: NDArray[np.float64], south_pole: bool = False) -> bool:
    """Whether a place is inside, by the number of edges that its meridian crosses on the way to the south pole."""
    west = (boundary[:, 0] - lon + 180) % 360 - 180
    east = west + (boundary[:, 2] - boundary[:, 0])
    crossed = 0
    for turn in (-360.0, 0.0, 360.0):
        a, b = west + turn, east + turn
        over = (a <= 0) != (b <= 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            height = boundary[:, 1] + (0 - a) / (b - a) * (boundary[:, 3] - boundary[:, 1])
        crossed += int((over & (height < lat)).sum())
    return south_pole != bool(crossed % 2)


def signed_m(lat: float, lon: float, geometry: dict[str, Any], buffer_m: float = 0.0) -> float:
    """The signed distance to a fence's boundary, metres."""
    if geometry["type"] == "Point":
        east, north = geometry["coordinates"]
        return float(GEOD.inv(lon, lat, east, north)[2]) - buffer_m
    boundary = edges(geometry["coordinates"])
    away = unsigned_m(lat, lon, boundary)
    within = geometry["type"] != "LineString" and inside(lat, lon, boundary)
    return (-away if within else away) - buffer_m
