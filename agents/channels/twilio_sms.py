"""SMS through Twilio: sends with its library, reads its errors, asks it what became of a message.

Twilio knows no idempotency key for messages. What may have arrived is found again by the mark in its text: the list of
messages to that number, the newest first. Its status callbacks carry our ids in the URL's query.
"""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from agents.channels.channel import Answer, Parcel, seconds_in, shortened
from schemas.notification import ChannelName, Outcome

HOST = "https://api.twilio.com"
LISTED = 200
OVERLAP = timedelta(minutes=5)
"""How much Twilio's clock may differ from ours."""

LONGEST_VALIDITY_S = 14_400
TOO_MANY, QUEUE_FULL = 20429, 21611
ARRIVED: Mapping[str, Outcome] = {
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "undelivered",
    "canceled": "undelivered",
}
"""Twilio's statuses that are final; all others mean that it is under way."""

_retry_after: ContextVar[str | None] = ContextVar("retry_after", default=None)


class _Http(AsyncHttpClient):
    """Twilio's HTTP over httpx: to another host where one is set, with a time limit, and an eye on Retry-After."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        super().__init__(logging.getLogger("twilio"), True, timeout_s)
        self._base_url = base_url.rstrip("/")
        self._client = httpx.AsyncClient(timeout=timeout_s, follow_redirects=False)

    async def request(
        self,
        method: str,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        auth: Any = None,
        timeout: Any = None,
        allow_redirects: bool = False,
    ) -> Response:
        """One request; raises httpx's errors."""
        if self._base_url:
            url = url.replace(HOST, self._base_url, 1)
        answer = await self._client.request(method, url, params=params, data=data, headers=headers, auth=auth)
        _retry_after.set(answer.headers.get("retry-after"))
        return Response(answer.status_code, answer.text, answer.headers)

    async def close(self) -> None:
        await self._client.aclose()


class TwilioSms:
    """A `Channel`. `sender`: a number, or the id of a messaging service (MG...). `callback_url`: where Twilio is to
    tell what became of a message; empty: it is asked. `base_url`: of a stand-in."""

    names: tuple[ChannelName, ...] = ("sms",)

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        sender: str,
        *,
        callback_url: str = "",
        base_url: str = "",
        timeout_s: float = 10.0,
    ) -> None:
        self._http = _Http(base_url, timeout_s)
        self._client = Client(account_sid, auth_token, http_client=self._http)
        self._sender = {"messaging_service_sid" if sender.startswith("MG") else "from_": sender}
        self._callback_url = callback_url

    async def send(self, parcel: Parcel) -> Answer:
        """Hand it to Twilio. 2xx: it has it. Anything that leaves a doubt is ``unknown``."""
        left_s = int((parcel.expires_at - datetime.now(UTC)).total_seconds())
        options: dict[str, Any] = {"validity_period": max(1, min(left_s, LONGEST_VALIDITY_S)), **self._sender}
        if self._callback_url:
            options["status_callback"] = _callback(self._callback_url, parcel)
        _retry_after.set(None)
        try:
            made = await self._client.messages.create_async(to=parcel.address, body=parcel.text.short, **options)
        except (TwilioException, httpx.HTTPError) as error:
            return _failure(error)
        return Answer(outcome="accepted", provider_id=str(made.sid), receipts=True)

    async def find(self, parcel: Parcel) -> Answer | None:
        """Look among the latest messages to that number for this one's mark."""
        try:
            listed = await self._client.messages.list_async(to=parcel.address, limit=LISTED)
        except (TwilioException, httpx.HTTPError) as error:
            return _unasked(error)
        mark = f"#{parcel.text.mark}"
        for one in listed:
            created = one.date_created
            if created is not None and created < parcel.since - OVERLAP:
                break
            if mark in str(one.body):
                return _status(one, found=True)
        return None

    async def check(self, parcel: Parcel, provider_id: str) -> Answer:
        """Ask Twilio for the message."""
        try:
            return _status(await self._client.messages(provider_id).fetch_async(), found=False)
        except (TwilioException, httpx.HTTPError) as error:
            return _unasked(error)

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def _callback(base: str, parcel: Parcel) -> str:
    query = urlencode({"n": parcel.notification_id, "a": parcel.attempt_id, "s": parcel.subject_id})
    return f"{base}{'&' if '?' in base else '?'}{query}"


def _status(message: Any, *, found: bool) -> Answer:
    status = str(message.status)
    outcome = ARRIVED.get(status, "accepted")
    return Answer(
        outcome=outcome,
        provider_id=str(message.sid),
        code=str(message.error_code or ""),
        reason="" if outcome != "undelivered" else f"Twilio: {status}",
        receipts=True,
        found=found,
    )


def _unasked(error: Exception) -> Answer:
    """It could not be asked: whatever was in doubt stays so, and nothing is sent."""
    failure = _failure(error)
    return Answer(outcome="unknown", reason=f"could not ask: {failure.reason}", retry_after_s=failure.retry_after_s)


def _failure(error: Exception) -> Answer:
    retry_after_s = seconds_in(_retry_after.get(), datetime.now(UTC))
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return Answer(outcome="unreachable", reason="Twilio cannot be reached")
    if isinstance(error, httpx.TimeoutException):
        return Answer(outcome="unknown", reason="Twilio did not answer in time")
    if not isinstance(error, TwilioRestException):
        return Answer(outcome="unknown", reason=f"Twilio: {type(error).__name__}")
    code, reason = str(error.code or ""), shortened(f"Twilio {error.status}: {error.msg}")
    outcome: Outcome = "refused"
    if error.status == httpx.codes.TOO_MANY_REQUESTS or error.code in (TOO_MANY, QUEUE_FULL):
        outcome = "busy"
    elif error.status in (401, 403, 404):
        outcome = "busy"  # our account, not the message: an operator can mend that while it waits
    elif error.status >= 500 or error.status == httpx.codes.REQUEST_TIMEOUT:
        outcome = "unknown"
    return Answer(outcome=outcome, code=code, reason=reason, retry_after_s=retry_after_s)
