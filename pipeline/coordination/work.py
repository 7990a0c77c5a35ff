"""One task through its life: what each event makes of it.

| event | from | to | people told |
| --- | --- | --- | --- |
| created | - | open | the role it is for |
| received | open | received | - |
| accepted | open, received | accepted | - |
| handed_over | open, received, accepted | open, of another agency or role | the new role |
| reminded (timer) | open, received, accepted | the same | the owner, else the role |
| escalated (timer, when due and once more) | open, received, accepted | the same | supervisors, then the agency |
| done | accepted (by a person), any open one (by a rule) | done | - |
| declined | open, received, accepted | declined | the supervisors of whoever asked |
| cancelled | open, received, accepted | cancelled | the owner, if there is one |
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from pipeline.alerting.policy import ChainStep
from pipeline.alerting.roster import Rosters
from pipeline.alerting.routing import step_notices
from pipeline.coordination.policy import TaskRules
from pipeline.step import Emission
from schemas.alert import Notice
from schemas.ids import event_id
from schemas.message import Message, Moment
from schemas.task import Task, TaskEvent
from schemas.times import instant

ACTIVE = ("open", "received", "accepted")
HIGHEST_LEVEL = 2


class Work(Message, frozen=True, kw_only=True):
    """A task and its timers. `clause`: the rule that made it; empty when a person did.

    `asked_by`: the agency that wanted it first, which may cancel it wherever it was handed to.
    """

    task: Task
    clause: str = ""
    asked_by: str = ""
    accept_by: Moment | None = None
    remind_at: Moment | None = None
    escalate_at: Moment | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is still to be done."""
        return self.task.state in ACTIVE

    def due_at(self) -> datetime | None:
        """When the next timer is due."""
        timers = (self.accept_by, self.remind_at, self.escalate_at)
        return min((one for one in timers if one is not None), default=None)


class Act(NamedTuple):
    """What happens to a task: when, by which command, event or due time, and by whom."""

    at: datetime
    cause: str
    by: str = ""


class Bureau(msgspec.Struct, frozen=True):
    """By what tasks are led: the rules in force, the rosters."""

    rules: TaskRules
    rosters: Rosters


def change_of(work: Work) -> Emission:
    """The last change of a task, to be sent."""
    return Emission("tasks", work.task.subject_id, work.task, work.task.change_id)


def created(task: Task, clause: str, accept_within_s: float | None, bureau: Bureau, at: datetime) -> Work:
    """A new task, told to the role it is for. Its `change_id`, `seq` and `event` are set here."""
    due_at = task.due_at or instant(at + timedelta(seconds=bureau.rules.due_s))
    task = msgspec.structs.replace(
        task,
        change_id=event_id("task-change", task.task_id, "created"),
        seq=1,
        event="created",
        state="open",
        due_at=due_at,
        created_at=instant(at),
        at=instant(at),
    )
    work = Work(task=task, clause=clause, asked_by=task.from_agency or task.agency)
    return _told(_timed(work, accept_within_s, bureau, at), bureau, at)


def _timed(work: Work, accept_within_s: float | None, bureau: Bureau, at: datetime) -> Work:
    due_at = work.task.due_at or at
    remind_at = due_at - timedelta(seconds=bureau.rules.remind_s)
    accept_by = at + timedelta(seconds=accept_within_s) if accept_within_s is not None else None
    return msgspec.structs.replace(
        work,
        accept_by=instant(accept_by) if accept_by is not None and accept_by < due_at else None,
        remind_at=instant(remind_at) if remind_at > at else None,
        escalate_at=instant(max(due_at, at + timedelta(seconds=1))),
    )


def _change(work: Work, event: TaskEvent, act: Act, **changes: object) -> Work:
    task = msgspec.structs.replace(
        work.task,
        **{
            "change_id": event_id("task-change", work.task.task_id, event, act.cause),
            "seq": work.task.seq + 1,
            "event": event,
            "at": instant(act.at),
            "by": act.by,
            "tell": (),
            **changes,
        },
    )
    return msgspec.structs.replace(work, task=task)


