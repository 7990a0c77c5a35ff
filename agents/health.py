"""Is the worker well? `/healthz` (it lives), `/readyz` (what is its own is recovered), as JSON over HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web


def _answer(facts: dict[str, Any], fine: bool) -> web.Response:
    return web.Response(body=msgspec.json.encode(facts), status=200 if fine else 503, content_type="application/json")


@asynccontextmanager
async def serve_health(
    port: int, facts: Callable[[], dict[str, Any]], is_alive: Callable[[], bool], host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Answer on `host`:`port` (0: a free one) while the block runs; yields the port.

    Raises:
        OSError: the port is taken.
    """

    async def healthz(request: web.Request) -> web.Response:  # noqa: ARG001
        return _answer(facts(), is_alive())

    async def readyz(request: web.Request) -> web.Response:  # noqa: ARG001
        found = facts()
        return _answer(found, bool(found["ready"]))

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    finally:
        await runner.cleanup()
