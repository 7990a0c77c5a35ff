"""One message through its life: what each report and timer makes of it.

| state | what happened | next |
| --- | --- | --- |
| - | a notice, due now / later | sending / planned |
| - | nobody to send to | dead |
| planned, failed | its time has come | sending |
| sending | accepted; the far side tells more / tells no more | sent / delivered |
| sending | refused | the next channel, else dead |
| sending | busy, unreachable, unknown | failed: the same channel a little later, the next one, or dead |
| sending | expired | dead |
| sent | no receipt in time | checking, then sent again; after the last: as undelivered |
| sent, checking | undelivered | the next channel, else dead |
| any but delivered | delivered | delivered |
| planned, sending, failed | the alert is settled | withdrawn |
| dead | a person wants it sent anew | sending, in a new round |

What the far side says of an earlier attempt counts as well: it has arrived, whoever brought it. A message never goes
back: receipts in the wrong order change nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from pipeline.channels.policy import NotifyRules
from pipeline.channels.retry import delay_s
from pipeline.channels.texts import marked_anew
from schemas.ids import event_id
from schemas.message import Message, Moment
from schemas.notification import ChannelName, Notification, NotificationState, Report
from schemas.times import instant

OPEN: tuple[NotificationState, ...] = ("planned", "sending", "failed")
UNDER_WAY: tuple[NotificationState, ...] = ("planned", "sending", "failed", "sent", "checking")


class Item(Message, frozen=True, kw_only=True):
    """A message and what is remembered beside it.

    `channels`: those not ruled out, in order; `tries`: on the present one; `doubtful`: those by which it may have
    arrived; `reasons`: what each last said; `asked`: how often a receipt was asked for; `due_at`: its timer.
    """

    notification: Notification
    channels: tuple[ChannelName, ...] = ()
    tries: int = 0
    doubtful: tuple[ChannelName, ...] = ()
    reasons: dict[str, str] = {}
    asked: int = 0
    accepted_at: Moment | None = None
    due_at: Moment | None = None


def _changed(item: Item, state: NotificationState, at: datetime, cause: str, **fields: object) -> Item:
    """The item after one more record of it. `cause`: what makes this change the same change."""
    before = item.notification
    after = msgspec.structs.replace(
        before,
        **{
            "state": state,
            "at": instant(at),
            "seq": before.seq + 1,
            "change_id": event_id("notification-change", before.notification_id, before.round, state, cause),
            "due_at": None,
            "uncertain": False,
            **fields,
        },
    )
    return msgspec.structs.replace(item, notification=after)


def _closing(rules: NotifyRules, at: datetime) -> Moment:
    return instant(at + timedelta(seconds=rules.keep_closed_s))


def begun(first: Notification, channels: Iterable[ChannelName], rules: NotifyRules, at: datetime) -> list[Item]:
    """All states that a new message goes through at once, the last of which holds; `first` is in state planned."""
    item = Item(notification=first, channels=tuple(channels))
    if not item.channels:
        return [dead(item, "nobody can be reached: no address for any channel", "no address", rules, at)]
    due = first.due_at or first.at
    expires = due + timedelta(seconds=_patience_s(first, rules))
    item = msgspec.structs.replace(
        item, notification=msgspec.structs.replace(first, expires_at=instant(expires)), due_at=due
    )
    return [item] if due > at else [item, sent_for(item, at)]


def _patience_s(notification: Notification, rules: NotifyRules) -> float:
    return rules.retry.give_up_urgent_s if notification.urgent else rules.retry.give_up_s


def sent_for(item: Item, at: datetime) -> Item:
    """An attempt through the first channel. The record of it is what makes it happen."""
    before = item.notification
    channel = item.channels[0]
    attempt = before.attempt + 1
    attempt_id = event_id("attempt", before.notification_id, before.round, attempt)
    changed = _changed(
        item,
        "sending",
        at,
        attempt_id,
        channel=channel,
        attempt=attempt,
        attempt_id=attempt_id,
        message_id=event_id("message", before.notification_id, before.round, channel),
        uncertain=channel in item.doubtful,
        provider_id="",
        reason="",
    )
    return msgspec.structs.replace(changed, tries=item.tries + 1, due_at=None, asked=0, accepted_at=None)


def dead(item: Item, reason: str, cause: str, rules: NotifyRules, at: datetime) -> Item:
    """Given up."""
    gone = _changed(item, "dead", at, cause, reason=reason)
    return msgspec.structs.replace(gone, due_at=_closing(rules, at))


def withdrawn(item: Item, reason: str, cause: str, rules: NotifyRules, at: datetime) -> Item:
    """No longer worth sending."""
    gone = _changed(item, "withdrawn", at, cause, reason=reason)
    return msgspec.structs.replace(gone, due_at=_closing(rules, at))


def accepted(item: Item, report: Report, rules: NotifyRules, at: datetime) -> Item:
    """The far side has it, and will tell more or not."""
    told: dict[str, object] = {
        "provider_id": report.provider_id or item.notification.provider_id,
        "channel": report.channel or item.notification.channel,
        "reason": "found at the far side, not sent again" if report.found else "",
    }
    if not report.receipts:
        done = _changed(item, "delivered", at, "accepted", receipt=False, **told)
        return msgspec.structs.replace(done, due_at=_closing(rules, at))
    sent = _changed(item, "sent", at, report.attempt_id, **told)
    return _asking(msgspec.structs.replace(sent, accepted_at=instant(at)), rules)


def _asking(item: Item, rules: NotifyRules) -> Item:
    """The sent item with the time at which its receipt is next asked for."""
    since = item.accepted_at or item.notification.at
    due = instant(since + timedelta(seconds=rules.receipts.ask_after_s[item.asked]))
    return msgspec.structs.replace(item, due_at=due)


def asked(item: Item, at: datetime) -> Item:
    """The receipt is overdue: the far side is asked."""
    cause = f"{item.notification.attempt_id}/{item.asked}"
    return msgspec.structs.replace(_changed(item, "checking", at, cause), asked=item.asked + 1, due_at=None)


def still_sent(item: Item, report: Report, rules: NotifyRules, at: datetime) -> Item:
    """Asked, and it is under way still, or the answer was no answer. After the last time it counts as undelivered."""
    if item.asked >= len(rules.receipts.ask_after_s):
        return undelivered(item, msgspec.structs.replace(report, reason="no receipt in time"), rules, at)
    cause = f"{item.notification.attempt_id}/asked {item.asked}"
    again = _asking(_changed(item, "sent", at, cause), rules)
    least = instant(at + timedelta(seconds=1))
    return msgspec.structs.replace(again, due_at=max(again.due_at or least, least))


def delivered(item: Item, report: Report, rules: NotifyRules, at: datetime) -> Item:
    """It arrived."""
    told = {"provider_id": report.provider_id or item.notification.provider_id}
    channel = report.channel or item.notification.channel
    done = _changed(item, "delivered", at, "receipt", receipt=True, channel=channel, reason="", **told)
    return msgspec.structs.replace(done, due_at=_closing(rules, at))


def said_by(report: Report) -> str:
    """A report in a few words."""
    code = f" ({report.code})" if report.code else ""
    return f"{report.reason or report.outcome}{code}"


def undelivered(item: Item, report: Report, rules: NotifyRules, at: datetime) -> Item:
    """It did not arrive, or never will this way: on to the next channel, or dead."""
    channel = item.notification.channel
    reasons = {**item.reasons, channel or "": said_by(report)}
    rest = tuple(one for one in item.channels if one != channel)
    item = msgspec.structs.replace(item, channels=rest, reasons=reasons, tries=0)
    cause = f"{item.notification.attempt_id}/{report.outcome}"
    if not rest:
        return dead(item, _all_reasons(item), cause, rules, at)
    failed = _changed(item, "failed", at, cause, reason=said_by(report), due_at=instant(at))
    return msgspec.structs.replace(failed, due_at=instant(at))


def postponed(item: Item, report: Report, rules: NotifyRules, at: datetime) -> Item:
    """The attempt failed, but not for good: a little later, through the next channel, or dead for lack of time."""
    before, retry = item.notification, rules.retry
    channel = before.channel
    assert channel is not None  # noqa: S101  # an attempt has one
    doubtful = item.doubtful
    if report.outcome == "unknown" and channel not in doubtful:
        doubtful = (*doubtful, channel)
    delay = delay_s(before.attempt_id, before.attempt, retry, report.retry_after_s)
    tries, channels = item.tries, item.channels
    others = len(channels) > 1
    if others and (tries >= retry.tries or (report.retry_after_s or 0) > retry.longest_wait_s):
        channels, tries = (*(one for one in channels if one != channel), channel), 0
        if before.attempt < retry.tries * len(channels):  # not all have had their turn: no reason to wait
            delay = 0.0
    reasons = {**item.reasons, channel: said_by(report)}
    item = msgspec.structs.replace(item, channels=channels, tries=tries, doubtful=doubtful, reasons=reasons)
    due = instant(at + timedelta(seconds=delay))
    cause = f"{before.attempt_id}/{report.outcome}"
    if before.expires_at is not None and due > before.expires_at:
        return dead(item, f"given up: {_all_reasons(item)}", cause, rules, at)
    failed = _changed(item, "failed", at, cause, reason=said_by(report), due_at=due)
    return msgspec.structs.replace(failed, due_at=due)


def _all_reasons(item: Item) -> str:
    said = "; ".join(f"{channel}: {reason}" for channel, reason in item.reasons.items())
    return said or "no channel took it"


def anew(
    wanted: Notification, channels: Iterable[ChannelName], report: Report, rules: NotifyRules, at: datetime
) -> list[Item]:
    """A dead message in a new round, because a person wants it; under a new mark, as it is another message."""
    planned = msgspec.structs.replace(
        wanted,
        state="planned",
        at=instant(at),
        seq=wanted.seq + 1,
        change_id=event_id("notification-change", wanted.notification_id, wanted.round + 1, "planned", ""),
        round=wanted.round + 1,
        text=None if wanted.text is None else marked_anew(wanted.text, wanted.notification_id, wanted.round + 1),
        attempt=0,
        attempt_id="",
        provider_id="",
        reason="",
        receipt=False,
        due_at=None,
        expires_at=None,
        by=report.by,
    )
    return begun(planned, channels, rules, at)
