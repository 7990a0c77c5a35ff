"""What does the GeoJSON of a fence say, and is it a shape at all?

Reads a geometry into rings and lines of degrees, unwrapped, so that what crosses the antimeridian goes on beyond 180
instead of jumping. Refuses, with the field and the place, what has no inside: nothing is mended in silence, because a
mended fence is not the one that was ordered. (Harmless forms are taken as they are: either direction of a ring,
repeated positions, altitudes, parts of a MultiPolygon that touch or overlap.)

An edge is straight in longitude and latitude (RFC 7946, 3.1.1). One that spans more than half the globe is read as
crossing the antimeridian, except from -180 to 180, which goes all the way round.
"""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from schemas.message import Invalid

Positions = NDArray[np.float64]
"""Degrees, n rows of (lat, lon)."""

Kind = Literal["area", "line", "point"]
_POSITION = list[float]
_FORMS: dict[str, tuple[Kind, Any]] = {
    "Polygon": ("area", list[list[_POSITION]]),
    "MultiPolygon": ("area", list[list[list[_POSITION]]]),
    "LineString": ("line", list[_POSITION]),
    "Point": ("point", _POSITION),
}


@dataclass(frozen=True, slots=True)
class Outline:
    """A fence's form in degrees of its own datum. `parts`: areas as (shell, hole, ...), each ring closed; a line or
    point as one part with one list of positions."""

    kind: Kind
    parts: tuple[tuple[Positions, ...], ...]


def read_outline(geometry: dict[str, Any], field: str = "$.geometry") -> Outline:
    """The outline that a GeoJSON `geometry` draws.

    Raises:
        Invalid: no such type of geometry, no or wrong coordinates, a ring that is open, too short, without area or
            self-crossing, a hole outside. `field` leads to the place (``$.geometry.coordinates[0][3][1]``).
    """
    name = geometry.get("type")
    if not isinstance(name, str) or name not in _FORMS:
        hint = "; make each part a fence" if name in ("GeometryCollection", "MultiPoint", "MultiLineString") else ""
        raise Invalid(f"a fence is a {', '.join(_FORMS)}, not {name!r}{hint}", f"{field}.type")
    if geometry.get("coordinates") is None:
        raise Invalid("no coordinates", f"{field}.coordinates")
    kind, form = _FORMS[name]
    field += ".coordinates"
    try:
        given = msgspec.convert(geometry["coordinates"], form)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise Invalid(reason, field + path.rstrip("`")) from error
    if not given:
        raise Invalid("no coordinates: the fence is empty", field)
    if kind == "point":
        return Outline(kind, ((_positions([given], [field]),),))
    if kind == "line":
        return Outline(kind, ((_line(given, field),),))
    polygons = [(given, field)] if name == "Polygon" else [(part, f"{field}[{n}]") for n, part in enumerate(given)]
    return Outline(kind, tuple(_polygon(rings, at) for rings, at in polygons))


def _positions(given: list[list[float]], fields: list[str] | str) -> Positions:
    """Checked positions as rows of (lat, lon); `fields` names each, or the list that they stand in."""

    def at(n: int) -> str:
        return f"{fields}[{n}]" if isinstance(fields, str) else fields[n]

    try:
        rows = np.array(given, np.float64)
        short = rows.ndim != 2 or rows.shape[1] < 2
    except ValueError:  # positions of different length: some with altitude
        short = True
    if short:
        for n, position in enumerate(given):
            if len(position) < 2:
                raise Invalid(f"a position is [longitude, latitude], not {position}", at(n))
        rows = np.array([position[:2] for position in given], np.float64)
    lon, lat = rows[:, 0], rows[:, 1]
    bad = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    if bad.any():
        n = int(np.argmax(bad))
        raise Invalid(_out_of_range(float(lon[n]), float(lat[n])), f"{at(n)}[{int(abs(lon[n]) <= 180)}]")
    return np.stack([lat, lon], axis=1)


def _out_of_range(lon: float, lat: float) -> str:
    if not (np.isfinite(lon) and np.isfinite(lat)):
        return f"[{lon}, {lat}] is not a place"
    if abs(lat) > 90:
        swapped = f"; are they swapped? GeoJSON writes [{lat}, {lon}]" if abs(lon) <= 90 else ""
        return f"latitude {lat} is outside -90 to 90{swapped}"
    round_lon = (lon + 180) % 360 - 180
    return f"longitude {lon} is outside -180 to 180; write {round_lon:g}, also across the antimeridian"


def turned(ring: Positions, turns: float) -> Positions:
    """`ring` moved east by whole `turns` around the earth."""
    return np.stack([ring[:, 0], ring[:, 1] + 360.0 * turns], axis=1)


