"""How is one attempt made, and never twice? Note it, ask where it may have been made before, send, note the outcome.

The order, and what a crash between two steps leaves behind:

1. The record ``sending`` is on `notifications` (the intent). A crash: another sender finds it there, in doubt.
2. A note that it begins (`agents.claims`). A crash: the note says so; the far side is asked.
3. Sending. A crash: the same; what arrived is found by its mark and not sent again.
4. A note of the outcome. A crash: the note has the report.
5. The report on `notification-reports`. Reported twice is reported once: the receiver knows the attempt.

Where the far side cannot be asked (all but Twilio), a crash between 2 and 4 means a second try under the same message
id: a push replaces the first, a mail has the same Message-ID, a webhook the same key.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from agents.channels.channel import Answer, Channel, Parcel
from agents.claims import Claim
from pipeline.channels.contacts import Contacts
from schemas.ids import event_id
from schemas.notification import Notification, Report
from schemas.times import instant

LONGEST_TRY = timedelta(days=1)


class Notes(Protocol):
    """Where attempts are noted; see `agents.claims.Claims`."""

    async def begin(self, attempt_id: str) -> Claim:
        """Note that it begins, or what is noted already."""

    async def finish(self, attempt_id: str, report: Report) -> None:
        """Note what came of it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Delivery:
    """Makes attempts. `patience_s`: after so long a try that another began has ended one way or the other."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        contacts: Contacts,
        notes: Notes,
        *,
        patience_s: float = 20.0,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._channels = channels
        self._contacts = contacts
        self._notes = notes
        self._patience_s = patience_s
        self._now = now

    async def attempt(self, notification: Notification, in_doubt: bool = False) -> Report:
        """Make the attempt that a record in state ``sending`` asks for, or the inquiry of ``checking``."""
        one = notification
        channel = self._channels.get(one.channel or "")
        address = self._contacts.address(one.audience, one.recipient, one.agency, one.subject_id, one.channel or "")
        if channel is None:
            return self._report(one, Answer(outcome="refused", reason=f"no way to send {one.channel} is set up"))
        if one.text is None or not address:
            return self._report(one, Answer(outcome="refused", reason="the address is not known any more"))
        parcel = _parcel(one, address)
        if one.state == "checking":
            return self._report(one, await channel.check(parcel, one.provider_id), place=one.change_id)
        claim = await self._notes.begin(one.attempt_id)
        if claim.report is not None:
            return claim.report
        if not claim.is_ours and claim.begun_s:
            await self._let_end(claim.begun_s)
        answer = await self._answer(channel, parcel, in_doubt or one.uncertain or not claim.is_ours)
        report = self._report(one, answer)
        await self._notes.finish(one.attempt_id, report)
        return report

    async def _answer(self, channel: Channel, parcel: Parcel, in_doubt: bool) -> Answer:
        if in_doubt and (found := await channel.find(parcel)) is not None:
            return found
        if self._now() > parcel.expires_at:
            return Answer(outcome="expired")
        return await channel.send(parcel)

    async def _let_end(self, begun_s: float) -> None:
        """Wait until a try that another began must have ended, so that the far side knows of it when it is asked."""
        left_s = begun_s + self._patience_s - self._now().timestamp()
        if left_s > 0:
            await asyncio.sleep(min(left_s, self._patience_s))

    def _report(self, one: Notification, answer: Answer, place: str = "") -> Report:
        return Report(
            report_id=event_id("notification-report", one.attempt_id or one.change_id, answer.outcome, place),
            subject_id=one.subject_id,
            notification_id=one.notification_id,
            attempt_id=one.attempt_id,
            channel=one.channel,
            outcome=answer.outcome,
            at=instant(self._now()),
            provider_id=answer.provider_id,
            code=answer.code,
            reason=answer.reason,
            retry_after_s=answer.retry_after_s,
            receipts=answer.receipts,
            found=answer.found,
        )


def _parcel(one: Notification, address: str) -> Parcel:
    assert one.channel is not None  # noqa: S101  # an attempt has one
    assert one.text is not None  # noqa: S101  # looked at before
    return Parcel(
        notification_id=one.notification_id,
        subject_id=one.subject_id,
        attempt_id=one.attempt_id,
        message_id=one.message_id,
        channel=one.channel,
        address=address,
        text=one.text,
        urgent=one.urgent,
        at=one.at,
        since=one.at - LONGEST_TRY,
        expires_at=one.expires_at or one.at + LONGEST_TRY,
    )
