"""What does a channel do? Takes a parcel, and says what became of it; may be asked, where its far side can be."""

from datetime import datetime
from typing import Protocol

import msgspec

from schemas.notification import ChannelName, Outcome, Text


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A message ready to go. `message_id`: the same for every try through this channel; `at`: of this try; `since`:
    no earlier try was before this; `expires_at`: when it is no longer worth delivering."""

    notification_id: str
    subject_id: str
    attempt_id: str
    message_id: str
    channel: ChannelName
    address: str
    text: Text
    urgent: bool
    at: datetime
    since: datetime
    expires_at: datetime


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it, in the words of `schemas.notification.Outcome`."""

    outcome: Outcome
    provider_id: str = ""
    code: str = ""
    reason: str = ""
    retry_after_s: float | None = None
    receipts: bool = False
    found: bool = False


class Channel(Protocol):
    """One way out. No method raises for anything that the far side, the network or the address does."""

    names: tuple[ChannelName, ...]

    async def send(self, parcel: Parcel) -> Answer:
        """Hand the parcel over, once."""

    async def find(self, parcel: Parcel) -> Answer | None:
        """Whether an earlier try got through: what became of it, or None when the far side knows nothing of it.

        A channel whose far side cannot be asked gives None: it hands over again, under the same `message_id`.
        """

    async def check(self, parcel: Parcel, provider_id: str) -> Answer:
        """What became of a message that the far side took as `provider_id`."""

    async def close(self) -> None:
        """Let go of connections."""


def unasked() -> Answer:
    """The answer of a far side that tells no more than that it took a message."""
    return Answer(outcome="unknown", reason="this far side tells nothing more")


LONGEST_REASON = 300


def shortened(words: object) -> str:
    """`words` on one line and not too long, for a reason."""
    text = " ".join(str(words).split())
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def seconds_in(retry_after: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for (a number, or a date), None when it asks for nothing."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # rarely needed

    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - now).total_seconds())
    except (ValueError, TypeError):
        return None