def _unwrapped(ring: Positions) -> Positions:
    """`ring` with longitudes that go on instead of jumping."""
    lon = ring[:, 1]
    step = lon[1:] - lon[:-1]
    if np.abs(step).max(initial=0) <= 180:
        return ring
    all_round = (np.abs(lon[1:]) == 180) & (np.abs(lon[:-1]) == 180)
    turns = np.where((np.abs(step) > 180) & ~all_round, -np.sign(step), 0.0)
    return np.stack([ring[:, 0], lon + 360 * np.concatenate([[0.0], np.cumsum(turns)])], axis=1)


def _line(given: list[list[float]], field: str) -> Positions:
    line = _unwrapped(_positions(given, field))
    if len(np.unique(line, axis=0)) < 2:
        raise Invalid("a line needs two different positions; for a single place draw a Point", field)
    return line


def _ring(given: list[list[float]], field: str) -> Positions:
    """A closed ring, unwrapped. One that goes round a pole is led to the pole and back, so that it closes."""
    if len(given) < 4:
        raise Invalid(f"a ring needs at least 4 positions (the last equal to the first), not {len(given)}", field)
    ring = _positions(given, field)
    first, last = ring[0], ring[-1]
    if first[0] != last[0] or (first[1] != last[1] and not (abs(first[1]) == 180 and abs(last[1]) == 180)):
        raise Invalid(
            f"the ring is not closed: repeat the first position {given[0][:2]} at its end", f"{field}[{len(given) - 1}]"
        )
    ring = _unwrapped(ring)
    moved = (ring[1:] != ring[:-1]).any(axis=1)
    if not moved.all():
        ring = ring[np.concatenate([[True], moved])]
        if len(ring) < 4:
            raise Invalid("the ring has fewer than 3 different positions and so no inside", field)
    start, end = ring[0, 1], ring[-1, 1]
    if start != end:
        if ring[:, 0].min() < 0 < ring[:, 0].max():
            raise Invalid("the ring goes round the earth on both sides of the equator; which pole is inside?", field)
        pole = 90.0 if ring[:, 0].max() > 0 else -90.0
        ring = np.concatenate([ring, [[pole, end], [pole, start], ring[0]]])
    return ring


def _polygon(given: list[list[list[float]]], field: str) -> tuple[Positions, ...]:
    if not given:
        raise Invalid("no rings: the fence is empty", field)
    rings = [_ring(ring, f"{field}[{n}]") for n, ring in enumerate(given)]
    shell = rings[0]
    west, east = shell[:, 1].min(), shell[:, 1].max()
    for n in range(1, len(rings)):
        middle = (rings[n][:, 1].min() + rings[n][:, 1].max()) / 2
        rings[n] = turned(rings[n], round(((west + east) / 2 - middle) / 360))
    _check(rings, field)
    return tuple(rings)


def _flat(rings: list[Positions]) -> Any:
    return shapely.Polygon(rings[0][:, ::-1], [hole[:, ::-1] for hole in rings[1:]])


def _check(rings: list[Positions], field: str) -> None:
    """Refuses what is no polygon, ring by ring and then as a whole."""
    whole = _flat(rings)
    if shapely.is_valid(whole) and shapely.area(whole) > 0:
        return
    for n, ring in enumerate(rings):
        alone = _flat([ring])
        if shapely.area(shapely.convex_hull(alone)) == 0:
            raise Invalid("the ring runs back upon itself and has no inside", f"{field}[{n}]")
        if not shapely.is_valid(alone):
            raise Invalid(f"the ring crosses or touches itself at {_place(alone)}; draw it without", f"{field}[{n}]")
    reason = str(shapely.is_valid_reason(whole)).partition("[")[0].lower()
    hole = 1
    for n in range(1, len(rings)):
        if not shapely.covers(_flat(rings[:1]), _flat([rings[n]])):
            hole, reason = n, "a hole is outside the outer ring or crosses it"
            break
        if not shapely.is_valid(_flat([rings[0], *rings[1 : n + 1]])):
            hole, reason = n, "the hole crosses, touches or lies in another"
            break
    raise Invalid(f"{reason}, at {_place(whole)}", f"{field}[{hole}]")


def _place(polygon: Any) -> str:
    """Where GEOS sees the fault, as people say it: latitude first."""
    lon, lat = (float(part) for part in shapely.is_valid_reason(polygon).rpartition("[")[2].rstrip("]").split())
    return f"latitude {lat:.6f}, longitude {(lon + 180) % 360 - 180:.6f}"
