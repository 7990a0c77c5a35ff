"""Where was it, as far as the incident itself says?"""

from typing import Any

import msgspec

from schemas.incident import Incident
from schemas.message import Invalid, convert


class _Place(msgspec.Struct, frozen=True):
    lat: float
    lon: float
    accuracy_m: float | None = None


def places_of(incident: Incident) -> tuple[tuple[float, float, float], ...]:
    """(lat, lon, accuracy_m) of the fixes in the evidence; empty when there are none that can be read."""
    fixes = incident.evidence.get("fixes")
    try:
        places = convert(fixes if isinstance(fixes, list) else [], list[_Place])
    except Invalid:
        return ()
    return tuple((place.lat, place.lon, place.accuracy_m or 0.0) for place in places)


def place_of(incident: Incident) -> tuple[float, float] | None:
    """(lat, lon), degrees WGS 84, from the evidence: its own place, else that of the last fix in it; None: not said."""
    evidence = incident.evidence
    for told in (evidence, evidence.get("place"), evidence.get("at")):
        place = _place(told)
        if place is not None:
            return place
    fixes = places_of(incident)
    return fixes[-1][:2] if fixes else None


def _place(told: Any) -> tuple[float, float] | None:
    try:
        place = convert(told, _Place)
    except Invalid:
        return None
    return (place.lat, place.lon) if abs(place.lat) <= 90 and abs(place.lon) <= 180 else None
