"""Notifications: each message to somebody, from the plan to the far side's receipt."""

from typing import Annotated, Literal

import msgspec

from schemas.alert import Audience
from schemas.message import Id, Message, Moment

NotificationState = Literal[
    "planned",
    "sending",
    "checking",
    "sent",
    "delivered",
    "failed",
    "dead",
    "withdrawn",
]
"""planned: waits for its time. sending: to be sent now; written before anything is sent. checking: the far side is to
be asked what became of it. sent: the far side has it. delivered: it told that it arrived, or it tells no more than that
it took it (`receipt` false). failed: an attempt failed, another follows. dead: given up, `reason` says why; it is on
`notifications.dead` too. withdrawn: no longer worth sending."""

ChannelName = Literal["sms", "web_push", "email", "webhook", "wecom", "dingtalk", "ntfy", "fcm", "apprise"]
"""Through what a message goes. apprise: any other service that the library of that name speaks to, by its URL."""

Language = Literal["zh-CN", "en"]


class Text(Message, frozen=True, kw_only=True):
    """What is said, ready for every channel. `short`: for SMS; `mark`: what finds it again at the far side."""

    language: Language
    title: str
    body: str
    short: str
    link: str = ""
    mark: Annotated[str, msgspec.Meta(description="six characters, also in `short`")]


class Notification(Message, frozen=True, kw_only=True):
    """A message to one recipient as it stands, on the topic `notifications`, key `subject_id`.

    `notification_id` follows from the notice and the recipient; `change_id` is the id of this record, `seq` counts the
    records of one notification. `attempt_id` names one try through one channel; what is sent carries `message_id`, the
    same for all tries through a channel, so that a far side that can may know a repeat.
    Addresses are not here: whoever sends looks them up.
    """

    notification_id: Id
    change_id: Id
    seq: Annotated[int, msgspec.Meta(ge=1)]
    state: NotificationState
    at: Moment
    subject_id: Id
    notice_id: Id
    alert_id: str = ""
    task_id: str = ""
    audience: Audience
    agency: str = ""
    recipient: Annotated[str, msgspec.Meta(description="a principal, or a subject_id")] = ""
    template: str = ""
    urgent: bool = False
    level: int = 0
    text: Text | None = None
    channel: ChannelName | None = None
    attempt: Annotated[int, msgspec.Meta(ge=0, description="tries so far, with this one")] = 0
    attempt_id: str = ""
    message_id: str = ""
    uncertain: Annotated[bool, msgspec.Meta(description="it may have arrived before: ask before sending")] = False
    round: Annotated[int, msgspec.Meta(ge=0, description="how often it was sent anew by a person")] = 0
    due_at: Annotated[Moment, msgspec.Meta(description="of what waits: when it goes on")] | None = None
    expires_at: Moment | None = None
    provider_id: Annotated[str, msgspec.Meta(description="the far side's own id of it")] = ""
    receipt: Annotated[
        bool, msgspec.Meta(description="the far side said that it arrived, not only that it took it")
    ] = False
    reason: str = ""
    by: Annotated[str, msgspec.Meta(description="who had it sent anew")] = ""


Outcome = Literal[
    "accepted",
    "refused",
    "busy",
    "unreachable",
    "unknown",
    "expired",
    "sending",
    "delivered",
    "undelivered",
    "resend",
]
"""What is reported of a message.

accepted: the far side has it. refused: it will never take it so. busy: later (`retry_after_s`). unreachable: certainly
not sent. unknown: perhaps sent. expired: too old to be sent. sending, delivered, undelivered: what the far side tells
of one that it has. resend: a person wants a dead one sent anew (`by`, and the `notification`)."""


class Report(Message, frozen=True, kw_only=True):
    """What became of an attempt, on the topic `notification-reports`, key `subject_id`: from whoever sends, and from
    the far side's calls. In any order, and more than once."""

    report_id: Id
    subject_id: Id
    notification_id: Id
    attempt_id: str = ""
    channel: ChannelName | None = None
    outcome: Outcome
    at: Moment
    provider_id: str = ""
    code: Annotated[str, msgspec.Meta(description="the far side's code of what went wrong")] = ""
    reason: str = ""
    retry_after_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    receipts: Annotated[bool, msgspec.Meta(description="accepted: the far side will tell more")] = False
    found: Annotated[bool, msgspec.Meta(description="accepted: by an earlier try, as the far side told when asked")] = (
        False
    )
    by: str = ""
    notification: Notification | None = None
