"""What is said of a breach, and on what evidence? Incidents from the verdicts."""

from bisect import bisect_right
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.duties import Breach, Concern
from pipeline.reference import Reference
from pipeline.step import Emission
from schemas.ids import event_id
from schemas.incident import Incident, IncidentType
from schemas.times import from_epoch, written

Column = NDArray[np.float64]
INCIDENTS = "incidents"
LATE_S = 120.0
"""What arrives longer than this after it was measured is judged late."""


class Ground(NamedTuple):
    """The fixes (n,) that a verdict rests on, oldest first. `thrown`: believed to be thrown off."""

    t: Column
    lat: Column
    lon: Column
    accuracy_m: Column
    depth_m: Column
    thrown: NDArray[np.bool_]


class Teller:
    """Puts verdicts into incidents of activations."""

    def __init__(self, reference: Reference, rule_version: str) -> None:
        self._reference = reference
        self._rule_version = rule_version

    def activation_id(self, activation: int) -> str:
        """The id of an activation by slot."""
        return self._reference.activations.ids[activation]

    def breach_id(self, activation: int, duty: int, settled_s: float) -> str:
        """The id of the breach of `duty` that the fix or edge at `settled_s` settled."""
        properties = self._reference.fence(duty).properties
        activation_id = self._reference.activations.ids[activation]
        return event_id("breach", activation_id, properties.fence_id, properties.version, from_epoch(settled_s))

    def opened(self, activation: int, concern: Concern, ground: Ground, edge: bool) -> Emission:
        """`breach.opened`, for the breach that now stands in `concern`."""
        breach = concern.breach
        assert breach is not None  # noqa: S101  # it was just opened
        evidence = self._evidence(concern, ground, breach.occurred_s)
        if edge:
            evidence["edge"] = True
        return self._breach("breach.opened", activation, concern, breach, breach.occurred_s, breach.detected_s,
                            concern.chance, evidence)  # fmt: skip

    def closed(
        self, activation: int, concern: Concern, breach: Breach, ground: Ground | None,
        occurred_s: float, detected_s: float, reason: str, corrected: bool = False,
    ) -> Emission:  # fmt: skip
        """`breach.closed`, or `breach.corrected` when there never was one."""
        kind: IncidentType = "breach.corrected" if corrected else "breach.closed"
        occurred_s = max(occurred_s, breach.occurred_s)
        evidence: dict[str, Any] = {} if ground is None else self._evidence(concern, ground, occurred_s)
        evidence["rule"] = self._reference.fence(concern.duty).properties.rule
        evidence["opened_at"] = written(breach.occurred_s)
        evidence["max_distance_m"] = round(breach.deepest_m, 1)
        if reason:
            evidence["reason"] = reason
        at_s = breach.occurred_s if corrected else occurred_s
        confidence = 1.0 if reason in ("schedule", "leave", "activation", "fence") else 1.0 - concern.chance
        return self._breach(kind, activation, concern, breach, at_s, max(detected_s, occurred_s), confidence, evidence)

    def _breach(
        self, kind: IncidentType, activation: int, concern: Concern, breach: Breach,
        occurred_s: float, detected_s: float, confidence: float, evidence: dict[str, Any],
    ) -> Emission:  # fmt: skip
        properties = self._reference.fence(concern.duty).properties
        return self.incident(
            kind, activation, event_id(kind, breach.breach_id), occurred_s, detected_s,
            fence_id=properties.fence_id, fence_version=properties.version, fence_name=properties.name,
            breach_id=breach.breach_id, severity=properties.severity, late=breach.late,
            confidence=round(min(max(confidence, 0.0), 1.0), 4), evidence=evidence,
        )  # fmt: skip

    def incident(
        self, kind: IncidentType, activation: int, incident_id: str, occurred_s: float, detected_s: float, **more: Any
    ) -> Emission:
        """An incident of `activation`."""
        known = self._reference.activations
        incident = Incident(
            incident_id=incident_id,
            type=kind,
            subject_id=known.subjects[known.subject[activation]],
            activation_id=known.ids[activation],
            device_id=known.devices[activation],
            agency=known.agencies[known.agency[activation]],
            occurred_at=from_epoch(occurred_s),
            detected_at=from_epoch(detected_s),
            rule_version=self._rule_version,
            **more,
        )
        return Emission(INCIDENTS, incident.subject_id, incident, incident_id)

    def _evidence(self, concern: Concern, ground: Ground, crossed_s: float) -> dict[str, Any]:
        rule = self._reference.fence(concern.duty).properties.rule
        stay_in = rule == "stay_in"
        chances = dict(concern.course)
        fixes, believed = [], []
        columns: list[Any] = [column.tolist() for column in ground]
        for t, lat, lon, accuracy_m, depth_m, thrown in zip(*columns, strict=True):
            distance_m = round(depth_m if stay_in else -depth_m, 1)
            one: dict[str, Any] = {
                "fix_time": written(t),
                "lat": round(lat, 7),
                "lon": round(lon, 7),
                "distance_m": distance_m,
            }
            if accuracy_m > 0:
                one["accuracy_m"] = round(accuracy_m, 1)
            chance = chances.get(t)
            if chance is not None:
                one["p_outside"] = round(chance if stay_in else 1.0 - chance, 4)
            if thrown:
                one["thrown"] = True
            else:
                believed.append((t, lat, lon, distance_m))
            fixes.append(one)
        evidence: dict[str, Any] = {"rule": rule, "fixes": fixes}
        if believed:
            evidence["distance_m"] = believed[-1][3]
            evidence["crossing"] = _between(believed, crossed_s)
        return evidence


def _between(believed: list[tuple[float, float, float, float]], at_s: float) -> dict[str, float]:
    """Where the straight way between fixes (t, lat, lon, ...) in order was at `at_s`; before and after it, its ends."""
    after = bisect_right(believed, at_s, key=_time)
    t0, lat, lon, _ = believed[max(after - 1, 0)]
    if 0 < after < len(believed):
        t1, lat1, lon1, _ = believed[after]
        share = (at_s - t0) / (t1 - t0)
        lat += share * (lat1 - lat)
        lon += share * ((lon1 - lon + 180.0) % 360.0 - 180.0)
    return {"lat": round(lat, 7), "lon": round((lon + 180.0) % 360.0 - 180.0, 7)}


def _time(fix: tuple[float, ...]) -> float:
    return fix[0]
