"""What does a record do to the model? The table of topics, and what each is read as.

Every document is written from one topic only, and every other place that several topics share (a person's timeline) is
a set to which each adds its own. So it does not matter in which order records of different keys come, nor who of
several projects which partition; records of one key come in the order of their partition.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from pipeline.readmodel.cases import (
    alert_places,
    message_places,
    read_alert,
    read_message,
    read_result,
    read_task,
    result_places,
    task_places,
)
from pipeline.readmodel.checkins import call_places, read_call, read_plan
from pipeline.readmodel.draft import Draft, Places, Reading, retired
from pipeline.readmodel.facts import Breach, breach_places, incident_places, read_incident
from pipeline.readmodel.layout import DAY_S, KEPT_DAYS
from pipeline.readmodel.moments import Said, line_of, place_of_line
from pipeline.readmodel.people import (
    activation_places,
    leave_places,
    outage_places,
    read_activation,
    read_entry,
    read_fence,
    read_leave,
    read_outage,
    read_rules,
    read_score,
    read_subject,
)
from pipeline.step import Record
from schemas.alert import Alert
from schemas.checkin import CheckinCall
from schemas.command import CommandResult
from schemas.incident import Incident
from schemas.message import Invalid, Message, decode
from schemas.notification import Notification
from schemas.outage import Outage
from schemas.plan import CheckinPlan
from schemas.reference import Activation, Fence, Leave, Subject
from schemas.roster import RuleSet
from schemas.score import Score, ScoreEntry
from schemas.task import Task
from schemas.times import Instant, from_epoch
from schemas.topics import (
    ACTIVATIONS,
    ALERTS,
    CHECKIN_CALLS,
    CHECKIN_PLANS,
    COMMAND_RESULTS,
    FENCES,
    INCIDENTS,
    LEAVE_CHANGES,
    NOTIFICATIONS,
    OUTAGES,
    RULES,
    SCORE_ENTRIES,
    SCORES,
    SUBJECTS,
    TASKS,
    Topic,
)

_HISTORIES: dict[Topic, tuple[type[Any], Callable[[Any], Reading]]] = {
    # what happened: also a moment in the person's timeline
    INCIDENTS: (Incident, read_incident),
    ALERTS: (Alert, read_alert),
    TASKS: (Task, read_task),
    SCORE_ENTRIES: (ScoreEntry, read_entry),
    LEAVE_CHANGES: (Leave, read_leave),
    NOTIFICATIONS: (Notification, read_message),
    COMMAND_RESULTS: (CommandResult, read_result),
}
_OCCASIONS: dict[Topic, tuple[type[Any], Callable[[Any], Reading]]] = {
    # what happened, and is told in a timeline by the incidents that came of it
    CHECKIN_CALLS: (CheckinCall, read_call),
}
_STATES: dict[Topic, tuple[type[Any], Callable[[str, Any], Reading]]] = {
    # how it stands: the latest of a key, None where it is withdrawn
    SUBJECTS: (Subject, read_subject),
    ACTIVATIONS: (Activation, read_activation),
    SCORES: (Score, read_score),
    CHECKIN_PLANS: (CheckinPlan, read_plan),
    OUTAGES: (Outage, read_outage),
    RULES: (RuleSet, read_rules),
}

FACTS: tuple[Topic, ...] = (*_HISTORIES, *_OCCASIONS, *_STATES, FENCES)
"""The topics that are folded record by record; `fixes` has a way of its own (`pipeline.readmodel.positions`)."""

_HISTORY = {topic.name: known for topic, known in _HISTORIES.items()}
_OCCASION = {topic.name: known for topic, known in _OCCASIONS.items()}
_STATE = {topic.name: known for topic, known in _STATES.items()}


def read(record: Record) -> Reading:
    """What `record` does to the model.

    Raises:
        Invalid: it cannot be used.
    """
    written_at = from_epoch(record.timestamp_s)
    if record.topic in _HISTORY:
        kind, folder = _HISTORY[record.topic]
        said = decode(record.value, kind)
        return _with_moment(folder(said), said, written_at)
    if record.topic in _OCCASION:
        kind, folder = _OCCASION[record.topic]
        return folder(decode(record.value, kind))
    try:
        key = record.key.decode()
    except UnicodeDecodeError as error:
        raise Invalid("the record's key is not UTF-8") from error
    if record.topic == FENCES.name:
        return read_fence(key, decode(record.value, Fence) if record.value else None, written_at)
    if record.topic not in _STATE:
        raise Invalid(f"{record.topic} is not part of the read model")
    state, keeper = _STATE[record.topic]
    return keeper(key, decode(record.value, state) if record.value else None)


def _with_moment(reading: Reading, said: Said, written_at: Instant) -> Reading:
    line = line_of(said, written_at)
    if line is None or said.subject_id.startswith("area:"):
        return reading
    place, score = place_of_line(said.subject_id, line)

    def apply(draft: Draft) -> None:
        reading.apply(draft)
        draft.move({}, {place: score})

    return Reading(reading.wants, apply)


_OLD: dict[str, tuple[type[Message], Callable[[Any], Places]]] = {
    "alerts": (Alert, alert_places),
    "tasks": (Task, task_places),
    "messages": (Notification, message_places),
    "results": (CommandResult, result_places),
    "incidents": (Incident, incident_places),
    "breaches": (Breach, breach_places),
    "activations": (Activation, activation_places),
    "leaves": (Leave, leave_places),
    "outages": (Outage, outage_places),
    "calls": (CheckinCall, call_places),
}


def horizon_s(table: str, now: datetime) -> float:
    """Documents of `table` that were over before this moment (seconds since 1970) are let go."""
    return now.timestamp() - KEPT_DAYS[table] * DAY_S


def retire(table: str, keys: Iterable[str]) -> list[Reading]:
    """What lets documents of `table` go that are too old."""
    kind, places = _OLD[table]
    return [retired((table, key), kind, places) for key in keys]
