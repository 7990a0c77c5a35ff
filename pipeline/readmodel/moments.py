"""What happened to a person, in order? A moment for each record that tells of it, small enough to keep for months.

A timeline is an index whose members are the moments themselves, so that one that comes twice is there once. What it is
called is said when it is read (`pipeline.readmodel.words`), in the reader's language and by what is known then.
"""

from collections.abc import Callable
from typing import Any, Literal

from pipeline.readmodel.layout import TIMELINE, index
from schemas.alert import Alert
from schemas.command import CommandResult
from schemas.incident import Incident
from schemas.message import Id, Message, Moment, encode
from schemas.notification import Notification
from schemas.reference import Leave
from schemas.score import ScoreEntry
from schemas.task import Task

MomentKind = Literal["incident", "alert", "task", "score", "leave", "message", "command"]

SILENT_ALERT_EVENTS = frozenset({"counted", "delivered"})
"""Say nothing that the incident or the message does not say."""
ALONE = frozenset({"rights.confirm"})
"""Commands that change nothing that tells of them."""
MESSAGE_STATES = frozenset({"sent", "delivered", "dead"})


class Line(Message, frozen=True, kw_only=True):
    """A moment as it is kept. `what`: type of the incident, event of the alert or task, state of the rest."""

    at: Moment
    kind: MomentKind
    id: Id
    change: str
    what: str
    by: str = ""
    detail: dict[str, Any] = {}


Said = Incident | Alert | Task | ScoreEntry | Leave | Notification | CommandResult


def line_of(said: Said, written_at: Moment) -> Line | None:
    """The moment that a message tells of, None: it is none. `written_at`: for messages that do not say when."""
    return _TELLERS[type(said)](said, written_at)


def _incident(said: Incident, _: Moment) -> Line | None:
    detail = {"fence_id": said.fence_id, "fence_name": said.fence_name, "severity": said.severity}
    return _line(said.occurred_at, "incident", said.incident_id, said.incident_id, said.type, "", detail)


def _alert(said: Alert, _: Moment) -> Line | None:
    if said.event in SILENT_ALERT_EVENTS:
        return None
    detail: dict[str, Any] = {"rule": said.rule, "severity": said.severity, "fence_name": said.fence_name}
    detail |= {"outcome": said.outcome or "", "note": said.note, "level": said.level}
    return _line(said.at, "alert", said.alert_id, said.change_id, said.event, said.by, detail)


def _task(said: Task, _: Moment) -> Line | None:
    detail = {"kind": said.kind, "title": said.title, "agency": said.agency, "outcome": said.outcome}
    detail |= {"reason": said.reason}
    return _line(said.at, "task", said.task_id, said.change_id, said.event, said.by, detail)


def _entry(said: ScoreEntry, _: Moment) -> Line | None:
    if said.cause == "recomputed":
        return None
    at = said.settled_at or said.occurred_at
    detail: dict[str, Any] = {"kind": said.kind, "points": said.points, "rule": said.rule, "cause": said.cause}
    detail |= {"incident_id": said.incident_id, "note": said.note}
    change = f"{said.entry_id}/{said.state}/{said.points}"
    return _line(at, "score", said.entry_id, change, said.state, said.settled_by, detail)


def _leave(said: Leave, written_at: Moment) -> Line | None:
    detail = {"starts_at": str(said.starts_at), "ends_at": str(said.ends_at), "reason": said.reason}
    return _line(written_at, "leave", said.leave_id, said.state, said.state, said.decided_by, detail)


def _message(said: Notification, _: Moment) -> Line | None:
    if said.state not in MESSAGE_STATES:
        return None
    detail = {"template": said.template, "channel": said.channel or "", "recipient": said.recipient}
    detail |= {"reason": said.reason}
    return _line(said.at, "message", said.notification_id, said.change_id, said.state, said.by, detail)


def _result(said: CommandResult, _: Moment) -> Line | None:
    if said.outcome != "refused" and said.kind not in ALONE:
        return None  # it waits, or what it did is told by the alert, task, entry or leave that it changed
    detail = {"kind": said.kind, "code": said.code, "reason": said.reason, "effect": said.effect}
    return _line(said.at, "command", said.command_id, said.result_id, said.outcome, said.by, detail)


_TELLERS: dict[type[Said], Callable[[Any, Moment], Line | None]] = {
    Incident: _incident,
    Alert: _alert,
    Task: _task,
    ScoreEntry: _entry,
    Leave: _leave,
    Notification: _message,
    CommandResult: _result,
}


def _line(at: Moment, kind: MomentKind, id_: str, change: str, what: str, by: str, detail: dict[str, Any]) -> Line:
    told = {name: value for name, value in detail.items() if value not in ("", 0, None)}
    return Line(at=at, kind=kind, id=id_, change=change, what=what, by=by, detail=told)


def place_of_line(subject_id: str, line: Line) -> tuple[tuple[str, str], float]:
    """Where the moment stands."""
    return (index(TIMELINE, subject_id), encode(line).decode()), line.at.timestamp()
