"""What does a console's reader answer? The types of docs/api.md, field by field."""

from typing import Any, Literal

import msgspec

from pipeline.alerting.precision import Precision
from pipeline.readmodel.moments import MomentKind
from schemas.alert import AlertEvent, AlertState, Area, Outcome
from schemas.incident import Incident
from schemas.message import Id, Message, Moment
from schemas.reference import Activation, Fence, Leave, Severity
from schemas.score import Colour, Score, ScoreEntry
from schemas.task import Task, TaskEvent, TaskState

PersonState = Literal["ok", "breach", "silent", "alert", "ended"]

COLOURS: dict[str, int] = {"green": 0, "yellow": 1, "red": 2}
"""As `Positions` writes them."""
STATES: dict[str, int] = {"ok": 0, "breach": 1, "silent": 2, "alert": 3}


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The same in both languages."""

    en: str
    zh: str = msgspec.field(name="zh-CN")


class AlertView(Message, frozen=True, kw_only=True):
    """`schemas.alert.Alert` as it stands, in words too."""

    alert_id: Id
    change_id: Id
    seq: int
    event: AlertEvent
    state: AlertState
    at: Moment
    by: str = ""
    subject_id: Id
    agency: str
    rule: str
    rule_version: str = ""
    severity: Severity
    incident_type: str
    fence_id: str = ""
    fence_name: str = ""
    device_id: str = ""
    raised_at: Moment
    first_occurred_at: Moment
    last_occurred_at: Moment
    count: int = 1
    incident_ids: tuple[str, ...] = ()
    ended_at: Moment | None = None
    late: bool = False
    confidence: float = 1.0
    attributable: bool = True
    delivered_at: Moment | None = None
    acknowledged_by: str = ""
    acknowledged_at: Moment | None = None
    outcome: Outcome | None = None
    note: str = ""
    level: int = 0
    escalates_at: Moment | None = None
    area: Area | None = None
    sentence: Words


class TaskView(Message, frozen=True, kw_only=True):
    """`schemas.task.Task` as it stands."""

    task_id: Id
    change_id: Id
    seq: int
    event: TaskEvent
    state: TaskState
    at: Moment
    by: str = ""
    subject_id: Id
    kind: Id
    title: str = ""
    severity: Severity = "medium"
    agency: Id
    role: Literal["officer", "supervisor", "agency"] = "officer"
    owner: str = ""
    from_agency: str = ""
    created_at: Moment
    created_by: str
    due_at: Moment | None = None
    received_at: Moment | None = None
    accepted_at: Moment | None = None
    closed_at: Moment | None = None
    outcome: str = ""
    reason: str = ""
    reminders: int = 0
    level: int = 0
    incident_id: str = ""
    alert_id: str = ""
    entry_id: str = ""
    rule_version: str = ""
    details: dict[str, Any] = {}


def task_view(task: Task) -> TaskView:
    """`task` without what the notifier is told."""
    return TaskView(**{name: getattr(task, name) for name in TaskView.__struct_fields__})


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts, at most as many as asked for, of `total`."""

    alerts: tuple[AlertView, ...]
    total: int
    now: Moment


