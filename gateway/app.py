"""Which requests are answered, and how? The gateway's HTTP routes; each lets in, reads, takes in, answers."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, Request, Response, get, post, route
from litestar.datastructures import State
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from gateway import osmand, owntracks
from gateway.access import Access, account_of, handlers
from gateway.arrival import Arrival, arrived
from gateway.bodies import Reading, TooLarge, Unusable, read_fixes, unreadable
from gateway.intake import Receipt
from gateway.metrics import Name
from gateway.openapi import FixesOperation, OsmAndOperation, OwnTracksOperation
from gateway.problems import Refused
from gateway.services import Background, Services, serving
from gateway.tokens import NotCovered, device_of, refusal_of
from schemas.message import Invalid

Call = Request[Any, Any, State]

LISTED = 100
"""How many rejected fixes an answer lists; all of them are on the rejected topic."""

REJECTED_HEADER = "fenceline-rejected"


@post("/v1/fixes", status_code=202, operation_class=FixesOperation, summary="Report fixes")
async def post_fixes(request: Call) -> Response[bytes]:
    """One fix, an array of fixes, or one a line (NDJSON); plain or gzip. 202: the broker has every accepted one."""
    services = services_of_call(request)
    arrival = await arrived(request, services, "http:/v1/fixes")
    try:
        reading = read_fixes(arrival.body, request.headers.get("content-type", ""), services.limits.fixes)
    except TooLarge as error:
        why = Invalid(str(error))
        await services.intake.keep(Unusable(0, arrival.body, why), arrival.credential.principal, arrival.source)
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", str(error)) from error
    receipt = await _take(request, services, arrival, reading)
    listed = [_told(one) for one in receipt.rejected[:LISTED]]
    if receipt.rejected and not receipt.accepted:
        raise _none_accepted(receipt, listed)
    answer: dict[str, Any] = {"accepted": receipt.accepted}
    if listed:
        answer |= {"rejected_count": len(receipt.rejected), "rejected": listed}
    return _json(answer, HTTPStatus.ACCEPTED)


@post(["/owntracks", "/pub"], status_code=200, operation_class=OwnTracksOperation, summary="Report as OwnTracks does")
async def post_owntracks(request: Call) -> Response[bytes]:
    """A message of an OwnTracks app. 200 and `[]`: the broker has it, or it carries no position."""
    services = services_of_call(request)
    arrival = await arrived(request, services, "http:/owntracks")
    if not arrival.body.strip():
        return _ignored(request, services, "empty")  # a deleted friend
    payload: Any = None
    try:
        payload = _parsed(arrival.body)
        device_id = _owntracks_device(request, arrival, payload)
        fix = owntracks.fix_of(payload, device_id)
    except Invalid as why:
        await _take(request, services, arrival, unreadable(arrival.body, why))
        if _retries_for_ever(request) and not isinstance(why, NotCovered):
            return _json([], HTTPStatus.OK, {REJECTED_HEADER: _head_safe(f"{why.field}: {why.reason}")})
        raise refusal_of(why) from why
    if fix is None:
        return _ignored(request, services, str(payload["_type"]))
    await _take(request, services, arrival, Reading([fix], [0], [], arrival.body))
    return _json([], HTTPStatus.OK)


@route(
    ["/osmand", "/osmand/{token:str}"],
    http_method=["GET", "POST"],
    status_code=200,
    operation_class=OsmAndOperation,
    summary="Report as Traccar Client and OsmAnd do",
)
async def osmand_report(request: Call, token: str = "") -> Response[bytes]:
    """A position in the OsmAnd protocol: parameters, a form, or JSON. 200: the broker has it."""
    services = services_of_call(request)
    query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    arrival = await arrived(request, services, "http:/osmand", token or query.pop("token", ""))
    try:
        reading = _osmand_reading(arrival, query)
    except Invalid as why:
        await _take(request, services, arrival, unreadable(arrival.body or _query_bytes(request), why))
        raise refusal_of(why) from why
    if not reading.fixes and not reading.unusable:
        return _ignored(request, services, "heartbeat")
    receipt = await _take(request, services, arrival, reading)
    if not receipt.accepted:
        raise _none_accepted(receipt, [_told(one) for one in receipt.rejected[:LISTED]])
    return _json({"accepted": receipt.accepted}, HTTPStatus.OK)


@get("/healthz", summary="Is the process alive?")
async def healthz() -> Response[bytes]:
    """200 as long as the process answers."""
    return _json({"status": "ok"}, HTTPStatus.OK)


@get("/readyz", summary="Can fixes be taken?")
async def readyz(state: State) -> Response[bytes]:
    """200 when the credentials are read and the broker was reached; 503 before, and while ending."""
    ready = services_in(state).ready
    body = {"status": "ready" if ready else "not ready"}
    return _json(body, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


@get("/metrics", summary="Counters for Prometheus")
async def metrics(state: State) -> Response[bytes]:
    """All metrics in Prometheus' text format."""
    text = services_in(state).metrics.text()
    return Response(text.encode(), media_type="text/plain; version=0.0.4; charset=utf-8")


