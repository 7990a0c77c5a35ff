"""What does a far side's call mean? Twilio's status callback becomes a report."""

from collections.abc import Mapping
from datetime import datetime

from schemas.ids import event_id
from schemas.message import Invalid
from schemas.notification import Outcome, Report
from schemas.times import instant

TWILIO_CALLBACK = "/v1/callbacks/twilio"
"""Where Twilio is asked to call, below the gateway's public address."""

STATUSES: Mapping[str, Outcome] = {
    "accepted": "sending",
    "scheduled": "sending",
    "queued": "sending",
    "sending": "sending",
    "sent": "sending",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "undelivered",
    "canceled": "undelivered",
}
"""Twilio's message statuses. All up to ``sent`` say the same: Twilio has it."""


def twilio_receipt(query: Mapping[str, str], form: Mapping[str, str], at: datetime) -> Report:
    """The report in a status callback: our ids from the URL's `query`, the rest from the `form`.

    Its id follows from what it says, so that a repeated call is the same report.

    Raises:
        Invalid: a part is missing, or the status is none of Twilio's.
    """
    for name, where in (("n", query), ("s", query), ("MessageSid", form), ("MessageStatus", form)):
        if not where.get(name):
            raise Invalid("a status callback needs this", name)
    status = form["MessageStatus"]
    if status not in STATUSES:
        raise Invalid(f"no status of a message: {status[:40]}", "MessageStatus")
    outcome = STATUSES[status]
    code = form.get("ErrorCode", "")[:20]
    return Report(
        report_id=event_id("receipt", query["n"], query.get("a", ""), form["MessageSid"], status),
        subject_id=query["s"],
        notification_id=query["n"],
        attempt_id=query.get("a", ""),
        channel="sms",
        outcome=outcome,
        at=instant(at),
        provider_id=form["MessageSid"][:64],
        code=code,
        reason=f"Twilio: {status}" if outcome == "undelivered" else "",
        receipts=True,
    )