def _told(work: Work, bureau: Bureau, at: datetime) -> Work:
    """With notices to whoever the task's last event concerns."""
    task = work.task
    role, agency = task.role, task.agency
    if task.event == "escalated":
        role = "supervisor" if task.level < HIGHEST_LEVEL else "agency"
    elif task.event == "declined":
        role, agency = "supervisor", work.asked_by
    about = f"{task.change_id}"
    if task.owner and task.event in ("reminded", "cancelled"):
        notice = Notice(
            notice_id=event_id("notice", about, task.owner),
            audience=role,
            recipient=task.owner,
            agency=agency,
            template=f"task.{task.kind}.{task.event}",
            urgent=task.severity == "critical",
            level=task.level,
        )
        return msgspec.structs.replace(work, task=msgspec.structs.replace(task, tell=(notice,)))
    notices = step_notices(
        about=about,
        step=ChainStep(to=role, people="all", wait_s=1.0),
        level=task.level,
        agencies=(agency,),
        rosters=bureau.rosters,
        quiet=bureau.rules.quiet_hours,
        time_zone=bureau.rules.time_zone,
        at=at,
        severity=task.severity,
        template=f"task.{task.kind}.{task.event}",
        urgent=task.severity == "critical",
    )
    return msgspec.structs.replace(work, task=msgspec.structs.replace(task, tell=notices))


def received(work: Work, act: Act) -> Work:
    """It has come in."""
    return _change(work, "received", act, state="received", received_at=instant(act.at))


def accepted(work: Work, act: Act) -> Work:
    """Somebody does it."""
    at = instant(act.at)
    received_at = work.task.received_at or at
    taken = _change(work, "accepted", act, state="accepted", owner=act.by, accepted_at=at, received_at=received_at)
    return msgspec.structs.replace(taken, accept_by=None)


def handed_over(
    work: Work, act: Act, bureau: Bureau, *, agency: str, role: str, due_at: datetime | None, reason: str
) -> Work:
    """Another agency or role is to do it; its timers begin anew."""
    passed = _change(
        work,
        "handed_over",
        act,
        state="open",
        from_agency=work.task.agency,
        agency=agency,
        role=role,
        owner="",
        due_at=due_at,
        received_at=None,
        accepted_at=None,
        reason=reason,
    )
    clause = bureau.rules.clauses.get(work.clause)
    return _told(_timed(passed, clause.accept_within_s if clause else None, bureau, act.at), bureau, act.at)


def closed(work: Work, event: TaskEvent, act: Act, bureau: Bureau, *, outcome: str, reason: str) -> Work:
    """Done, declined or cancelled."""
    over = _change(work, event, act, state=event, closed_at=instant(act.at), outcome=outcome, reason=reason)
    over = msgspec.structs.replace(over, accept_by=None, remind_at=None, escalate_at=None)
    owner = work.task.owner
    tells = event == "declined" or (event == "cancelled" and owner not in ("", act.by))
    return _told(over, bureau, act.at) if tells else over


def timer_due(work: Work, bureau: Bureau, due_at: datetime) -> Work:
    """The task after the earliest of its timers, which is due: not accepted in time, nearly due, or overdue."""
    if work.accept_by is not None and work.accept_by <= due_at:
        return _reminded(msgspec.structs.replace(work, accept_by=None), bureau, due_at)
    if work.remind_at is not None and work.remind_at <= due_at:
        return _reminded(msgspec.structs.replace(work, remind_at=None), bureau, due_at)
    level = work.task.level + 1
    again = instant(due_at + timedelta(seconds=bureau.rules.escalate_again_s)) if level < HIGHEST_LEVEL else None
    higher = _change(work, "escalated", Act(due_at, str(instant(due_at))), level=level)
    return _told(msgspec.structs.replace(higher, escalate_at=again), bureau, due_at)


def _reminded(work: Work, bureau: Bureau, due_at: datetime) -> Work:
    moved = _change(work, "reminded", Act(due_at, str(instant(due_at))), reminders=work.task.reminders + 1)
    return _told(moved, bureau, due_at)
