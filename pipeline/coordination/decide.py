"""What does an event do to a person's tasks and leaves? The coordination agent's rule, by subject.

In: incidents, entries of the ledger, scores, leaves, commands (`task.*`, `leave.*`), and timers: not accepted in time,
nearly due, overdue. Out: changes on `tasks`, leaves on `leaves` and `leave-changes`, a result for
each command.
"""

from datetime import datetime, timedelta

from pipeline.answers import answer
from pipeline.authority import kind_of, refusal
from pipeline.casebook import Casebook
from pipeline.coordination import leaves as leave_orders
from pipeline.coordination import orders
from pipeline.coordination import work as life
from pipeline.coordination.policy import TaskClause
from pipeline.coordination.work import Act, Bureau, Work
from pipeline.hearsay import heard, heard_command
from pipeline.step import Emission, Record, Step, Wake
from schemas.alert import AREA_PREFIX
from schemas.command import AskLeave, Command, ConfirmRights, CreateTask, DecideLeave, WithdrawLeave
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import Message, decode
from schemas.reference import Leave, Severity
from schemas.score import Score, ScoreEntry
from schemas.task import Task
from schemas.times import Instant, instant

REMEMBERED = 50
KEEP_LEAVES = timedelta(days=60)

ENTRY_DONE = {"entry_review": ("confirmed", "reversed", "appealed"), "appeal_decision": ("upheld", "reversed")}
"""In which state of its entry a task about it has become done, by kind."""


class Cabinet(Message, frozen=True, kw_only=True):
    """A person's tasks and leaves. `counted`: when incidents of a clause that asks for several happened."""

    works: dict[str, Work] = {}
    leaves: dict[str, Leave] = {}
    counted: dict[str, tuple[Instant, ...]] = {}
    colour_task: str = ""
    obeyed: tuple[str, ...] = ()


class _Turn:
    """The cabinet while one event is worked off, and what is to be sent."""

    def __init__(self, key: str, cabinet: Cabinet, reference: Casebook, at: datetime) -> None:
        self.key = key
        self.before = cabinet
        self.works = dict(cabinet.works)
        self.leaves = dict(cabinet.leaves)
        self.counted = dict(cabinet.counted)
        self.colour_task = cabinet.colour_task
        self.obeyed = cabinet.obeyed
        self.reference = reference
        self.at: Instant = instant(at)
        self.bureau = Bureau(reference.task.at(at), reference.rosters)
        self.emissions: list[Emission] = []

    def put(self, work: Work) -> None:
        """Keep a task and send its change."""
        self.works[work.task.task_id] = work
        self.emissions.append(life.change_of(work))

    def agency(self, told: str = "") -> str:
        """Whose person it is."""
        return self.reference.agency_of(self.key, told) or "default"

    def make(self, name: str, clause: TaskClause, cause: str, told_agency: str = "", **about: object) -> None:
        """A task by rule, unless the same cause made it before."""
        task_id = event_id("task", self.key, name, cause)
        if task_id in self.works:
            return
        rules = self.bureau.rules
        severity: Severity = clause.severity
        fields: dict[str, object] = {
            "task_id": task_id,
            "change_id": task_id,
            "seq": 1,
            "event": "created",
            "state": "open",
            "at": self.at,
            "by": f"rule:{name}",
            "subject_id": self.key,
            "kind": clause.kind,
            "title": clause.title,
            "severity": severity,
            "agency": clause.agency or self.agency(told_agency),
            "role": clause.role,
            "from_agency": self.agency(told_agency),
            "created_at": self.at,
            "created_by": f"rule:{name}",
            "due_at": instant(self.at + timedelta(seconds=clause.due_s or rules.due_s)),
            "rule_version": rules.version,
            **about,
        }
        self.put(life.created(Task(**fields), name, clause.accept_within_s, self.bureau, self.at))  # type: ignore[arg-type]

    def is_open(self, name: str) -> bool:
        """Whether a task of a clause is still to be done."""
        return any(work.is_active and work.clause == name for work in self.works.values())

    def done(self, work: Work, by: str, cause: str, outcome: str) -> None:
        """A task that something else has settled."""
        self.put(life.closed(work, "done", Act(self.at, cause, by), self.bureau, outcome=outcome, reason=""))

    def step(self) -> Step[Cabinet]:
        """The cabinet as it is now, without what need no longer be kept; the next timer."""
        keep = timedelta(days=self.bureau.rules.keep_closed_days)
        works = {
            name: work
            for name, work in self.works.items()
            if work.task.closed_at is None or self.at < work.task.closed_at + keep
        }
        leaves = {name: leave for name, leave in self.leaves.items() if self.at < leave.ends_at + KEEP_LEAVES}
        cabinet = Cabinet(
            works=works, leaves=leaves, counted=self.counted, colour_task=self.colour_task, obeyed=self.obeyed
        )
        if cabinet == Cabinet():
            return Step(None, tuple(self.emissions))
        timers = [due for work in works.values() if (due := work.due_at()) is not None]
        timers += [work.task.closed_at + keep for work in works.values() if work.task.closed_at is not None]
        kept = self.before if cabinet == self.before else cabinet
        return Step(kept, tuple(self.emissions), min(timers, default=None))


