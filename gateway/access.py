"""What is true of every request? An id, one log line, counters, safe headers, and a bound on how many at once."""

import re
import time
from collections.abc import Callable
from http import HTTPStatus
from secrets import token_hex
from typing import Any

import structlog
from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import Metrics, Name
from gateway.problems import MEDIA_TYPE, Refused

log = structlog.get_logger()

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
}
"""What an answer says of itself unless it says otherwise."""
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_PREFIXES = {"/v1": 3, "/api": 4}
"""How many parts of a path that begins so make a label."""
_ROUTES = frozenset({"/v1/fixes", "/owntracks", "/pub", "/osmand", "/healthz", "/readyz", "/metrics"})


def route_of(path: str, known: frozenset[str] = _ROUTES) -> str:
    """The route of `path` as a label: never what a sender made up, never a token in a path."""
    if path in known:
        return path
    first = "/" + path.split("/")[1] if path.startswith("/") else ""
    if first in _PREFIXES:
        first = "/".join(path.split("/")[: _PREFIXES[first]])
    return first if first in known or first == "/schema" else "other"


class Account:
    """What a handler adds to the log line of its request: `scope["state"]["account"]`."""

    __slots__ = ("facts", "request_id")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.facts: dict[str, Any] = {}


def account_of(request: Request[Any, Any, Any]) -> Account:
    """The account of `request`."""
    account = request.scope["state"]["account"]
    assert isinstance(account, Account)  # noqa: S101  # set by `Access` on every request
    return account


class Access:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, requests_at_once: int, routes: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._room = requests_at_once
        self._routes = _ROUTES | routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        route = route_of(scope["path"], self._routes)
        account = Account(_request_id(scope))
        scope.setdefault("state", {})["account"] = account
        status = 0
        began = time.perf_counter()

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = list(message.get("headers", []))
                said = {name.lower() for name, _ in given}
                given += [(name, value) for name, value in _HEADERS.items() if name not in said]
                message["headers"] = [*given, (b"x-request-id", account.request_id.encode())]
            await send(message)

        if self._room <= 0 and route not in _QUIET:
            account.facts["refused"] = "too_many_requests"
            self._metrics.count(Name.REFUSED, reason="too_many_requests")
            await _answer(_full(), account.request_id, answered)
        else:
            self._room -= 1
            try:
                await self._app(scope, receive, answered)
            finally:
                self._room += 1
        took_s = time.perf_counter() - began
        self._metrics.count(Name.REQUESTS, route=route, status=str(status))
        self._metrics.observe(Name.REQUEST_SECONDS, took_s, route=route)
        if route not in _QUIET:
            log.info(
                "request",
                request_id=account.request_id,
                method=scope["method"],
                route=route,
                status=status,
                took_ms=round(took_s * 1000, 2),
                **account.facts,
            )


def handlers(metrics: Metrics) -> dict[int | type[Exception], Callable[..., Response[bytes]]]:
    """How exceptions become answers, for Litestar."""

    def refused(request: Request[Any, Any, Any], error: Refused) -> Response[bytes]:
        account = account_of(request)
        account.facts["refused"] = error.error
        metrics.count(Name.REFUSED, reason=error.error)
        return Response(
            error.body(account.request_id),
            status_code=int(error.status),
            media_type=MEDIA_TYPE,
            headers=error.headers(),
        )

    def by_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
        status = HTTPStatus(error.status_code)
        answer = refused(request, Refused(status, status.name.lower(), status.description or status.phrase))
        answer.headers.update({name.lower(): value for name, value in (error.headers or {}).items()})
        return answer

    def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        account = account_of(request)
        log.error("request_failed", request_id=account.request_id, error=type(error).__name__, exc_info=error)
        return refused(
            request,
            Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", "a fault of the server; keep it and send it again"),
        )

    return {Refused: refused, HTTPException: by_framework, Exception: unexpected}


def _full() -> Refused:
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too_many_requests",
        "too many requests at once",
        hint="keep it and send it again",
        retry_after_s=1,
    )


async def _answer(refused: Refused, request_id: str, send: Send) -> None:
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    headers += [(name.encode(), value.encode()) for name, value in refused.headers().items()]
    await send({"type": "http.response.start", "status": int(refused.status), "headers": headers})
    await send({"type": "http.response.body", "body": refused.body(request_id), "more_body": False})


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE_ID.fullmatch(given := value.decode("latin-1")):
            return given
    return token_hex(8)
