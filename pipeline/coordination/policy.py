"""Which tasks follow from what, by when, and for whom: the task rules, read from YAML."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.alerting.policy import QuietHours, Seconds
from pipeline.rulebook import read_rules
from schemas.incident import IncidentType
from schemas.message import Invalid
from schemas.reference import Severity
from schemas.score import EntryState


class Cause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a task: incidents (`at_least` within `within_s`), an entry's state, a leave's state, a colour."""

    incidents: tuple[IncidentType, ...] = ()
    at_least: Annotated[int, msgspec.Meta(ge=1)] = 1
    within_s: Seconds = 86400.0
    entry_states: tuple[EntryState, ...] = ()
    leave_states: tuple[Literal["asked", "approved"], ...] = ()
    colour_task: str = ""


class TaskClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of task, what makes it and what closes it. `agency`: empty for the person's own.

    While one of a clause is open for a person, incidents make no second one; each entry and leave has its own.
    """

    made_by: Cause
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    agency: str = ""
    role: Literal["officer", "supervisor", "agency"] = "officer"
    title: str = ""
    severity: Severity = "medium"
    due_s: Seconds | None = None
    accept_within_s: Seconds | None = None
    done_by: tuple[IncidentType, ...] = ()


class TaskRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the task rules; the YAML file beside this module says what each word does."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    time_zone: str = "Asia/Shanghai"
    keep_closed_days: Annotated[float, msgspec.Meta(gt=0, le=400)] = 30.0
    quiet_hours: QuietHours | None = None
    due_s: Seconds = 86400.0
    remind_s: Seconds = 3600.0
    escalate_again_s: Seconds = 86400.0
    clauses: dict[str, TaskClause]


def check_task_rules(rules: TaskRules) -> None:
    """Nothing, if the rules make sense.

    Raises:
        Invalid: and which word is wrong.
    """
    try:
        ZoneInfo(rules.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"no time zone {rules.time_zone!r}; write one like Asia/Shanghai", "$.time_zone") from error
    if rules.quiet_hours is not None and rules.quiet_hours.start == rules.quiet_hours.end:
        raise Invalid("quiet hours must end at another time than they start", "$.quiet_hours.end")
    for name, clause in rules.clauses.items():
        by = clause.made_by
        if not (by.incidents or by.entry_states or by.leave_states or by.colour_task):
            raise Invalid(
                "nothing makes this task: name incidents, states or a colour's task", f"$.clauses.{name}.made_by"
            )


def read_task_rules(text: str) -> TaskRules:
    """The task rules in a YAML `text`.

    Raises:
        Invalid: what is wrong, and at which word.
    """
    rules = read_rules(text, TaskRules)
    check_task_rules(rules)
    return rules
