"""Web Push: to a browser or an installed page, encrypted for it (RFC 8291) and signed by us (VAPID, RFC 8292).

The address is the browser's PushSubscription as JSON. The push service keeps one message for each `Topic`, and the page
shows one for each `tag`, so that a repeat replaces what it repeats.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from py_vapid import Vapid
from pywebpush import WebPushException, webpush_async

from agents.channels.channel import Answer, Parcel, seconds_in, shortened, unasked
from schemas.notification import ChannelName

TOPIC_CHARS = 32
GONE = (404, 410)


class _Keys(msgspec.Struct, frozen=True):
    p256dh: str
    auth: str


class Subscription(msgspec.Struct, frozen=True):
    """What a browser gives when its user agrees: where to push, and the keys to encrypt with."""

    endpoint: str
    keys: _Keys


class WebPush:
    """A `Channel`. `private_key`: the VAPID key (PEM, or base64url as browsers' tools make it); `contact`: mailto: or
    https:, for the push service's operator."""

    names: tuple[ChannelName, ...] = ("web_push",)

    def __init__(self, private_key: str, contact: str, timeout_s: float = 10.0) -> None:
        is_pem = private_key.lstrip().startswith("-----BEGIN")
        self._vapid = Vapid.from_pem(private_key.encode()) if is_pem else Vapid.from_string(private_key)
        self._contact = contact
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def send(self, parcel: Parcel) -> Answer:
        """Encrypt and push it."""
        try:
            to = msgspec.json.decode(parcel.address, type=Subscription)
        except msgspec.MsgspecError as error:
            return Answer(outcome="refused", reason=f"not a push subscription: {shortened(error)}")
        if urlsplit(to.endpoint).scheme not in ("https", "http"):
            return Answer(outcome="refused", reason="the push subscription's endpoint is no web address")
        left_s = int((parcel.expires_at - datetime.now(UTC)).total_seconds())
        try:
            answer: Any = await webpush_async(
                msgspec.to_builtins(to),
                data=_payload(parcel).decode(),
                vapid_private_key=self._vapid,
                vapid_claims={"sub": self._contact},
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                ttl=max(0, left_s),
                headers={
                    "urgency": "high" if parcel.urgent else "normal",
                    "topic": parcel.message_id.replace("-", "")[:TOPIC_CHARS],
                },
                aiohttp_session=self._connected(),
            )
        except (WebPushException, aiohttp.ClientError, TimeoutError, ValueError) as error:
            return _failure(error)
        return Answer(outcome="accepted", provider_id=answer.headers.get("location", ""))

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    async def find(self, parcel: Parcel) -> Answer | None:
        """A push service tells nothing; a repeat replaces what it repeats."""
        return None

    async def check(self, parcel: Parcel, provider_id: str) -> Answer:
        """A push service tells nothing."""
        return unasked()

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()


def _payload(parcel: Parcel) -> bytes:
    """What the page's service worker gets. `tag` makes a repeat replace the notice that is shown already."""
    text = parcel.text
    return msgspec.json.encode(
        {
            "title": text.title,
            "body": text.body,
            "link": text.link,
            "lang": text.language,
            "urgent": parcel.urgent,
            "tag": parcel.notification_id,
        }
    )


def _failure(error: Exception) -> Answer:
    name = type(error).__name__
    if isinstance(error, WebPushException):
        return _refusal(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Answer(outcome="unreachable", reason=f"the push service cannot be reached: {name}")
    if isinstance(error, aiohttp.ClientError | TimeoutError):
        return Answer(outcome="unknown", reason=f"the push service did not answer: {name}")
    return Answer(outcome="refused", reason=f"the push subscription's keys are wrong: {shortened(error)}")


def _refusal(error: WebPushException) -> Answer:
    status = error.status_code
    retry_after_s = seconds_in(error.retry_after, datetime.now(UTC))
    if status in GONE:
        return Answer(outcome="refused", code=str(status), reason="the browser has unsubscribed")
    if status is None:  # the library's own complaint about the subscription
        return Answer(outcome="refused", reason=shortened(error.message))
    if status >= 500:
        return Answer(outcome="unknown", code=str(status), reason="push service error", retry_after_s=retry_after_s)
    if status in (429, 408):
        return Answer(outcome="busy", code=str(status), reason="push service is busy", retry_after_s=retry_after_s)
    return Answer(outcome="refused", code=str(status), reason=shortened(error.message))
