"""What do the fixes behind an incident come to? How many, over how long, how far out, how accurate."""

from datetime import datetime

import msgspec

from pipeline.explain.words import Language, distance, duration, number
from schemas.incident import Incident
from schemas.message import Invalid, Moment, convert


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """A fix that a judgement rests on. `distance_m`: to the boundary, negative inside; `p_outside`: how sure then.

    `thrown`: held for thrown off by its receiver, whatever it claims, and not believed.
    """

    fix_time: Moment
    lat: float
    lon: float
    accuracy_m: float | None = None
    distance_m: float | None = None
    p_outside: float | None = None
    thrown: bool = False


def grounds(incident: Incident) -> list[Ground]:
    """The fixes in the evidence, in the order they were taken; those that cannot be read are left out."""
    told = incident.evidence.get("fixes")
    found = []
    for one in told if isinstance(told, list) else []:
        try:
            found.append(convert(one, Ground))
        except Invalid:
            continue
    return sorted(found, key=_taken)


def _taken(ground: Ground) -> datetime:
    return ground.fix_time


def farthest(incident: Incident, fixes: list[Ground]) -> float | None:
    """The distance to name: the one that the evidence names, else the largest of its fixes on the side that matters."""
    told = number(incident.evidence, "distance_m", "max_distance_m")
    if told is not None:
        return told
    measured = [fix.distance_m for fix in fixes if fix.distance_m is not None]
    if not measured:
        return None
    return min(measured) if incident.evidence.get("rule") == "keep_out" else max(measured)


def telling(incident: Incident) -> list[Ground]:
    """Of the fixes that are believed, those on the side that the incident speaks of; all of them if none are."""
    believed = [fix for fix in grounds(incident) if not fix.thrown]
    out = (incident.type == "breach.opened") == (incident.evidence.get("rule") != "keep_out")
    there = [fix for fix in believed if fix.distance_m is not None and (fix.distance_m > 0) == out]
    return there if incident.type in ("breach.opened", "breach.closed") and there else believed


def because(incident: Incident, language: Language) -> str:
    """On what it rests: 3 positions over 30 s, accurate to 8 m. Empty where the evidence does not say."""
    fixes = telling(incident)
    if not fixes:
        return ""
    thrown = sum(fix.thrown for fix in grounds(incident))
    span_s = (fixes[-1].fix_time - fixes[0].fix_time).total_seconds()
    claimed = [fix.accuracy_m for fix in fixes if fix.accuracy_m is not None]
    if language == "zh-CN":
        text = f"依据 {len(fixes)} 个定位点" + (f"，历时 {duration(span_s, language)}" if len(fixes) > 1 else "")
        text += f"，标称精度 {distance(max(claimed), language)}" if claimed else ""
        text += f"，另有 {thrown} 个漂移点未采信" if thrown else ""
        return text
    text = "1 position" if len(fixes) == 1 else f"{len(fixes)} positions over {duration(span_s, language)}"
    text += f", accurate to {distance(max(claimed), language)} by their own account" if claimed else ""
    text += f", {thrown} more held for thrown off" if thrown else ""
    return text
