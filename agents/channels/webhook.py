"""Webhooks: JSON posted to another system, signed so that it knows us, with a key by which it knows a repeat.

``Fenceline-Signature: t=<seconds since 1970>,v1=<hex of HMAC-SHA256(secret, "<t>.<body>")>``. The receiver computes the
same, compares in constant time, and refuses a `t` that is older than a few minutes. ``Idempotency-Key`` is the same for
every try.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import msgspec

from agents.channels.channel import Answer, Parcel, seconds_in, unasked
from schemas.notification import ChannelName, Outcome

KNOWN_ALREADY = 409


def signature(secret: str, at_s: int, body: bytes) -> str:
    """The value of ``Fenceline-Signature``."""
    mac = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={mac}"


class Webhook:
    """A `Channel`. `secret`: shared with the receivers."""

    names: tuple[ChannelName, ...] = ("webhook",)

    def __init__(self, secret: str, timeout_s: float = 10.0, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False)

    async def send(self, parcel: Parcel) -> Answer:
        """Post it."""
        if urlsplit(parcel.address).scheme not in ("https", "http"):
            return Answer(outcome="refused", reason="the webhook's address is no web address")
        body = _body(parcel)
        headers = {
            "content-type": "application/json",
            "idempotency-key": parcel.message_id,
            "fenceline-signature": signature(self._secret, int(self._clock()), body),
            "user-agent": "fenceline",
        }
        try:
            answer = await self._client.post(parcel.address, content=body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL) as error:
            return Answer(outcome="unreachable", reason=f"the receiver cannot be reached: {type(error).__name__}")
        except httpx.HTTPError as error:
            return Answer(outcome="unknown", reason=f"the receiver did not answer: {type(error).__name__}")
        return _by_status(answer)

    async def find(self, parcel: Parcel) -> Answer | None:
        """The receiver is not asked; it knows a repeat by its key, and answers 409 or 2xx."""
        return None

    async def check(self, parcel: Parcel, provider_id: str) -> Answer:
        """The receiver is not asked."""
        return unasked()

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def _body(parcel: Parcel) -> bytes:
    text = parcel.text
    return msgspec.json.encode(
        {
            "notification_id": parcel.notification_id,
            "message_id": parcel.message_id,
            "subject_id": parcel.subject_id,
            "urgent": parcel.urgent,
            "language": text.language,
            "title": text.title,
            "body": text.body,
            "link": text.link,
            "mark": text.mark,
        }
    )


def _by_status(answer: httpx.Response) -> Answer:
    status = answer.status_code
    if answer.is_success or status == KNOWN_ALREADY:
        return Answer(outcome="accepted", found=status == KNOWN_ALREADY)
    outcome: Outcome = "refused"
    if status in (429, 503, 425):
        outcome = "busy"
    elif status >= 500 or status == httpx.codes.REQUEST_TIMEOUT:
        outcome = "unknown"
    elif status in (401, 403):
        outcome = "busy"  # a secret that differs: an operator can mend that while it waits
    wait_s = seconds_in(answer.headers.get("retry-after"), datetime.now(UTC))
    return Answer(outcome=outcome, code=str(status), reason=f"the receiver answered {status}", retry_after_s=wait_s)
