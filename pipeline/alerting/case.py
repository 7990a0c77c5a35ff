"""One alert through its life: what each event makes of it.

| event | from | to | people told |
| --- | --- | --- | --- |
| raised | - | wearer, or open | the wearer, or step 0 of the chain |
| counted | wearer, open, acknowledged, cleared | the same; cleared: wearer or open | - ; cleared: as raised |
| worsened | any but resolved | open | step 0, whatever was acknowledged |
| told (timer) | wearer | open | step 0 |
| delivered | any | the same | - |
| acknowledged | wearer, open | acknowledged | - |
| handed_over | acknowledged | the same, with someone else | whoever has it now |
| escalated (timer, command) | open; acknowledged by command | open | the next step |
| ended | open, acknowledged | the same, or cleared by the rule | - |
| cleared | wearer, open, acknowledged | cleared | - |
| resolved | any but resolved | resolved | - |

Every function gives the alert after the event; the ids of a change follow from the alert, the event and its cause.
"""

from datetime import datetime, timedelta

import msgspec

from pipeline.alerting.policy import RANK, AlertClause, AlertRules
from pipeline.alerting.roster import Rosters
from pipeline.alerting.routing import step_notices, wearer_notice
from schemas.alert import Alert, AlertEvent, Notice
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import Message, Moment
from schemas.reference import Severity
from schemas.times import Instant, instant

KNOWN_INCIDENTS = 100
SHOWN_INCIDENTS = 10


class Case(Message, frozen=True, kw_only=True):
    """An alert, and what is remembered beside it.

    `group`: what makes incidents the same alert. `going_on`: the breaches or incidents in it that are not over.
    `told`: officers were told already. `due_at`: when the wearer's time is over, or the next step is due.
    `quiet_since`: when it became known that nothing in it goes on any more.
    """

    alert: Alert
    group: str
    going_on: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    told: bool = False
    due_at: Moment | None = None
    quiet_since: Moment | None = None
    closed_at: Moment | None = None


class Office(msgspec.Struct, frozen=True):
    """By what a case is led: the rules in force, the rosters."""

    rules: AlertRules
    rosters: Rosters


def _change(case: Case, event: AlertEvent, cause: str, at: datetime, **changes: object) -> Case:
    """`case` after one more change; the alert in it is the message to be sent."""
    alert = msgspec.structs.replace(
        case.alert,
        **{
            "change_id": event_id("alert-change", case.alert.alert_id, event, cause),
            "seq": case.alert.seq + 1,
            "event": event,
            "at": instant(at),
            "by": "",
            "tell": (),
            **changes,
        },
    )
    return msgspec.structs.replace(case, alert=alert)


def severity_of(clause: AlertClause, incident: Incident) -> Severity:
    """The severity of an alert: the clause's, if it names one, else the incident's."""
    return clause.severity or incident.severity


def thread_of(incident: Incident) -> str:
    """What links an incident with the one that ends it: the breach, else the incident itself."""
    return incident.breach_id or incident.incident_id


def raised(incident: Incident, rule: str, group: str, office: Office, *, agency: str, at: datetime) -> Case:
    """A new alert about `incident`."""
    clause = office.rules.clauses[rule]
    alert_id = event_id("alert", incident.subject_id, rule, incident.incident_id)
    alert = Alert(
        alert_id=alert_id,
        change_id=event_id("alert-change", alert_id, "raised", incident.incident_id),
        seq=1,
        event="raised",
        state="open",
        at=instant(at),
        subject_id=incident.subject_id,
        agency=agency,
        rule=rule,
        rule_version=office.rules.version,
        severity=severity_of(clause, incident),
        incident_type=incident.type,
        fence_id=incident.fence_id,
        fence_name=incident.fence_name,
        device_id=incident.device_id,
        raised_at=instant(at),
        first_occurred_at=incident.occurred_at,
        last_occurred_at=incident.occurred_at,
        incident_ids=(incident.incident_id,),
        late=incident.late,
        confidence=incident.confidence,
        attributable=incident.attributable,
    )
    case = Case(alert=alert, group=group, going_on=(thread_of(incident),), incidents=(incident.incident_id,))
    return _begin(case, incident, office, at)


PAST = timedelta(seconds=600)
"""What was detected longer ago than this (or than the wearer is given) is past: nobody can put it right any more."""


