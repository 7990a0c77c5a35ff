"""Which requests are answered, and how? All routes of the console in one list, and how what goes wrong is told."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.config.compression import CompressionConfig
from litestar.datastructures import State
from litestar.exceptions import ClientException, HTTPException, ValidationException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler
from redis.exceptions import RedisError

from console import (
    alerts,
    checkins,
    decisions,
    drafts,
    events,
    fencebook,
    incidents,
    mine,
    overview,
    pages,
    people,
    pictures,
    results,
    signin,
    tasks,
)
from console.callers import Call, services_of_call
from console.openapi import described
from console.pages import page_headers, read_assets
from console.problems import away, forbidden, invalid, read_model_away, unknown
from console.reading.refusals import Away, OtherAgency, Starting, Unknown
from console.services import REQUESTS_AT_ONCE, Services, serving
from gateway.access import Access, handlers
from gateway.problems import Refused
from schemas.times import Instant

LARGEST_BODY = 1024 * 1024
"""Of a request that is not an import; these have a bound of their own."""

NOT_PACKED = ["^/api/v1/(events|session|me)$", "^/(static/|desk|me|sw.js|manifest.webmanifest)"]
"""What is not compressed on the way: live streams, what holds a secret, and files that lie compressed already."""

PARTS = (
    signin,
    alerts,
    tasks,
    decisions,
    people,
    incidents,
    pictures,
    fencebook,
    drafts,
    overview,
    results,
    events,
    mine,
    checkins,
    pages,
)


@get("/healthz", include_in_schema=False)
async def healthz() -> dict[str, str]:
    """200 as long as the process answers."""
    return {"status": "ok"}


@get("/readyz", include_in_schema=False)
async def readyz(request: Call) -> Response[dict[str, Any]]:
    """200 when the credentials are read, the broker was reached, and the read model is filled."""
    services = services_of_call(request)
    model = await services.reader.condition()
    ready = services.ready and model["ready"]
    return Response(
        {"status": "ready" if ready else "not ready", "read_model": model}, status_code=200 if ready else 503
    )


@get("/api/v1/openapi.json", include_in_schema=False)
async def openapi(request: Call) -> Response[dict[str, Any]]:
    """What can be asked, as OpenAPI 3.1; made from the types of the answers."""
    return Response(described(request.app), media_type="application/json")


@get("/metrics", include_in_schema=False)
async def metrics(request: Call) -> Response[bytes]:
    """All metrics in Prometheus' text format."""
    text = services_of_call(request).metrics.text()
    return Response(text.encode(), media_type="text/plain; version=0.0.4; charset=utf-8")


def create_app(services: Services) -> Litestar:
    """The console's application over `services`."""
    routes: Sequence[ControllerRouterHandler] = [
        healthz,
        readyz,
        metrics,
        openapi,
        *(route for part in PARTS for route in part.ROUTES),
    ]
    app = Litestar(
        route_handlers=routes,
        state=State({"services": services, "assets": read_assets(), "page_headers": page_headers(services.settings)}),
        lifespan=[lambda _: serving(services)],
        exception_handlers=_handlers(services),
        type_encoders={Instant: str},
        compression_config=CompressionConfig(backend="gzip", gzip_compress_level=5, exclude=NOT_PACKED),
        openapi_config=OpenAPIConfig(
            title="Fenceline console",
            version="1",
            path="/schema",  # at /api/v1 Litestar would answer unknown paths with pages of its own
            render_plugins=[JsonRenderPlugin()],
        ),
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )
    paths = frozenset(_label(route.path) for route in app.routes)
    app.asgi_handler = Access(app.asgi_handler, services.metrics, REQUESTS_AT_ONCE, paths)
    return app


def _label(path: str) -> str:
    parts = path.split("/{", maxsplit=1)[0].split("/")
    return "/".join(parts[:4] if parts[1:2] == ["api"] else parts[:3])


def _handlers(services: Services) -> dict[int | type[Exception], Callable[..., Response[bytes]]]:
    known = handlers(services.metrics)
    refused = known[Refused]

    def told(why: Callable[[Any], Refused]) -> Callable[..., Response[bytes]]:
        def handle(request: Request[Any, Any, Any], error: Any) -> Response[bytes]:
            return refused(request, why(error))

        return handle

    def by_client(request: Request[Any, Any, Any], error: ClientException) -> Response[bytes]:
        if type(error) is ClientException and error.status_code == HTTPStatus.BAD_REQUEST:  # so Litestar says "no JSON"
            return refused(request, _malformed(error))
        return known[HTTPException](request, error)

    return {
        **known,
        Away: told(lambda _: read_model_away()),
        RedisError: told(lambda _: read_model_away()),
        Starting: told(lambda _: away("starting", "the read model is being filled")),
        Unknown: told(lambda error: unknown(error.what, error.name)),
        OtherAgency: told(lambda _: forbidden("other_agency", "this belongs to another agency")),
        ValidationException: told(_ill_formed),
        ClientException: by_client,
    }


_IN_QUERY = {"side": "state", "wanted": "state", "since": "from", "until": "to"}


def _ill_formed(error: ValidationException) -> Refused:
    told = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    if not isinstance(told, dict):
        told = {}
    key, message = str(told.get("key", "")), str(told.get("message", "") or error.detail)
    if key == "data":
        return invalid("the request needs a JSON object as its body")
    if told.get("source") in ("query", "path", "header"):
        return invalid(message, _IN_QUERY.get(key, key))
    return invalid(message, f"$.{key}" if key else "$")


def _malformed(error: Exception) -> Refused:
    return Refused(
        HTTPStatus.BAD_REQUEST, "malformed", f"the body is not JSON: {error.__cause__ or error}"[:300], field="$"
    )
