"""What the system is told before it judges: subjects, activations, fences, leaves; all on compacted topics."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.fix import Datum
from schemas.message import Id, Message, Moment

Severity = Literal["low", "medium", "high", "critical"]
Rule = Literal["stay_in", "keep_out"]


class Subject(Message, frozen=True, kw_only=True):
    """A supervised person, under a reference that says nothing of who it is; key `subject_id`."""

    subject_id: Id
    agency: Id
    case_ref: str = ""
    time_zone: str = "Asia/Shanghai"
    language: Literal["zh-CN", "en"] = "zh-CN"
    stage: str = ""
    contacts: dict[str, str] = {}


class Activation(Message, frozen=True, kw_only=True):
    """Which device is on which subject, under which order, from when to when; key `activation_id`.

    Partitioned by `device_id` (as `fixes` is), so that a worker holds only those of its own devices.
    """

    activation_id: Id
    device_id: Id
    subject_id: Id
    order_id: Id
    agency: Id
    legal_basis: str = ""
    starts_at: Moment
    ends_at: Moment | None = None
    expected_period_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] | None = None


class Confirm(Message, frozen=True, kw_only=True):
    """How sure to be before a breach opens: at least `fixes` over at least `span_s` seconds.

    Absent: the verdict engine decides by its evidence alone.
    """

    fixes: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    span_s: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 0.0


class Window(Message, frozen=True, kw_only=True):
    """A time when a fence's duty holds, weekly: from `start` to `end` (HH:MM, local time) on `days`.

    `end` not after `start` runs past midnight. `days`: 0 Monday to 6 Sunday, of the window's start.
    """

    start: Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    end: Annotated[str, msgspec.Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
    days: tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)


class Recurrence(Message, frozen=True, kw_only=True):
    """A time when a fence's duty holds, by iCalendar: `rrule` (RFC 5545) from `dtstart` (local), each `duration_s`."""

    rrule: str
    dtstart: Annotated[str, msgspec.Meta(description="local time, 2026-11-23T21:00:00")]
    duration_s: Annotated[float, msgspec.Meta(gt=0)]


class Schedule(Message, frozen=True, kw_only=True):
    """When a duty holds: any of the windows or recurrences, less the exceptions; holidays may be left out."""

    time_zone: str
    windows: tuple[Window, ...] = ()
    recurrences: tuple[Recurrence, ...] = ()
    exceptions: Annotated[tuple[str, ...], msgspec.Meta(description="local dates, 2026-12-25, without duty")] = ()
    holidays: Annotated[str, msgspec.Meta(description="country code whose public holidays are without duty")] = ""


class FenceProperties(Message, frozen=True, kw_only=True):
    """What a fence's GeoJSON Feature says beside its shape."""

    fence_id: Id
    version: Annotated[int, msgspec.Meta(ge=1)] = 1
    name: str = ""
    rule: Rule
    subjects: Annotated[tuple[str, ...], msgspec.Meta(description="absent: all under the fence's agency")] | None = None
    datum: Datum
    buffer_m: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.0
    schedule: Schedule | None = None
    confirm: Confirm | None = None
    severity: Severity = "medium"
    agency: Id = "default"
    effective_from: Moment | None = None


class Fence(Message, frozen=True, kw_only=True):
    """A fence: a GeoJSON Feature (RFC 7946) with `FenceProperties`; key `fence_id`.

    `geometry` is judged by `fences.shape`: Polygon, MultiPolygon, LineString or Point (the last two with `buffer_m`).
    """

    type: Literal["Feature"]
    geometry: dict[str, Any]
    properties: FenceProperties


class FenceCollection(Message, frozen=True, kw_only=True):
    """A GeoJSON file of fences, each still unread so that one bad fence costs only itself."""

    type: Literal["FeatureCollection"]
    features: tuple[msgspec.Raw, ...]


class Leave(Message, frozen=True, kw_only=True):
    """A time in which a subject may be elsewhere; key `leave_id`.

    While it runs, `stay_in` duties of `fences` (absent: all of them) are met anywhere inside `region`
    (GeoJSON geometry; absent: anywhere).
    """

    leave_id: Id
    subject_id: Id
    starts_at: Moment
    ends_at: Moment
    state: Literal["asked", "approved", "refused", "withdrawn", "ended"] = "asked"
    reason: str = ""
    fences: tuple[str, ...] | None = None
    region: dict[str, Any] | None = None
    region_datum: Datum = "wgs84"
    decided_by: str = ""
