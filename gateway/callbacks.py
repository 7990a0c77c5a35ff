"""What do far sides tell us of messages that they carry? Twilio's status callbacks, believed by their signature only.

A callback carries no token of ours: its signature, made with the account's auth token over the URL that Twilio was
given and the form's fields, is what lets it in. The URL is made anew from `gateway_url`, as it was for the message,
so that a proxy between Twilio and us changes nothing.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from aiokafka.errors import KafkaError
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler
from twilio.request_validator import RequestValidator

from fenceline.settings import Settings
from gateway.access import account_of
from gateway.problems import Refused, bad
from gateway.publisher import away
from gateway.services import Services
from pipeline.channels.receipts import TWILIO_CALLBACK, twilio_receipt
from schemas.message import Invalid, encode
from schemas.notification import Report
from schemas.topics import NOTIFICATION_REPORTS

LARGEST_FORM_BYTES = 16 * 1024


def callback_routes(settings: Settings) -> list[ControllerRouterHandler]:
    """The routes for callbacks that `settings` have a use for: none unless Twilio is set up and knows our address."""
    return [post_twilio] if settings.twilio_auth_token and settings.gateway_url else []


@post(TWILIO_CALLBACK, status_code=204, summary="Take a status callback from Twilio")
async def post_twilio(request: Request[Any, Any, State]) -> Response[None]:
    """204: the broker has it. What is not signed with the account's auth token is refused with 403."""
    services = request.app.state["services"]
    assert isinstance(services, Services)  # noqa: S101  # put there by `create_app`
    form = await _form(request)
    query = request.scope["query_string"].decode("latin-1")
    url = f"{services.settings.gateway_url.rstrip('/')}{TWILIO_CALLBACK}?{query}"
    validator = RequestValidator(services.settings.twilio_auth_token)
    if not validator.validate(url, dict(form), request.headers.get("x-twilio-signature", "")):
        raise Refused(HTTPStatus.FORBIDDEN, "bad_signature", "this is not signed as Twilio signs for our account")
    try:
        report = twilio_receipt(dict(parse_qsl(query, keep_blank_values=True)), form, services.now())
    except Invalid as why:
        raise bad(why) from why
    account_of(request).facts |= {"notification_id": report.notification_id, "outcome": report.outcome}
    await _written(services, report)
    return Response(None, status_code=HTTPStatus.NO_CONTENT)


async def _form(request: Request[Any, Any, State]) -> Mapping[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "no status callback is as long as this")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except (UnicodeDecodeError, ValueError) as error:
        raise bad(Invalid(f"not a form: {error}")) from error


async def _written(services: Services, report: Report) -> None:
    if services.producer is None:
        raise away("the gateway has not reached the broker yet")
    headers = [("id", report.report_id.encode()), ("src", b"gateway"), ("type", b"Report")]
    try:
        async with asyncio.timeout(services.limits.ack_timeout_s):
            await services.producer.send_and_wait(
                NOTIFICATION_REPORTS.name, encode(report), key=report.subject_id.encode(), headers=headers
            )
    except TimeoutError:
        raise away("the broker did not acknowledge in time") from None
    except KafkaError as error:
        raise away(f"the broker did not take it ({type(error).__name__})") from error
