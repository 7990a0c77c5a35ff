"""What does an event do to a person's alerts? The alert agent's rule, by subject.

In: incidents, commands about alerts, deliveries, answers of the area's judge (`alert-releases`), and timers: the
wearer's time is over, nobody acknowledged, nobody answered about an area, a closed alert may be forgotten.
Out: changes on `alerts`, a result for each command, questions about areas on `alert-signals`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from pipeline.alerting import case as life
from pipeline.alerting.case import Case, Office, severity_of
from pipeline.alerting.grouping import group_of, home_of, threads_ended
from pipeline.alerting.orders import AlertCommand, change_of, obey
from pipeline.alerting.policy import AlertClause
from pipeline.casebook import Casebook
from pipeline.hearsay import heard, heard_command
from pipeline.step import Emission, Record, Step, Wake
from pipeline.whereabouts import place_of
from schemas.alert import AREA_PREFIX, Delivery, Release, Signal
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import Message, Moment, decode
from schemas.times import instant

UNANSWERED = timedelta(seconds=60)
"""How long after its hold an incident waits for the area's judge; then the person's alert is raised all the same."""


REMEMBERED = 50
"""Commands that are known again when they come twice."""


class Held(Message, frozen=True, kw_only=True):
    """An incident that waits for the area's judge; once `absorbed`, for the outage to end."""

    incident: Incident
    rule: str
    until: Moment | None = None
    absorbed: str = ""


class Desk(Message, frozen=True, kw_only=True):
    """A person's alerts that are open, or closed but kept for an outcome, and incidents that wait."""

    cases: tuple[Case, ...] = ()
    held: dict[str, Held] = {}
    obeyed: tuple[str, ...] = ()


class _Turn:
    """The desk while one event is worked off, and what is to be sent."""

    def __init__(self, key: str, desk: Desk, reference: Casebook, at: datetime) -> None:
        self.key = key
        self.before = desk
        self.cases = {case.alert.alert_id: case for case in desk.cases}
        self.held = dict(desk.held)
        self.obeyed = desk.obeyed
        self.reference = reference
        self.at = at
        self.office = Office(reference.alert.at(at), reference.rosters)
        self.emissions: list[Emission] = []

    def put(self, case: Case) -> None:
        """Keep `case` and send its change, if it is a new one."""
        before = self.cases.get(case.alert.alert_id)
        self.cases[case.alert.alert_id] = case
        if before is None or before.alert.change_id != case.alert.change_id:
            self.emissions.append(change_of(case))

    def knows(self, incident: Incident) -> bool:
        """Whether the incident was worked off before."""
        return incident.incident_id in self.held or any(
            incident.incident_id in case.incidents for case in self.cases.values()
        )

    def agency(self, incident: Incident) -> str:
        """Whose alert it is."""
        return self.reference.agency_of(self.key, incident.agency) or "default"

    def raise_for(self, incident: Incident, rule: str) -> None:
        """An alert for `incident`: its group's, or a new one. None, where the rules no longer make one of it."""
        clause = self.office.rules.clauses.get(rule)
        if clause is None:
            found = self.office.rules.clause_raised_by(incident.type)
            if found is None:
                return
            rule, clause = found
        group = group_of(rule, clause, incident)
        home = home_of(self.cases.values(), group, incident, self.office.rules, self.at)
        if home is not None:
            self.put(life.counted(home, incident, self.office, self.at))
        else:
            self.put(life.raised(incident, rule, group, self.office, agency=self.agency(incident), at=self.at))

    def signal(self, held: Held, *, over: bool) -> None:
        """Tell the area's judge of an incident, or that it is over."""
        incident = held.incident
        where = place_of(incident)
        agency = self.agency(incident)
        signal_id = event_id("alert-signal", incident.incident_id, over)
        outage = incident.evidence.get("outage_id", "")
        carrier = incident.evidence.get("carrier", "")
        signal = Signal(
            signal_id=signal_id,
            area_key=f"{AREA_PREFIX}{agency}",
            agency=agency,
            rule=held.rule,
            subject_id=self.key,
            incident_id=incident.incident_id,
            occurred_at=incident.occurred_at,
            detected_at=incident.detected_at,
            over=over,
            lat=where[0] if where else None,
            lon=where[1] if where else None,
            carrier=carrier if isinstance(carrier, str) else "",
            outage_id=outage if isinstance(outage, str) else "",
        )
        self.emissions.append(Emission("alert-signals", signal.area_key, signal, signal_id))

    def step(self) -> Step[Desk]:
        """The desk as it is now, without what need no longer be kept; the next timer."""
        keep = timedelta(days=self.office.rules.keep_closed_days)
        kept = [case for case in self.cases.values() if case.closed_at is None or self.at < case.closed_at + keep]
        if not kept and not self.held:
            return Step(None, tuple(self.emissions))
        timers: list[datetime] = [case.due_at for case in kept if case.due_at is not None]
        timers += [case.closed_at + keep for case in kept if case.closed_at is not None]
        timers += [held.until for held in self.held.values() if held.until is not None]
        desk = Desk(cases=tuple(kept), held=self.held, obeyed=self.obeyed)
        desk = self.before if desk == self.before else desk
        return Step(desk, tuple(self.emissions), min(timers, default=None))


