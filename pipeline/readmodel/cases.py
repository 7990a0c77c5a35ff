"""Where do alerts, tasks and messages stand? Each by its latest record, and in the lists in which it is looked for."""

import msgspec

from pipeline.alerting.policy import RANK
from pipeline.readmodel.draft import Places, Reading, Told, kept
from pipeline.readmodel.layout import age, index, joined, of_subject
from schemas.alert import Alert, AlertState
from schemas.command import CommandResult
from schemas.notification import Notification
from schemas.task import Task, TaskState

ALERT_OPEN: frozenset[AlertState] = frozenset({"wearer", "open", "acknowledged"})
TASK_OPEN: frozenset[TaskState] = frozenset({"open", "received", "accepted"})
MESSAGE_OVER = frozenset({"delivered", "dead", "withdrawn"})

SEVERITY_STEP = 1e12
"""More than any moment in seconds: severity first, then time."""
NEVER_DUE = 1e12


def alert_places(alert: Alert) -> Places:
    """Open: worst, then oldest first. Closed: by when it was closed."""
    name, subject = alert.alert_id, alert.subject_id
    raised_s = alert.raised_at.timestamp()
    places: Places = {
        (of_subject("alerts", subject), name): raised_s,
        (index("alerts-raised", alert.agency), name): raised_s,
    }
    if alert.state in ALERT_OPEN:
        places[index("alerts-open", alert.agency), name] = raised_s - RANK[alert.severity] * SEVERITY_STEP
        places[index("alerts-open-of", alert.agency), joined(subject, name)] = raised_s
    else:
        places[index("alerts-closed", alert.agency), name] = alert.at.timestamp()
        places[age("alerts"), name] = alert.at.timestamp()
    return places


def read_alert(alert: Alert) -> Reading:
    """Keep `alert` unless a later record of it is known."""

    def told(old: Alert | None, new: Alert | None) -> list[Told]:
        agencies = {one.agency for one in (old, new) if one is not None}
        return [Told("alert", alert.alert_id, alert.subject_id, tuple(sorted(agencies)))]

    bare = msgspec.structs.replace(alert, tell=())
    return kept(("alerts", alert.alert_id), bare, Alert, alert_places, told, lambda old, new: new.seq > old.seq)


def task_places(task: Task) -> Places:
    """Open: by due time. An open task lets its agency see the person: the index ``handed``."""
    name = task.task_id
    places: Places = {(of_subject("tasks", task.subject_id), name): task.created_at.timestamp()}
    if task.state in TASK_OPEN:
        due_s = NEVER_DUE if task.due_at is None else task.due_at.timestamp()
        places[index("tasks-open", task.agency), name] = due_s
        places[index("handed", task.agency), joined(task.subject_id, name)] = 0.0
    else:
        places[index("tasks-closed", task.agency), name] = task.at.timestamp()
        places[age("tasks"), name] = task.at.timestamp()
    return places


def read_task(task: Task) -> Reading:
    """Keep `task` unless a later record of it is known; told to who has it now and who had it before."""

    def told(old: Task | None, new: Task | None) -> list[Told]:
        agencies = {agency for one in (old, new) if one is not None for agency in (one.agency, one.from_agency)}
        return [Told("task", task.task_id, task.subject_id, tuple(sorted(agencies - {""})))]

    bare = msgspec.structs.replace(task, tell=())
    return kept(("tasks", task.task_id), bare, Task, task_places, told, lambda old, new: new.seq > old.seq)


def message_places(message: Notification) -> Places:
    """By person, and those to the person apart."""
    name, subject, at_s = message.notification_id, message.subject_id, message.at.timestamp()
    places: Places = {(of_subject("messages", subject), name): at_s}
    if message.audience == "subject":
        places[of_subject("own-messages", subject), name] = at_s
    if message.state in MESSAGE_OVER:
        places[age("messages"), name] = at_s
    return places


def read_message(message: Notification) -> Reading:
    """Keep `message` unless a later record of it is known; the person hears of what is for them."""

    def told(old: Notification | None, _: Notification | None) -> list[Told]:
        mine = message.audience == "subject" and (old is None or old.state != message.state)
        return [Told("message", message.notification_id, message.subject_id)] if mine else []

    row = ("messages", message.notification_id)
    return kept(row, message, Notification, message_places, told, lambda old, new: new.seq > old.seq)


def result_places(result: CommandResult) -> Places:
    """For letting it go; that somebody read their rights and duties is kept, by the text's version."""
    if result.kind == "rights.confirm" and result.outcome == "done":
        return {(index("rights", result.subject_id), result.effect): result.at.timestamp()}
    return {(age("results"), result.command_id): result.at.timestamp()}


def read_result(result: CommandResult) -> Reading:
    """Keep what became of a command; that it waits is never the last word over what it came to."""
    row = ("results", result.command_id)
    return kept(
        row,
        result,
        CommandResult,
        result_places,
        lambda old, new: [Told("result", result.command_id, result.subject_id, to=result.by)],  # noqa: ARG005
        lambda old, new: old.outcome == "waiting" and new != old,
    )
