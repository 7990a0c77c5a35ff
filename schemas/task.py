"""Tasks: work that an agency owns until it is done, declined or handed over."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.alert import Notice
from schemas.message import Id, Message, Moment
from schemas.reference import Severity

TaskState = Literal["open", "received", "accepted", "done", "declined", "cancelled"]

TaskEvent = Literal[
    "created", "received", "accepted", "handed_over", "reminded", "escalated", "done", "declined", "cancelled"
]

TASK_KINDS = (
    "video_check",
    "visit",
    "measure_review",
    "device_exchange",
    "leave_decision",
    "appeal_decision",
    "entry_review",
    "transfer",
    "deadline",
    "other",
)
"""Kinds that ship with rules and texts; an installation may name others."""


class Task(Message, frozen=True, kw_only=True):
    """A task as it stands after `event`, on the topic `tasks`, key `subject_id`; the latest of a `task_id` holds.

    `change_id` is the id of this message; `seq` counts the messages of one task from 1.
    """

    task_id: Id
    change_id: Id
    seq: Annotated[int, msgspec.Meta(ge=1)]
    event: TaskEvent
    state: TaskState
    at: Moment
    by: Annotated[str, msgspec.Meta(description="who did this; a rule's name in front of a colon for rule:<name>")] = ""
    subject_id: Id
    kind: Id
    title: str = ""
    severity: Severity = "medium"
    agency: Annotated[Id, msgspec.Meta(description="the agency that owns it now")]
    role: Literal["officer", "supervisor", "agency"] = "officer"
    owner: Annotated[str, msgspec.Meta(description="the principal who accepted it")] = ""
    from_agency: Annotated[str, msgspec.Meta(description="who asked for it, or handed it over last")] = ""
    created_at: Moment
    created_by: str
    due_at: Moment | None = None
    received_at: Moment | None = None
    accepted_at: Moment | None = None
    closed_at: Moment | None = None
    outcome: str = ""
    reason: str = ""
    reminders: Annotated[int, msgspec.Meta(ge=0)] = 0
    level: Annotated[int, msgspec.Meta(ge=0)] = 0
    incident_id: str = ""
    alert_id: str = ""
    entry_id: str = ""
    rule_version: str = ""
    details: dict[str, Any] = {}
    tell: tuple[Notice, ...] = ()
