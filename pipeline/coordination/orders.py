"""What does a person's command do to a task? One row of a table a command, or a refusal with its reason."""

from collections.abc import Callable
from datetime import datetime

from pipeline.answers import answer
from pipeline.authority import Refusal, refusal
from pipeline.coordination import work as life
from pipeline.coordination.work import ACTIVE, Act, Bureau, Work
from pipeline.step import Emission
from schemas.command import (
    AcceptTask,
    CancelTask,
    CreateTask,
    DeclineTask,
    FinishTask,
    HandOverTask,
    ReceiveTask,
)
from schemas.ids import event_id
from schemas.task import Task, TaskEvent

TaskCommand = ReceiveTask | AcceptTask | HandOverTask | FinishTask | DeclineTask | CancelTask

OBEYED: dict[type, tuple[str, ...]] = {
    ReceiveTask: ("open",),
    AcceptTask: ("open", "received"),
    HandOverTask: ACTIVE,
    FinishTask: ("accepted",),
    DeclineTask: ACTIVE,
    CancelTask: ACTIVE,
}
"""In which states of a task a command is obeyed."""


def task_from(command: CreateTask) -> Task:
    """The task that a command asks for, before it is told to anyone."""
    task_id = event_id("task", command.command_id)
    return Task(
        task_id=task_id,
        change_id=task_id,
        seq=1,
        event="created",
        state="open",
        at=command.at,
        by=command.by,
        subject_id=command.subject_id,
        kind=command.task_kind,
        title=command.title,
        severity=command.severity,
        agency=command.to_agency,
        role=command.to_role,
        from_agency=command.agency,
        created_at=command.at,
        created_by=command.by,
        due_at=command.due_at,
        reason=command.reason,
        incident_id=command.incident_id,
        alert_id=command.alert_id,
        entry_id=command.entry_id,
        details=command.details,
    )


def obey(work: Work | None, command: TaskCommand, bureau: Bureau, at: datetime) -> tuple[Work | None, list[Emission]]:
    """The task after `command` (None: unchanged), and what is to be sent: the change, and the result."""
    refused = _refused(work, command)
    if refused is not None or work is None:
        return None, [answer(command, "refused", refused)]
    after = _DEEDS[type(command)](work, command, bureau, at)
    return after, [life.change_of(after), answer(command, "done", effect=after.task.task_id)]


def _refused(work: Work | None, command: TaskCommand) -> Refusal | None:
    if work is None:
        return Refusal("unknown_task", f"{command.subject_id} has no task {command.task_id} that is still kept")
    task = work.task
    owners = {task.agency, work.asked_by} if isinstance(command, CancelTask) else {task.agency}
    refused = refusal(command, owners)
    if refused is not None:
        return refused
    if task.state not in OBEYED[type(command)]:
        first = "; accept it first" if isinstance(command, FinishTask) and task.state in ACTIVE else ""
        return Refusal("wrong_state", f"the task is {task.state}{first}")
    return _not_theirs(task, command)


def _not_theirs(task: Task, command: TaskCommand) -> Refusal | None:
    if isinstance(command, AcceptTask | FinishTask) and task.role == "supervisor" and command.role == "officer":
        return Refusal("no_authority", "the task is for a supervisor")
    theirs = isinstance(command, FinishTask | HandOverTask | DeclineTask) and task.owner not in ("", command.by)
    if theirs and command.role != "supervisor":
        return Refusal("not_owner", f"{task.owner} has accepted the task; they or a supervisor may do this")
    return None


def _hand_over(work: Work, command: HandOverTask, bureau: Bureau, at: datetime) -> Work:
    act = Act(at, command.command_id, command.by)
    due_at = command.due_at or work.task.due_at
    return life.handed_over(
        work, act, bureau, agency=command.to_agency, role=command.to_role, due_at=due_at, reason=command.reason
    )


def _close(event: TaskEvent) -> Callable[..., Work]:
    def close(work: Work, command: TaskCommand, bureau: Bureau, at: datetime) -> Work:
        outcome = command.outcome if isinstance(command, FinishTask) else ""
        act = Act(at, command.command_id, command.by)
        return life.closed(work, event, act, bureau, outcome=outcome, reason=command.reason)

    return close


_DEEDS: dict[type, Callable[..., Work]] = {
    ReceiveTask: lambda work, command, _bureau, at: life.received(work, Act(at, command.command_id, command.by)),
    AcceptTask: lambda work, command, _bureau, at: life.accepted(work, Act(at, command.command_id, command.by)),
    HandOverTask: _hand_over,
    FinishTask: _close("done"),
    DeclineTask: _close("declined"),
    CancelTask: _close("cancelled"),
}
