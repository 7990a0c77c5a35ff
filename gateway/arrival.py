"""How does a request's body get in? Read within its bounds, whoever sent it known, what is too much kept in part."""

import asyncio
from hashlib import sha256
from http import HTTPStatus
from typing import Any, NamedTuple

from litestar import Request

from gateway.access import account_of
from gateway.bodies import TooLarge, Unusable, unpacked, unreadable
from gateway.problems import Refused, bad
from gateway.rejections import KEPT_BYTES
from gateway.services import Services
from gateway.tokens import SENDERS, Shown, admitted, shown_in, unauthorized
from pipeline.credentials import Denied
from schemas.credential import Credential
from schemas.message import Invalid

DRAINED_BYTES = 32 * 1024 * 1024
"""How much of a body beyond the limit is still read (hashed, not kept), so that the sender hears why."""


class Arrival(NamedTuple):
    """A request let in: who sent it, through what, and its unpacked body."""

    credential: Credential
    shown: Shown
    source: str
    body: bytes


def _too_large(detail: str) -> Refused:
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail, hint="send it in several smaller requests")


async def arrived(request: Request[Any, Any, Any], services: Services, source: str, token: str = "") -> Arrival:
    """The request let in, and its body; `token` is the one in the URL, if any.

    Raises:
        Refused: 401, 403, 408, 413, 415, 429 or 503; what the sender of a right token sent is on the rejected topic.
    """
    if not services.ready:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "the gateway is starting or ending", retry_after_s=2)
    shown = shown_in(request.headers, token)
    denied: Denied | None = None
    try:
        credential = admitted(services.keyring, shown, SENDERS, services.now())
    except Denied as error:
        assert error.credential is not None  # noqa: S101  # `admitted` turns the others into refusals
        credential, denied = error.credential, error
    account_of(request).facts["token_id"] = credential.token_id
    await services.spend(credential, 1)
    packed, rest = await _body(request, services.limits.body_bytes, services.limits.body_timeout_s)
    if denied is not None:
        why = Invalid(str(denied), "Authorization")
        await services.intake.keep(rest or Unusable(0, packed, why), credential.principal, source)
        raise unauthorized(denied)
    if rest is not None:
        await services.intake.keep(rest, credential.principal, source)
        raise _too_large(rest.why.reason)
    try:
        body = unpacked(packed, request.headers.get("content-encoding", ""), services.limits.unpacked_bytes)
    except TooLarge as error:
        await services.intake.keep(Unusable(0, packed, Invalid(str(error))), credential.principal, source)
        raise _too_large(str(error)) from error
    except Invalid as why:
        await services.intake.take(unreadable(packed, why), credential, source)
        unknown = why.field == "Content-Encoding"
        raise bad(why, HTTPStatus.UNSUPPORTED_MEDIA_TYPE if unknown else HTTPStatus.BAD_REQUEST) from why
    return Arrival(credential, shown, source, body)


async def _body(request: Request[Any, Any, Any], limit_bytes: int, timeout_s: float) -> tuple[bytes, Unusable | None]:
    """The body; or, beyond the limit, its beginning with the size and hash of what was read."""
    kept = bytearray()
    size = 0
    hashed = None
    try:
        async with asyncio.timeout(timeout_s):
            more = True
            while more:
                event = await request.receive()
                if event["type"] != "http.request":
                    raise Refused(HTTPStatus.BAD_REQUEST, "hung_up", "the sender hung up before the body's end")
                chunk, more = event["body"], event["more_body"]
                size += len(chunk)
                if hashed is not None:
                    hashed.update(chunk)
                    if size > DRAINED_BYTES:
                        break
                    continue
                kept += chunk
                if size > limit_bytes:
                    hashed = sha256(kept)
                    del kept[KEPT_BYTES:]
    except TimeoutError as error:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "too_slow", "the body did not arrive in time") from error
    if hashed is None:
        return bytes(kept), None
    why = Invalid(f"the body is larger than {limit_bytes} bytes")
    return b"", Unusable(0, bytes(kept), why, raw_size=size, raw_sha256=hashed.hexdigest())