class TaskList(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks, at most as many as asked for, of `total`."""

    tasks: tuple[TaskView, ...]
    total: int
    now: Moment


class _Person(msgspec.Struct, frozen=True, kw_only=True):
    subject_id: Id
    agency: str
    case_ref: str = ""
    stage: str = ""
    language: str = "zh-CN"
    time_zone: str = "Asia/Shanghai"
    colour: Colour = "green"
    points: int = 100
    order_id: str = ""
    legal_basis: str = ""
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    device_ids: tuple[str, ...] = ()
    open_alerts: int = 0
    state: PersonState = "ok"


class Person(_Person, frozen=True, kw_only=True):
    """Somebody, as the map and the search know them."""


class People(msgspec.Struct, frozen=True, kw_only=True):
    """Everyone of an agency."""

    people: tuple[Person, ...]
    now: Moment


class DeviceView(Message, frozen=True, kw_only=True):
    """A device that somebody wears."""

    device_id: Id
    fix_time: Moment | None = None
    battery_pct: float | None = None
    silent_since: Moment | None = None


class BreachView(Message, frozen=True, kw_only=True):
    """A breach, open as long as it has no `until`."""

    breach_id: Id
    fence_id: str = ""
    fence_name: str = ""
    since: Moment | None = None
    until: Moment | None = None
    incident_id: str = ""


class CheckinView(Message, frozen=True, kw_only=True):
    """What came of a check-in."""

    incident_id: Id
    type: str
    at: Moment


class MessageView(Message, frozen=True, kw_only=True):
    """A message to the person or about the person."""

    id: Id
    at: Moment
    title: str = ""
    body: str = ""
    link: str = ""
    state: str
    urgent: bool = False
    audience: str = ""
    recipient: str = ""
    channel: str = ""
    reason: str = ""


class Card(_Person, frozen=True, kw_only=True):
    """Somebody, as an officer needs to know them."""

    score: Score | None
    activations: tuple[Activation, ...] = ()
    devices: tuple[DeviceView, ...] = ()
    alerts: tuple[AlertView, ...] = ()
    tasks: tuple[TaskView, ...] = ()
    leaves: tuple[Leave, ...] = ()
    breaches: tuple[BreachView, ...] = ()
    checkins: tuple[CheckinView, ...] = ()
    messages: tuple[MessageView, ...] = ()


class TimelineMoment(Message, frozen=True, kw_only=True):
    """Something that happened to a person (`Moment` in docs/api.md)."""

    at: Moment
    kind: MomentKind
    id: Id
    title: Words
    by: str = ""
    detail: dict[str, Any]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a person, the latest first."""

    timeline: tuple[TimelineMoment, ...]


class LedgerLine(msgspec.Struct, frozen=True, kw_only=True):
    """An entry, what it adds to the score now, and why."""

    entry_id: Id
    occurred_at: Moment
    effect: int
    en: str
    zh: str = msgspec.field(name="zh-CN")
    entry: ScoreEntry


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """A person's account: the effects add up from 100 to the score."""

    score: Score | None
    lines: tuple[LedgerLine, ...]


class Positions(msgspec.Struct, frozen=True, kw_only=True):
    """Where everyone is, a row a device; see docs/api.md for the numbers."""

    columns: tuple[str, ...] = (
        "device_id",
        "subject_id",
        "t",
        "lat",
        "lon",
        "accuracy_m",
        "colour",
        "state",
        "verdict",
    )
    rows: list[tuple[str, str, int, float, float, float | None, int, int, int]]
    now: Moment


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Where a person was, thinned; with the fences and incidents of that time."""

    subject_id: Id
    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")
    columns: tuple[str, ...] = ("t", "lat", "lon", "accuracy_m", "speed_mps", "device")
    rows: list[tuple[int, float, float, float | None, float | None, int]]
    devices: tuple[str, ...]
    fences: dict[str, Any]
    incidents: tuple[Incident, ...]
    truncated: bool = False


class FenceVersions(msgspec.Struct, frozen=True, kw_only=True):
    """A fence as it was drawn, the latest first."""

    versions: tuple["FenceVersionView", ...]


class FenceVersionView(msgspec.Struct, frozen=True, kw_only=True):
    """One version, as stored."""

    version: int
    said_at: Moment
    feature: Fence


class AlertNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts now. overdue: nobody acknowledged them before they were to be escalated."""

    open: int
    unacknowledged: int
    overdue: int


class TaskNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks now."""

    open: int
    overdue: int


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took to acknowledge, seconds. `histogram`: (up to, how many); null: longer."""

    count: int
    mean_s: float | None
    median_s: float | None
    p90_s: float | None
    histogram: tuple[tuple[float | None, int], ...]


class Silent(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is not heard."""

    device_id: Id
    subject_id: Id
    since: Moment


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has in hand."""

    principal: str
    alerts: int
    tasks: int


class DayNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of a day, by the agency's clock."""

    day: str
    raised: int
    acknowledged: int
    resolved: int


class ColourNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """People by colour."""

    green: int
    yellow: int
    red: int


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """How an agency does."""

    now: Moment
    days: int
    alerts: AlertNumbers
    tasks: TaskNumbers
    acknowledged: Acknowledged
    precision: tuple[Precision, ...]
    silent: tuple[Silent, ...]
    load: tuple[Load, ...]
    by_day: tuple[DayNumbers, ...]
    people: ColourNumbers


class Duty(Message, frozen=True, kw_only=True):
    """A fence as its person must keep it."""

    fence_id: Id
    name: str = ""
    rule: str
    now: bool
    changes_at: Moment | None = None
    feature: dict[str, Any]


class DueCheckin(Message, frozen=True, kw_only=True):
    """A check-in of the day."""

    slot_id: Id
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    state: str


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What the person has to do now."""

    now: Moment
    person: Person
    duties: tuple[Duty, ...]
    leaves: tuple[Leave, ...]
    checkins: tuple[DueCheckin, ...]
    state: PersonState


class Messages(msgspec.Struct, frozen=True, kw_only=True):
    """Messages to the person, the latest first."""

    messages: tuple[MessageView, ...]
