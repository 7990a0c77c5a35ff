"""Are phone and person in one place? The phone's position beside that of the tracker which the person wears."""

from datetime import datetime
from typing import Literal

import msgspec
import numpy as np

from fences.datum import to_wgs84
from fences.plane import distance_m
from pipeline.identity.rules import IdentityRules
from schemas.checkin import Place, PositionAnswer

DEFAULT_ACCURACY_M = 100.0


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """together, apart or unknown; how far, what errors and time explain, and why it is unknown."""

    verdict: Literal["together", "apart", "unknown"]
    distance_m: float | None = None
    explained_m: float | None = None
    why: str = ""


def judge(place: Place | None, tracker: PositionAnswer | None, received_at: datetime, rules: IdentityRules) -> Apart:
    """What the two positions say. Whatever could explain the distance is held for the person."""
    if place is None:
        return Apart(verdict="unknown", why="no_position")
    if abs((received_at - place.fix_time).total_seconds()) > rules.apart_old_s:
        return Apart(verdict="unknown", why="old_position")
    if tracker is None or tracker.fix_time is None or tracker.lat is None or tracker.lon is None:
        return Apart(verdict="unknown", why="no_tracker")
    between_s = abs((place.fix_time - tracker.fix_time).total_seconds())
    if between_s > rules.apart_old_s:
        return Apart(verdict="unknown", why="old_tracker")
    lat, lon = to_wgs84(np.array([place.lat]), np.array([place.lon]), place.datum)
    away_m = float(distance_m(lat, lon, np.array([tracker.lat]), np.array([tracker.lon]))[0])
    errors_m = sum(DEFAULT_ACCURACY_M if one.accuracy_m is None else one.accuracy_m for one in (place, tracker))
    explained_m = rules.apart_m + errors_m + rules.apart_mps * between_s
    return Apart(
        verdict="apart" if away_m > explained_m else "together",
        distance_m=round(away_m, 1),
        explained_m=round(explained_m, 1),
    )
