"""How does a person's check-in get to the gateway? Passed on as it comes, under the person's own token.

So the page needs one origin and its cookie only, and the gateway one way of letting in.
"""

from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import quote

import httpx
from litestar import Response, get, post

from console.callers import PERSON, Call, let_in, services_of_call
from console.problems import Problem, away
from gateway.access import account_of

_GIVEN = ("content-type", "content-length", "accept-language", "idempotency-key")
_SAID = ("content-type", "retry-after")


@post("/v1/checkins/challenges", status_code=201, summary="Ask for a challenge", tags=["my"])
async def challenge(request: Call) -> Response[bytes]:
    """As the gateway answers."""
    return await _passed_on(request, "/v1/checkins/challenges")


@post("/v1/checkins", status_code=202, summary="Check in", tags=["my"], request_max_body_size=None)
async def checkin(request: Call) -> Response[bytes]:
    """As the gateway answers."""
    return await _passed_on(request, "/v1/checkins")


@get("/v1/checkins/{checkin_id:str}", summary="What became of a check-in", tags=["my"])
async def outcome(request: Call, checkin_id: str) -> Response[bytes]:
    """As the gateway answers."""
    return await _passed_on(request, f"/v1/checkins/{quote(checkin_id, safe='')}")


async def _passed_on(request: Call, path: str) -> Response[bytes]:
    caller, services = await let_in(request, PERSON), services_of_call(request)
    if not services.settings.console_gateway:
        raise away("gateway_away", "this console knows no gateway for check-ins (FENCELINE_CONSOLE_GATEWAY)")
    headers = {name: request.headers[name] for name in _GIVEN if name in request.headers}
    headers |= {"authorization": f"Bearer {caller.token}", "x-request-id": account_of(request).request_id}
    content = _body(request, services.settings.checkin_max_bytes * 2) if request.method == "POST" else None
    try:
        answer = await services.gateway.request(request.method, path, headers=headers, content=content)
    except (httpx.HTTPError, OSError) as error:
        raise away("gateway_away", f"the gateway does not answer ({type(error).__name__})") from error
    said = {name: answer.headers[name] for name in _SAID if name in answer.headers}
    media_type = said.pop("content-type", "application/json")
    return Response(answer.content, status_code=answer.status_code, media_type=media_type, headers=said)


async def _body(request: Call, most_bytes: int) -> AsyncIterator[bytes]:
    size = 0
    more = True
    while more:
        event = await request.receive()
        if event["type"] != "http.request":
            raise Problem(HTTPStatus.BAD_REQUEST, "hung_up", "the sender hung up before the body's end")
        size += len(event["body"])
        if size > most_bytes:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "the check-in is too large")
        more = event["more_body"]
        yield event["body"]


ROUTES = [challenge, checkin, outcome]
