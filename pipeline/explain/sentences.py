"""One sentence for an incident, in English and Chinese: what, who, where, how far, since when, how sure and why.

A template for each type and rule; its gaps are filled by `_gaps`. A gap that the evidence cannot fill reads as nothing,
with the words around it that hang on it: those stand in brackets, ``[{far} outside ]``.
"""

import re
from string import Formatter
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.explain.grounds import because, farthest, grounds
from pipeline.explain.texts import CAUSES, REASONS, TEXTS
from pipeline.explain.words import Language, certainty, distance, duration, moment, number, place, time_in
from pipeline.whereabouts import place_of
from schemas.incident import Incident
from schemas.reference import Subject

UTC = ZoneInfo("UTC")
LIFTED = ("schedule", "leave", "fence", "activation")
"""Reasons of a breach's end that say nothing of where the person is."""
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")


def sentence(incident: Incident, language: Language = "en", subject: Subject | None = None) -> str:
    """What `incident` says, in one sentence (a second one where nobody is at fault or it came late).

    Times are by the wall clock of the `subject`, else in UTC.
    """
    zone = UTC if subject is None else ZoneInfo(subject.time_zone)
    chinese = language == "zh-CN"
    rule = incident.evidence.get("rule")
    if incident.type == "breach.closed" and incident.evidence.get("reason") in LIFTED:
        rule = "lifted"
    if incident.type == "breach.opened" and incident.evidence.get("edge") is True:
        rule = f"{rule}/edge"
    pair = TEXTS.get(f"{incident.type}/{rule}") or TEXTS.get(incident.type) or TEXTS[""]
    gaps = _gaps(incident, language, zone, subject)
    text = _filled(pair[chinese], gaps)
    if not incident.attributable and incident.type != "breach.corrected":
        text += _filled(TEXTS["not attributable"][chinese], gaps)
    if incident.late:
        text += TEXTS["late"][chinese]
    return text


def _filled(template: str, gaps: dict[str, str]) -> str:
    def part(match: re.Match[str]) -> str:
        names = [name for _, name, _, _ in Formatter().parse(match[1]) if name]
        return match[1] if all(gaps.get(name) for name in names) else ""

    return _OPTIONAL.sub(part, template).format_map(gaps)


def _gaps(incident: Incident, language: Language, zone: ZoneInfo, subject: Subject | None) -> dict[str, str]:
    evidence, chinese = incident.evidence, language == "zh-CN"
    fixes = grounds(incident)
    far = farthest(incident, fixes)
    where = place_of(incident)
    opened = time_in(evidence, "opened_at")
    seconds = number(evidence, "silent_s", "still_s", "inside_s", "duration_s")
    offset_s, battery = number(evidence, "offset_s"), number(evidence, "battery_pct")
    lasted = None if opened is None else (incident.occurred_at - opened).total_seconds()
    fence = incident.fence_name or incident.fence_id
    quoted = f"“{fence}”" if fence else ""
    who = (subject.case_ref if subject else "") or incident.subject_id
    return {
        "who": f"案号 {who} " if chinese and subject and subject.case_ref else who,
        "fence": quoted,
        "when": moment(incident.occurred_at, zone, language),
        "settled": moment(incident.detected_at, zone, language),
        "where": "" if where is None else place(*where),
        "far": "" if far is None else distance(far, language),
        "sure": certainty(incident.confidence, language),
        "why": because(incident, language),
        "long": "" if seconds is None else duration(seconds, language),
        "lasted": "" if lasted is None else duration(lasted, language),
        "usual": _duration(evidence, "period_s", language),
        "battery": "" if battery is None else f"{battery:.0f}",
        "offset": "" if offset_s is None else duration(abs(offset_s), language),
        "ahead": ("快" if chinese else "fast") if (offset_s or 0) > 0 else ("慢" if chinese else "slow"),
        "cause": _phrase(CAUSES, evidence.get("likely_cause"), chinese),
        "reason": _phrase(REASONS, evidence.get("reason"), chinese),
        "area": str(evidence.get("outage_area") or ""),
        "quiet": _count(evidence, "outage_quiet"),
        "of": _count(evidence, "outage_devices"),
        "speed": _count(evidence, "speed_mps"),
        "kind": incident.type,
        "device": incident.device_id,
    }


def _duration(evidence: dict[str, Any], name: str, language: Language) -> str:
    seconds = number(evidence, name)
    return "" if seconds is None else duration(seconds, language)


def _count(evidence: dict[str, Any], name: str) -> str:
    value = number(evidence, name)
    return "" if value is None else f"{value:.0f}"


def _phrase(table: dict[str, tuple[str, str]], name: Any, chinese: bool) -> str:
    return table.get(str(name), ("", ""))[chinese] if name else ""