def _begin(case: Case, incident: Incident, office: Office, at: datetime) -> Case:
    """Tell the wearer first where the rule says so and something can still be done, else step 0 of the chain."""
    alert = case.alert
    wearer = office.rules.clauses[alert.rule].wearer
    if wearer is None or alert.severity not in wearer.severities or case.told:
        return tell_step(case, 0, office, at)
    if incident.late or at - incident.detected_at > max(PAST, timedelta(seconds=wearer.respond_s)):
        return tell_step(case, 0, office, at)
    about = f"{alert.alert_id}/wearer/{alert.count}"
    notice = wearer_notice(about, alert.subject_id, alert.agency, f"{alert.rule}.wearer")
    due = instant(at + timedelta(seconds=wearer.respond_s))
    alert = msgspec.structs.replace(alert, state="wearer", tell=(notice,), escalates_at=due)
    return msgspec.structs.replace(case, alert=alert, due_at=due)


def tell_step(case: Case, level: int, office: Office, at: datetime) -> Case:
    """The open alert with those of step `level` told, and the next step's time."""
    alert = case.alert
    clause = office.rules.clauses.get(alert.rule)
    chain = office.rules.chain_of(alert.rule, alert.severity)
    step = chain[min(level, len(chain) - 1)]
    urgent = (clause is not None and clause.urgent) or alert.severity == "critical"
    also = clause.also_tell.get(alert.severity, ()) if clause is not None else ()
    again = alert.count if alert.event == "counted" else ""
    notices: tuple[Notice, ...] = step_notices(
        about=f"{alert.alert_id}/{alert.event}/{level}/{alert.severity}/{again}",
        step=step,
        level=level,
        agencies=(alert.agency, *(one for one in also if one != alert.agency)),
        rosters=office.rosters,
        quiet=office.rules.quiet_hours,
        time_zone=office.rules.time_zone,
        at=at,
        severity=alert.severity,
        template=f"{alert.rule}.{alert.event}",
        urgent=urgent,
    )
    due = None
    if level + 1 < len(chain):
        held = min((one.not_before for one in notices if one.not_before is not None), default=at)
        due = instant(max(held, at) + timedelta(seconds=step.wait_s))
    alert = msgspec.structs.replace(alert, state="open", level=level, tell=notices, escalates_at=due)
    return msgspec.structs.replace(case, alert=alert, told=True, due_at=due)


def counted(case: Case, incident: Incident, office: Office, at: datetime) -> Case:
    """One more incident in the alert. Its severity may make it worse, and then people are told again."""
    alert = case.alert
    clause = office.rules.clauses[alert.rule]
    severity = severity_of(clause, incident)
    worse = RANK[severity] > RANK[alert.severity] and alert.state != "resolved"
    back = alert.state == "cleared"
    shown = (*alert.incident_ids[:1], *alert.incident_ids[1:][-(SHOWN_INCIDENTS - 2) :], incident.incident_id)
    event: AlertEvent = "worsened" if worse else "counted"
    case = _change(
        case,
        event,
        incident.incident_id,
        at,
        count=alert.count + 1,
        severity=severity if worse else alert.severity,
        incident_ids=shown,
        first_occurred_at=min(alert.first_occurred_at, incident.occurred_at),
        last_occurred_at=max(alert.last_occurred_at, incident.occurred_at),
        confidence=max(alert.confidence, incident.confidence),
        attributable=alert.attributable or incident.attributable,
        ended_at=alert.ended_at if alert.state == "resolved" else None,
    )
    case = msgspec.structs.replace(
        case,
        going_on=(*case.going_on, thread_of(incident)),
        incidents=(*case.incidents[-(KNOWN_INCIDENTS - 1) :], incident.incident_id),
        quiet_since=None,
        closed_at=case.closed_at if alert.state == "resolved" else None,
    )
    if worse:
        reset = msgspec.structs.replace(case.alert, acknowledged_by="", acknowledged_at=None)
        return tell_step(msgspec.structs.replace(case, alert=reset), 0, office, at)
    return _begin(case, incident, office, at) if back else _resumed(case, office, at)


def _resumed(case: Case, office: Office, at: datetime) -> Case:
    """Escalation goes on when an alert whose incident was over goes on, unless someone is on it."""
    if case.alert.state != "open" or case.due_at is not None:
        return case
    chain = office.rules.chain_of(case.alert.rule, case.alert.severity)
    if case.alert.level + 1 >= len(chain):
        return case
    due = instant(at + timedelta(seconds=chain[case.alert.level].wait_s))
    alert = msgspec.structs.replace(case.alert, escalates_at=due)
    return msgspec.structs.replace(case, alert=alert, due_at=due)