def services_in(state: State) -> Services:
    """The services that the application was made with."""
    services = state["services"]
    assert isinstance(services, Services)  # noqa: S101  # put there by `create_app`
    return services


def services_of_call(request: Call) -> Services:
    """The services behind `request`."""
    return services_in(request.app.state)


def create_app(
    services: Services, routes: Sequence[ControllerRouterHandler] = (), beside: Sequence[Background] = ()
) -> Litestar:
    """The gateway's application over `services`, with further `routes` (check-ins); `beside` runs while it serves."""
    app = Litestar(
        route_handlers=[post_fixes, post_owntracks, osmand_report, healthz, readyz, metrics, *routes],
        state=State({"services": services}),
        lifespan=[lambda _: serving(services, beside)],
        exception_handlers=handlers(services.metrics),
        openapi_config=OpenAPIConfig(
            title="Fenceline gateway", version="1", path="/schema", render_plugins=[JsonRenderPlugin()]
        ),
        request_max_body_size=None,  # `arrival` bounds it, and says so on the rejected topic
        logging_config=None,
    )
    paths = frozenset(path for one in app.routes if (path := one.path.split("/{")[0]))
    app.asgi_handler = Access(app.asgi_handler, services.metrics, services.limits.requests_at_once, paths)
    return app


async def _take(request: Call, services: Services, arrival: Arrival, reading: Reading) -> Receipt:
    """Take the reading in, on the sender's account."""
    await services.spend(arrival.credential, len(reading.fixes) + len(reading.unusable) - 1)
    receipt = await services.intake.take(reading, arrival.credential, arrival.source)
    facts = account_of(request).facts
    facts |= {"accepted": receipt.accepted, "rejected": len(receipt.rejected), "device_ids": receipt.device_ids}
    if receipt.rejected:
        facts["reason"] = receipt.rejected[0].why.field
    return receipt


def _none_accepted(receipt: Receipt, listed: list[dict[str, Any]]) -> Refused:
    whys = [one.why for one in receipt.rejected]
    refused = refusal_of(next((why for why in whys if not isinstance(why, NotCovered)), whys[0]))
    if len(receipt.rejected) > 1:
        refused.rejected = listed
    return refused


def _told(one: Unusable) -> dict[str, Any]:
    return {"index": one.place, "error": one.why.reason, "field": one.why.field, "hint": refusal_of(one.why).hint}


def _ignored(request: Call, services: Services, kind: str) -> Response[bytes]:
    services.metrics.count(Name.IGNORED, kind=kind)
    account_of(request).facts["ignored"] = kind
    return _json([], HTTPStatus.OK)


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise Invalid("JSON is nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(str(error)) from error


def _owntracks_device(request: Call, arrival: Arrival, payload: Any) -> str:
    topic = payload.get("topic") if isinstance(payload, dict) else None
    in_topic = topic.rpartition("/")[2] if isinstance(topic, str) and topic.count("/") == 2 else None
    return device_of(arrival.credential, (request.headers.get("x-limit-d"), in_topic), arrival.shown.user)


def _osmand_reading(arrival: Arrival, query: Mapping[str, str]) -> Reading:
    body = arrival.body.strip()
    if body[:1] in (b"{", b"["):
        return _traccar_client(arrival, _parsed(body), query)
    given = {**query, **dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))}
    device_id = device_of(arrival.credential, [osmand.claimed_by_parameters(given)])
    fix = osmand.fix_of_parameters(given, device_id)
    return Reading([fix] if fix else [], [0] if fix else [], [], body)


def _traccar_client(arrival: Arrival, payload: Any, query: Mapping[str, str]) -> Reading:
    locations = osmand.locations_of(payload)
    device_id = device_of(arrival.credential, [osmand.claimed_by_json(payload) or osmand.claimed_by_parameters(query)])
    reading = Reading([], [], [], arrival.body)
    for place, location in enumerate(locations):
        try:
            fix = osmand.fix_of_json(location, device_id)
        except Invalid as why:
            raw = arrival.body if len(locations) == 1 else msgspec.json.encode(location)
            reading.unusable.append(Unusable(place, raw, why, device_id))
            continue
        if fix is not None:
            reading.fixes.append(fix)
            reading.places.append(place)
    return reading


def _query_bytes(request: Call) -> bytes:
    raw = request.scope["query_string"]
    return b"&".join(part for part in raw.split(b"&") if not part.startswith(b"token="))


def _retries_for_ever(request: Call) -> bool:
    """Whether this app would send a refused message again and again, and nothing else behind it."""
    return request.headers.get("user-agent", "").lower().startswith("owntracks-android")


def _head_safe(text: str) -> str:
    return text.encode("ascii", "replace").decode()[:200].replace("\n", " ").replace("\r", " ")


def _json(value: Any, status: HTTPStatus, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=int(status), media_type="application/json", headers=headers)