def decide(key: str, state: Cabinet | None, event: Record | Wake, reference: Casebook, now: datetime) -> Step[Cabinet]:
    """What follows from `event` for the person `key`.

    Raises:
        Invalid: a record that is not what its topic says.
    """
    if key.startswith(AREA_PREFIX):
        return Step(None)
    turn = _Turn(key, state or Cabinet(), reference, now)
    if isinstance(event, Wake):
        _on_timer(turn, event.due_at)
        return turn.step()
    match event.topic:
        case "incidents":
            incident = heard(event.value, Incident)
            if incident is not None:
                _on_incident(turn, incident)
        case "score-entries":
            _on_entry(turn, decode(event.value, ScoreEntry))
        case "scores":
            if event.value:  # a person whose record was deleted leaves a tombstone
                _on_score(turn, decode(event.value, Score))
        case "leave-changes":
            _on_leave(turn, decode(event.value, Leave))
        case _:
            command = heard_command(event.value)
            if command is not None:
                _on_command(turn, command)
    return turn.step()


def _on_timer(turn: _Turn, due_at: datetime) -> None:
    for task_id in sorted(turn.works):
        while (next_at := turn.works[task_id].due_at()) is not None and next_at <= due_at:
            turn.put(life.timer_due(turn.works[task_id], turn.bureau, next_at))


def _on_incident(turn: _Turn, incident: Incident) -> None:
    for name, clause in turn.bureau.rules.clauses.items():
        if incident.type in clause.done_by:
            settles = incident.evidence.get("settles", "")
            for work in list(turn.works.values()):
                if work.is_active and work.clause == name and settles in ("", work.task.incident_id):
                    turn.done(work, f"rule:{name}", incident.incident_id, incident.type)
        if (
            incident.type in clause.made_by.incidents
            and not turn.is_open(name)
            and _often(turn, name, clause, incident)
        ):
            turn.make(name, clause, incident.incident_id, incident.agency, incident_id=incident.incident_id)


def _often(turn: _Turn, name: str, clause: TaskClause, incident: Incident) -> bool:
    """Count an incident of a clause that asks for several; true when there are enough, and the count begins anew."""
    if clause.made_by.at_least == 1:
        return True
    least = incident.occurred_at - timedelta(seconds=clause.made_by.within_s)
    before = turn.counted.get(name, ())
    moments = tuple(sorted({*(one for one in before if one > least), instant(incident.occurred_at)}))
    enough = len(moments) >= clause.made_by.at_least
    turn.counted[name] = () if enough else moments
    return enough


def _on_entry(turn: _Turn, entry: ScoreEntry) -> None:
    if entry.cause == "recomputed":
        return
    for work in list(turn.works.values()):
        if (
            work.is_active
            and work.task.entry_id == entry.entry_id
            and entry.state in ENTRY_DONE.get(work.task.kind, ())
        ):
            turn.done(work, entry.settled_by, f"{entry.entry_id}/{entry.state}/{entry.settled_id}", entry.state)
    for name, clause in turn.bureau.rules.clauses.items():
        if entry.state in clause.made_by.entry_states and entry.kind == "deduction":
            cause = f"{entry.entry_id}/{entry.state}/{entry.settled_id}"
            turn.make(name, clause, cause, entry.agency, entry_id=entry.entry_id, incident_id=entry.incident_id)


def _on_score(turn: _Turn, score: Score) -> None:
    wanted = score.meaning.task
    if wanted and wanted != turn.colour_task:
        for name, clause in turn.bureau.rules.clauses.items():
            if clause.made_by.colour_task == wanted and not turn.is_open(name):
                details = {"points": score.points, "colour": score.colour}
                turn.make(name, clause, f"{score.colour}/{score.as_of}", score.agency, details=details)
    turn.colour_task = wanted


def _on_leave(turn: _Turn, leave: Leave) -> None:
    turn.leaves[leave.leave_id] = leave
    for name, clause in turn.bureau.rules.clauses.items():
        if leave.state in clause.made_by.leave_states:
            turn.make(name, clause, leave.leave_id, details={"leave_id": leave.leave_id})
    if leave.state == "asked":
        return
    for work in list(turn.works.values()):
        about = work.task.details.get("leave_id") == leave.leave_id
        if work.is_active and work.task.kind == "leave_decision" and about:
            turn.done(work, leave.decided_by, f"{leave.leave_id}/{leave.state}", leave.state)


def _on_command(turn: _Turn, command: Command) -> None:
    if command.command_id in turn.obeyed or not kind_of(command).startswith(("task.", "leave.", "rights.")):
        return
    turn.obeyed = (*turn.obeyed[-(REMEMBERED - 1) :], command.command_id)
    if isinstance(command, ConfirmRights):
        refused = refusal(command, ())
        turn.emissions.append(answer(command, "refused" if refused else "done", refused, effect=command.version))
        return
    if isinstance(command, AskLeave | DecideLeave | WithdrawLeave):
        leave, said = leave_orders.obey(turn.leaves, command, turn.agency())
        turn.emissions += said
        if leave is not None:
            _on_leave(turn, leave)
    elif isinstance(command, CreateTask):
        _create(turn, command)
    else:
        known = turn.works.get(command.task_id)  # type: ignore[union-attr]  # the rest of task.* names one
        work, said = orders.obey(known, command, turn.bureau, turn.at)  # type: ignore[arg-type]
        turn.emissions += said
        if work is not None:
            turn.works[work.task.task_id] = work


def _create(turn: _Turn, command: CreateTask) -> None:
    refused = refusal(command, {command.agency} if command.agency else ())
    if refused is not None:
        turn.emissions.append(answer(command, "refused", refused))
        return
    work = life.created(orders.task_from(command), "", None, turn.bureau, turn.at)
    if work.task.task_id not in turn.works:
        turn.put(work)
    turn.emissions.append(answer(command, "done", effect=work.task.task_id))
