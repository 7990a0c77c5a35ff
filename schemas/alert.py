"""Alerts: what officers, and first of all the wearer, are told about incidents."""

from typing import Annotated, Literal

import msgspec

from schemas.message import Id, Message, Moment
from schemas.reference import Severity

AREA_PREFIX = "area:"
"""An alert that is about many people at once has `subject_id` = ``area:<agency>``, and so have commands about it."""

AlertState = Literal["wearer", "open", "acknowledged", "resolved", "cleared"]
"""wearer: only the wearer was told yet, with time to put it right. cleared: it ended by itself, nobody need act."""

AlertEvent = Literal[
    "raised",
    "counted",
    "worsened",
    "told",
    "delivered",
    "acknowledged",
    "handed_over",
    "escalated",
    "ended",
    "resolved",
    "cleared",
]
"""handed_over: someone else has it now (`acknowledged_by`), and is told.
told: the wearer's time is over, officers are told. ended: the incident is over, a human has yet to resolve it.
worsened: a higher severity than before joined the group; people are told again, whatever they acknowledged."""

Outcome = Literal[
    "true_breach",
    "authorised",
    "false_alarm_gps",
    "false_alarm_device",
    "false_alarm_identity",
    "outage",
    "test",
    "other",
]

Audience = Literal["subject", "officer", "supervisor", "agency"]


class Notice(Message, frozen=True, kw_only=True):
    """Someone is to be told something, once: what the notifier reads from `Alert.tell` and `Task.tell`.

    `recipient` is a principal from a roster, a subject_id, or empty for whoever of `audience` in `agency` is reachable.
    `not_before` holds back what is not urgent over quiet hours. `notice_id` is the same at every replay: one message a
    channel for each.
    """

    notice_id: Id
    audience: Audience
    recipient: str = ""
    agency: str = ""
    template: Annotated[str, msgspec.Meta(description="which text: an alert's rule or a task's kind, and the event")]
    urgent: Annotated[bool, msgspec.Meta(description="breaks quiet hours and goes before all others")] = False
    not_before: Moment | None = None
    channels: Annotated[tuple[str, ...], msgspec.Meta(description="in order of preference; empty: the default")] = ()
    level: Annotated[int, msgspec.Meta(ge=0, description="step of the escalation chain")] = 0


class Area(Message, frozen=True, kw_only=True):
    """Where an outage is, as far as the last known positions tell, and whom it touches."""

    subjects: Annotated[int, msgspec.Meta(ge=1, description="how many people")]
    still: Annotated[int, msgspec.Meta(ge=0, description="how many of them are not back yet")] = 0
    south: float | None = None
    west: float | None = None
    north: float | None = None
    east: float | None = None
    carriers: Annotated[dict[str, int], msgspec.Meta(description="people by mobile network")] = {}
    examples: Annotated[tuple[str, ...], msgspec.Meta(description="some of their subject_ids", max_length=20)] = ()


class Alert(Message, frozen=True, kw_only=True):
    """An alert as it stands after `event`, on the topic `alerts`, key `subject_id`; the latest of an `alert_id` holds.

    `change_id` is the id of this message; `seq` counts the messages of one alert from 1.
    """

    alert_id: Id
    change_id: Id
    seq: Annotated[int, msgspec.Meta(ge=1)]
    event: AlertEvent
    state: AlertState
    at: Annotated[Moment, msgspec.Meta(description="when this happened: of the incident, the command or the timer")]
    by: Annotated[str, msgspec.Meta(description="who, when a person did it")] = ""
    subject_id: Id
    agency: str
    rule: Annotated[str, msgspec.Meta(description="the clause of the alert rules, e.g. breach, tamper, outage")]
    rule_version: str = ""
    severity: Severity
    incident_type: str
    fence_id: str = ""
    fence_name: str = ""
    device_id: str = ""
    raised_at: Moment
    first_occurred_at: Moment
    last_occurred_at: Moment
    count: Annotated[int, msgspec.Meta(ge=1, description="incidents in this alert")] = 1
    incident_ids: Annotated[tuple[str, ...], msgspec.Meta(description="the first and the latest ones")] = ()
    ended_at: Annotated[Moment, msgspec.Meta(description="when the incident was over")] | None = None
    late: bool = False
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    attributable: bool = True
    delivered_at: Moment | None = None
    acknowledged_by: str = ""
    acknowledged_at: Moment | None = None
    outcome: Outcome | None = None
    note: str = ""
    level: Annotated[int, msgspec.Meta(ge=0, description="how far up the escalation chain it has gone")] = 0
    escalates_at: Moment | None = None
    area: Area | None = None
    tell: tuple[Notice, ...] = ()


class Delivery(Message, frozen=True, kw_only=True):
    """What alerts and tasks need to know of a message on `notifications` (key `subject_id`): it reached someone.

    A view: the notifier's own message may say much more.
    """

    subject_id: Id
    notice_id: Id
    state: str
    at: Moment
    alert_id: str = ""
    task_id: str = ""
    recipient: str = ""
    channel: str = ""


class Signal(Message, frozen=True, kw_only=True):
    """An incident that may be part of something bigger, on `alert-signals`, key ``area:<agency>``.

    One person's alerts are decided by subject; whether a whole area went quiet is decided by agency. `over`: the
    incident has ended (the device is back, an officer settled it).
    """

    signal_id: Id
    area_key: Annotated[str, msgspec.Meta(pattern="^area:")]
    agency: str
    rule: str
    subject_id: Id
    incident_id: Id
    occurred_at: Moment
    detected_at: Moment
    over: bool = False
    lat: float | None = None
    lon: float | None = None
    carrier: str = ""
    outage_id: Annotated[str, msgspec.Meta(description="when the incident came marked as part of an outage")] = ""


class Release(Message, frozen=True, kw_only=True):
    """The answer to a `Signal`, on `alert-releases`, key `subject_id`.

    alone: not part of an outage, alert for this person. absorbed: in the outage's alert. still: the outage is over and
    this person is not back, alert.
    """

    release_id: Id
    subject_id: Id
    rule: str
    incident_id: Id
    verdict: Literal["alone", "absorbed", "still"]
    alert_id: str = ""
    at: Moment