def decide(key: str, state: Desk | None, event: Record | Wake, reference: Casebook, now: datetime) -> Step[Desk]:
    """What follows from `event` for the person `key`.

    Raises:
        Invalid: a record that is not what its topic says.
    """
    if key.startswith(AREA_PREFIX):
        return Step(None)
    turn = _Turn(key, state or Desk(), reference, now)
    if isinstance(event, Wake):
        _on_timer(turn, event.due_at)
        return turn.step()
    match event.topic:
        case "incidents":
            incident = heard(event.value, Incident)
            if incident is not None:
                _on_incident(turn, incident)
        case "alert-releases":
            _on_release(turn, decode(event.value, Release))
        case "notifications":
            _on_delivery(turn, decode(event.value, Delivery))
        case _:
            command = heard_command(event.value)
            if isinstance(command, AlertCommand):
                _on_command(turn, command)
    return turn.step()


def _on_command(turn: _Turn, command: AlertCommand) -> None:
    if command.command_id in turn.obeyed:
        return
    known = turn.cases.get(command.alert_id)
    after, said = obey(known, command, turn.office, _owners(known, turn.office), turn.at)
    if after is not None:
        turn.cases[command.alert_id] = after
    turn.obeyed = (*turn.obeyed[-(REMEMBERED - 1) :], command.command_id)
    turn.emissions += said


def _owners(case: Case | None, office: Office) -> set[str]:
    if case is None:
        return set()
    clause = office.rules.clauses.get(case.alert.rule)
    also = clause.also_tell.get(case.alert.severity, ()) if clause is not None else ()
    return {case.alert.agency, *also}


def _on_incident(turn: _Turn, incident: Incident) -> None:
    if turn.knows(incident):
        return
    rules = turn.office.rules
    for rule, clause in rules.clauses_ended_by(incident.type):
        _end(turn, rule, clause, incident)
    found = rules.clause_raised_by(incident.type)
    if found is None:
        return
    rule, clause = found
    if clause.gather is None or severity_of(clause, incident) == "critical":
        turn.raise_for(incident, rule)
        return
    until = turn.at + timedelta(seconds=clause.gather.hold_s) + UNANSWERED
    held = Held(incident=incident, rule=rule, until=instant(until))
    turn.held[incident.incident_id] = held
    turn.signal(held, over=False)


def _end(turn: _Turn, rule: str, clause: AlertClause, incident: Incident) -> None:
    thread = threads_ended(incident)
    for held in [held for held in turn.held.values() if held.rule == rule]:
        if thread in ("", life.thread_of(held.incident), held.incident.incident_id):
            turn.signal(held, over=True)
            del turn.held[held.incident.incident_id]
            if clause.when_over == "keep" and incident.type in clause.ends and not held.absorbed:
                turn.raise_for(held.incident, rule)  # over before anybody heard of it, as when a device reports late
    for known in [case for case in turn.cases.values() if case.alert.rule == rule]:
        case = known
        for one in _matching(case, thread):
            after = life.over(case, one, incident, clause, turn.at)
            case = after if after is not None else case
        if case is not known:
            turn.put(case)


def _matching(case: Case, thread: str) -> Iterator[str]:
    yield from (one for one in case.going_on if thread in ("", one))


def _on_release(turn: _Turn, release: Release) -> None:
    held = turn.held.get(release.incident_id)
    if release.verdict == "absorbed":
        if held is not None:
            turn.held[release.incident_id] = msgspec.structs.replace(held, until=None, absorbed=release.alert_id)
        else:
            _fold_into_outage(turn, release)
        return
    if held is not None:
        del turn.held[release.incident_id]
        turn.raise_for(held.incident, held.rule)


def _fold_into_outage(turn: _Turn, release: Release) -> None:
    """The answer came after the alert was raised: it goes into the outage, unless someone is already on it."""
    for case in list(turn.cases.values()):
        if release.incident_id in case.incidents and case.alert.count == 1 and case.alert.state in ("wearer", "open"):
            turn.put(life.cleared_into(case, release.alert_id, release.release_id, turn.at))


def _on_delivery(turn: _Turn, delivery: Delivery) -> None:
    case = turn.cases.get(delivery.alert_id)
    if case is not None and delivery.state == "delivered" and case.alert.delivered_at is None:
        turn.put(life.delivered(case, delivery.notice_id, delivery.at))


def _on_timer(turn: _Turn, due_at: datetime) -> None:
    for _, case in sorted(_due(turn.cases.values(), due_at), key=lambda pair: (pair[0], pair[1].alert.alert_id)):
        turn.put(life.timer_due(case, turn.office))
    for held in [one for one in turn.held.values() if one.until is not None and one.until <= due_at]:
        del turn.held[held.incident.incident_id]
        turn.raise_for(held.incident, held.rule)


def _due(cases: Iterable[Case], due_at: datetime) -> Iterator[tuple[datetime, Case]]:
    return ((case.due_at, case) for case in cases if case.due_at is not None and case.due_at <= due_at)
