"""What does leave mean for a person's record? `leave.started`, `leave.ended`, and breaches that a leave undoes.

A `pipeline.step.Decide` by person, over `leave-changes` and `incidents`, with a timer for the next start or end.

| event | what follows |
| --- | --- |
| leave approved | a timer for its start and its end; breaches that began while it ran are corrected |
| leave withdrawn or ended early while it runs | it ends now |
| breach opened while a leave ran that allows the place | it is corrected (leave came while it was on its way) |
| a leave's start or end comes | `leave.started`, `leave.ended` |
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pipeline.hearsay import heard
from pipeline.leave import Permit, Stray, check, excusing, granted
from pipeline.rejection import written_at
from pipeline.step import Emission, Record, Step, Wake
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import Invalid, convert
from schemas.reference import Leave
from schemas.times import Instant, from_epoch, instant

KEEP = timedelta(days=32)
"""How long breaches and ended leaves are remembered: a leave approved later than this no longer undoes a breach."""

INCIDENTS, LEAVE_CHANGES = "incidents", "leave-changes"


class _Place(msgspec.Struct, frozen=True):
    lat: float
    lon: float
    accuracy_m: float | None = None


class Breach(msgspec.Struct, frozen=True):
    """A breach that was opened, as far as a leave asks."""

    breach_id: str
    opened: Incident
    places: tuple[tuple[float, float, float], ...]
    corrected: bool = False


class Watched(msgspec.Struct, frozen=True):
    """What is remembered of a person. `told`: the last moment up to which starts and ends of leaves were told."""

    told: Instant
    permits: dict[str, Permit] = {}
    breaches: dict[str, Breach] = {}


def watch(key: str, state: Watched | None, event: Record | Wake, reference: object, now: datetime) -> Step[Watched]:  # noqa: ARG001
    """What follows for the person `key` from `event`; the rule of the agent `watch`.

    What is no incident, or no leave of this person, is passed over: others read these topics too, and one says so.
    """
    state = state or Watched(instant(now))
    emissions: list[Emission] = []
    if isinstance(event, Record):
        if event.topic == LEAVE_CHANGES:
            leave = heard(event.value, Leave)
            state = _change(key, state, leave, written_at(event, now), emissions) if leave else state
        else:
            incident = heard(event.value, Incident)
            state = _remember(state, incident, now, emissions) if incident else state
    state = _tell(state, now, emissions)
    state = _without_old(state, now)
    if not state.permits and not state.breaches:
        return Step(None, tuple(emissions))
    return Step(state, tuple(emissions), _next(state))


def _change(key: str, state: Watched, leave: Leave, at: datetime, emissions: list[Emission]) -> Watched:
    try:
        check(leave)
    except Invalid:
        return state
    if leave.subject_id != key:
        return state
    before = state.permits.get(leave.leave_id)
    permit = granted(leave, at.timestamp(), before)
    permits = {name: known for name, known in state.permits.items() if name != leave.leave_id}
    if permit is not None:
        permits[leave.leave_id] = permit
        if before is None and permit.t_from <= state.told.timestamp():
            emissions.append(_incident("leave.started", permit, from_epoch(permit.t_from), at))
            if permit.t_until <= state.told.timestamp():
                emissions.append(_incident("leave.ended", permit, from_epoch(permit.t_until), at))
    state = msgspec.structs.replace(state, permits=permits)
    for breach in list(state.breaches.values()):
        state = _judged(state, breach, at, emissions)
    return state


def _remember(state: Watched, incident: Incident, now: datetime, emissions: list[Emission]) -> Watched:
    if incident.type == "breach.corrected":
        known = state.breaches.get(incident.breach_id)
        if known is None:
            return state
        corrected = msgspec.structs.replace(known, corrected=True)
        return msgspec.structs.replace(state, breaches={**state.breaches, incident.breach_id: corrected})
    if incident.type != "breach.opened" or incident.evidence.get("rule") == "keep_out":
        return state
    if incident.breach_id in state.breaches:
        return state
    breach = Breach(incident.breach_id, incident, _places(incident.evidence.get("fixes")))
    state = msgspec.structs.replace(state, breaches={**state.breaches, incident.breach_id: breach})
    return _judged(state, breach, max(now, incident.detected_at), emissions)


def _places(fixes: Any) -> tuple[tuple[float, float, float], ...]:
    try:
        places = convert(fixes if isinstance(fixes, list) else [], list[_Place])
    except Invalid:
        return ()
    return tuple((place.lat, place.lon, place.accuracy_m or 0.0) for place in places)


def _judged(state: Watched, breach: Breach, at: datetime, emissions: list[Emission]) -> Watched:
    if breach.corrected:
        return state
    opened = breach.opened
    stray = Stray(breach.breach_id, opened.fence_id, opened.occurred_at, breach.places)
    permit = excusing(stray, state.permits.values())
    if permit is None:
        return state
    leave = permit.leave
    incident_id = event_id("breach.corrected", breach.breach_id, "leave", leave.leave_id)
    correction = msgspec.structs.replace(
        opened,
        incident_id=incident_id,
        type="breach.corrected",
        detected_at=instant(at),
        emitted_at=None,
        confidence=1.0,
        late=True,
        attributable=False,
        evidence={
            "rule": "stay_in",
            "reason": "leave",
            "leave_id": leave.leave_id,
            "leave_from": str(from_epoch(permit.t_from)),
            "leave_until": str(from_epoch(permit.t_until)),
            "leave_reason": leave.reason,
            "decided_by": leave.decided_by,
        },
    )
    emissions.append(Emission(INCIDENTS, opened.subject_id, correction, incident_id))
    known = msgspec.structs.replace(breach, corrected=True)
    return msgspec.structs.replace(state, breaches={**state.breaches, breach.breach_id: known})


def _turns(permits: Iterable[Permit]) -> list[tuple[float, bool, Permit]]:
    return sorted(
        ((at, starts, p) for p in permits for at, starts in ((p.t_from, True), (p.t_until, False))),
        key=lambda turn: (turn[0], turn[1], turn[2].leave.leave_id),
    )


def _tell(state: Watched, now: datetime, emissions: list[Emission]) -> Watched:
    """Starts and ends of leaves that came since they were last told."""
    if now <= state.told:
        return state
    for at_s, starts, permit in _turns(state.permits.values()):
        if state.told.timestamp() < at_s <= now.timestamp():
            at = from_epoch(at_s)
            emissions.append(_incident("leave.started" if starts else "leave.ended", permit, at, at))
    return msgspec.structs.replace(state, told=instant(now))


def _incident(kind: Any, permit: Permit, occurred_at: datetime, detected_at: datetime) -> Emission:
    leave = permit.leave
    incident_id = event_id(kind, leave.leave_id, instant(occurred_at))
    incident = Incident(
        incident_id=incident_id,
        type=kind,
        subject_id=leave.subject_id,
        severity="low",
        occurred_at=occurred_at,
        detected_at=max(occurred_at, detected_at),
        late=detected_at > occurred_at,
        evidence={
            "leave_id": leave.leave_id,
            "leave_from": str(from_epoch(permit.t_from)),
            "leave_until": str(from_epoch(permit.t_until)),
            "leave_reason": leave.reason,
            "decided_by": leave.decided_by,
            **({} if leave.fences is None else {"fences": list(leave.fences)}),
        },
    )
    return Emission(INCIDENTS, leave.subject_id, incident, incident_id)


def _next(state: Watched) -> datetime | None:
    turns = _turns(state.permits.values())
    ahead = [at_s for at_s, _, _ in turns if at_s > state.told.timestamp()]
    ends = [breach.opened.detected_at + KEEP for breach in state.breaches.values()]
    ends += [from_epoch(permit.t_until) + KEEP for permit in state.permits.values()]
    return min([from_epoch(at_s) for at_s in ahead] + ends, default=None)


def _without_old(state: Watched, now: datetime) -> Watched:
    permits = {n: p for n, p in state.permits.items() if from_epoch(p.t_until) + KEEP > now}
    breaches = {n: b for n, b in state.breaches.items() if b.opened.detected_at + KEEP > now}
    if len(permits) == len(state.permits) and len(breaches) == len(state.breaches):
        return state
    return msgspec.structs.replace(state, permits=permits, breaches=breaches)
