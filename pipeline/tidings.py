"""What is said of a device that fell silent, came back, or was found unfit? Incidents, with what was known before."""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from pipeline.areas import Areas
from pipeline.health import PLACES, Finding, Health
from pipeline.outage import Outages
from pipeline.silence import Turn
from pipeline.step import Emission
from schemas.ids import event_id
from schemas.incident import Incident, IncidentType
from schemas.outage import Outage
from schemas.reference import Severity
from schemas.times import from_epoch

OFF_BEFORE_MS = 300_000
"""A device that said so this long before it was last heard was switched off."""

EMPTY_PCT = 5.0

_TYPES: dict[str, tuple[IncidentType, Severity]] = {
    "silent": ("device.silent", "medium"),
    "back": ("device.back", "low"),
    "battery_low": ("device.battery_low", "low"),
    "power_off": ("device.power_off", "medium"),
    "mocked": ("fix.mocked", "high"),
    "clock_wrong": ("device.clock_wrong", "medium"),
    "stuck": ("device.stuck", "high"),
}


class Who(NamedTuple):
    """Whose device a row is."""

    activation_id: str
    device_id: str
    subject_id: str
    agency: str


class Tidings:
    """Puts turns and findings into incidents. `who` tells whose a row is."""

    def __init__(
        self, who: Callable[[int], Who], health: Health, areas: Areas, outages: Outages, rule_version: str
    ) -> None:
        self._who = who
        self._health, self._areas, self._outages = health, areas, outages
        self._rule_version = rule_version

    def turned(self, turn: Turn) -> Incident:
        """A device fell silent or came back; `attributable` unless an outage explains it."""
        evidence: dict[str, Any] = {
            "silent_s": round(turn.silent_s, 3),
            "patience_s": turn.patience_s,
            "period_s": turn.period_s,
            "period_learnt": turn.learnt,
        } | self._place(turn.row)
        since_ms = turn.occurred_ms - (round(turn.silent_s * 1000) if turn.kind == "back" else 0)
        if turn.kind == "silent":
            evidence |= {"likely_cause": self._cause(turn)} | self._power(turn.row)
            evidence["last_heard"] = str(from_epoch(turn.occurred_ms / 1000))
        incident = self._incident(turn.row, turn.kind, turn.occurred_ms, turn.detected_ms, evidence)
        if evidence.get("likely_cause") == "switched_off":
            return incident
        outage = self._outages.of(self._areas.names(turn.row), since_ms / 1000)
        return incident if outage is None else excused(incident, outage)

    def found(self, finding: Finding, detected_ms: int, place: dict[str, float]) -> Incident:
        """Something was found out about a device, heard at `detected_ms`."""
        detected_ms = max(detected_ms, finding.occurred_ms)
        evidence = finding.evidence | place
        return self._incident(finding.row, finding.kind, finding.occurred_ms, detected_ms, evidence)

    def _incident(self, row: int, kind: str, occurred_ms: int, detected_ms: int, evidence: dict[str, Any]) -> Incident:
        who = self._who(row)
        name, severity = _TYPES[kind]
        return Incident(
            incident_id=event_id(name, who.activation_id, occurred_ms),
            type=name,
            subject_id=who.subject_id,
            activation_id=who.activation_id,
            device_id=who.device_id,
            agency=who.agency,
            severity=severity,
            occurred_at=from_epoch(occurred_ms / 1000),
            detected_at=from_epoch(detected_ms / 1000),
            evidence=evidence,
            rule_version=self._rule_version,
        )

    def _place(self, row: int) -> dict[str, Any]:
        state = self._health.rows[row]
        told: dict[str, Any] = dict(name.partition(":")[::2] for name in self._areas.names(row))
        told.pop("all", None)
        if not state["seen_ms"]:
            return told
        return {"lat": int(state["lat_e7"]) / PLACES, "lon": int(state["lon_e7"]) / PLACES} | told

    def _power(self, row: int) -> dict[str, Any]:
        power = self._health.power(row)
        told = {"battery_pct": power.battery_pct, "charging": power.charging}
        return {name: value for name, value in told.items() if value is not None}

    def _cause(self, turn: Turn) -> str:
        power = self._health.power(turn.row)
        if power.off_ms and power.off_ms >= turn.occurred_ms - OFF_BEFORE_MS:
            return "switched_off"
        if power.battery_pct is not None and power.battery_pct <= EMPTY_PCT and not power.charging:
            return "battery_empty"
        return "unknown"


def excused(incident: Incident, outage: Outage) -> Incident:
    """`incident`, marked as part of `outage`."""
    evidence = incident.evidence | {
        "outage_id": outage.outage_id,
        "outage_area": outage.area,
        "outage_since": str(outage.since),
        "outage_quiet": outage.quiet,
        "outage_devices": outage.devices,
    }
    if incident.type == "device.silent":
        evidence["likely_cause"] = "outage"
    return msgspec.structs.replace(incident, attributable=False, evidence=evidence)


def emission(incident: Incident) -> Emission:
    """`incident`, for its topic."""
    return Emission("incidents", incident.subject_id, incident, incident.incident_id)
