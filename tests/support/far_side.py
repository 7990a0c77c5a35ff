"""An HTTP far side that keeps what it gets and answers what it is told to."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Got:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Reply:
    """What is answered. `hang_s`: so much later."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0


@dataclass
class FarSide:
    """`replies`: one for each request, in order; then `always`."""

    url: str
    got: list[Got] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    always: Reply = field(default_factory=Reply)


@asynccontextmanager
async def far_side() -> AsyncIterator[FarSide]:
    """A far side on a free port."""
    side = FarSide("")

    async def take(request: web.Request) -> web.Response:
        side.got.append(Got(request.path_qs, request.headers.copy(), await request.read()))
        reply = side.replies.popleft() if side.replies else side.always
        await asyncio.sleep(reply.hang_s)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.2)
        await site.start()
        side.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield side
    finally:
        await runner.cleanup()
