"""Incidents: the one stream of all that may matter."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.message import Id, Message, Moment

IncidentType = Literal[
    "breach.opened",
    "breach.closed",
    "breach.corrected",
    "passage",
    "device.silent",
    "device.back",
    "device.tamper",
    "device.sos",
    "device.battery_low",
    "device.power_off",
    "device.clock_wrong",
    "device.stuck",
    "fix.implausible",
    "fix.mocked",
    "checkin.done",
    "checkin.missed",
    "checkin.doubtful",
    "checkin.rejected",
    "identity.doubtful",
    "identity.confirmed",
    "identity.refuted",
    "leave.started",
    "leave.ended",
]


class Incident(Message, frozen=True, kw_only=True):
    """A fact that may matter, on the topic `incidents`, key `subject_id`.

    `occurred_at`: when it happened, interpolated between fixes. `detected_at`: event time of the fix or timer that
    settled it. `emitted_at`: when the worker said so (the only field in which two runs over the same input may differ).
    """

    incident_id: Id
    type: IncidentType
    subject_id: Id
    activation_id: str = ""
    device_id: str = ""
    agency: str = ""
    fence_id: str = ""
    fence_version: int = 0
    fence_name: str = ""
    breach_id: str = ""
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    occurred_at: Moment
    detected_at: Moment
    emitted_at: Moment | None = None
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    late: bool = False
    attributable: Annotated[bool, msgspec.Meta(description="false: an outage or fault that is not the person's")] = True
    evidence: dict[str, Any] = {}
    rule_version: str = ""


class Rejection(Message, frozen=True, kw_only=True):
    """Input that could not be used, on `<topic>.rejected`: the bytes as they came, why, and from where.

    `source` names the way in (``fixes/3@1042``: topic, partition, offset; ``http:/v1/fixes``; ``mqtt:owntracks/...``).
    `raw` is base64 in JSON; `raw_truncated` when it was longer than is kept (`raw_sha256` is over the whole).
    """

    rejection_id: Id
    source: str
    reason: str
    field: str = "$"
    rejected_at: Moment
    device_id: str = ""
    key: bytes = b""
    raw: bytes
    raw_size: int
    raw_sha256: str
    raw_truncated: bool = False