def over(case: Case, thread: str, incident: Incident, clause: AlertClause, at: datetime) -> Case | None:
    """The alert after one of its incidents ended or was withdrawn; None when it was closed before.

    While others in it go on, its last change stays the same, and nothing is to be sent.
    """
    if case.alert.state in ("resolved", "cleared"):
        return None
    case = msgspec.structs.replace(case, going_on=tuple(one for one in case.going_on if one != thread))
    withdrawn = incident.type in clause.withdrawn_by
    if case.going_on:
        return case
    case = msgspec.structs.replace(case, quiet_since=instant(at))
    clears = case.alert.state == "wearer" or clause.when_over == "clear" or (withdrawn and case.alert.count == 1)
    changes: dict[str, object] = {"ended_at": incident.occurred_at, "escalates_at": None}
    if clears:
        note = "withdrawn by later data" if withdrawn else ""
        closed = _change(case, "cleared", incident.incident_id, at, state="cleared", note=note, **changes)
        return msgspec.structs.replace(closed, due_at=None, closed_at=instant(at))
    ended = _change(case, "ended", incident.incident_id, at, **changes)
    return msgspec.structs.replace(ended, due_at=None)


def timer_due(case: Case, office: Office) -> Case:
    """The alert after its timer: the wearer's time is over, or nobody acknowledged. The due time is the cause."""
    due: Instant = instant(case.due_at) if case.due_at is not None else case.alert.at  # type: ignore[assignment]
    if case.alert.state == "wearer":
        return tell_step(_change(case, "told", str(due), due, state="open"), 0, office, due)
    level = case.alert.level + 1
    return tell_step(_change(case, "escalated", str(due), due), level, office, due)


def escalated_by(case: Case, by: str, cause: str, office: Office, at: datetime) -> Case:
    """The alert taken one step up by a person; from the wearer's time it goes to step 0."""
    level = 0 if not case.told else case.alert.level + 1
    return tell_step(_change(case, "escalated", cause, at, by=by), level, office, at)


def acknowledged(case: Case, by: str, cause: str, note: str, at: datetime) -> Case:
    """Someone is on it: nobody else is told."""
    changed = _change(
        case,
        "acknowledged",
        cause,
        at,
        by=by,
        state="acknowledged",
        acknowledged_by=by,
        acknowledged_at=instant(at),
        escalates_at=None,
        note=note or case.alert.note,
    )
    return msgspec.structs.replace(changed, due_at=None)


def handed_over(case: Case, by: str, to: str, cause: str, note: str, at: datetime) -> Case:
    """Someone else has it now, and is told whatever the hour: they do not know yet that they have."""
    alert = case.alert
    notice = Notice(
        notice_id=event_id("notice", alert.alert_id, "handed_over", cause, to),
        audience="officer",
        recipient=to,
        agency=alert.agency,
        template=f"{alert.rule}.handed_over",
        urgent=True,
        level=alert.level,
    )
    return _change(
        case,
        "handed_over",
        cause,
        at,
        by=by,
        acknowledged_by=to,
        acknowledged_at=alert.acknowledged_at,
        note=note or alert.note,
        tell=(notice,),
    )


def resolved(case: Case, by: str, cause: str, *, outcome: str, note: str, at: datetime) -> Case:
    """Settled by a person, with what it was."""
    changed = _change(
        case,
        "resolved",
        cause,
        at,
        by=by,
        state="resolved",
        outcome=outcome,
        escalates_at=None,
        note=note or case.alert.note,
    )
    return msgspec.structs.replace(changed, due_at=None, closed_at=instant(at))


def delivered(case: Case, cause: str, at: datetime) -> Case:
    """The first message about it has reached someone."""
    return _change(case, "delivered", cause, at, delivered_at=instant(at))


def cleared_into(case: Case, outage_alert: str, cause: str, at: datetime) -> Case:
    """It turned out to be part of an area's outage."""
    changed = _change(
        case, "cleared", cause, at, state="cleared", escalates_at=None, note=f"part of outage {outage_alert}"
    )
    return msgspec.structs.replace(changed, due_at=None, closed_at=instant(at))
