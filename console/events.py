"""What changes, as it changes: server-sent events that resume where they broke off, with a heartbeat.

The stream does not keep a session alive, and ends within a heartbeat of the session's end or the token's revocation.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from litestar import get
from litestar.params import Parameter
from litestar.response import Stream
from redis.exceptions import RedisError

from console.callers import ANYONE, Call, Caller, let_in, services_of_call
from console.problems import forbidden
from console.reading.changes import Change
from console.reading.refusals import Away
from console.readings import enter
from console.services import Services
from pipeline.credentials import Denied
from schemas.message import encode
from schemas.times import instant

BEAT = b": beat\n\n"
LOOK_S = 3.0
"""How often, while much happens, a stream makes sure that its session still holds; in silence at every beat."""


def event(name: str, data: bytes, event_id: str = "") -> bytes:
    """One event as the stream carries it."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: ".encode() + data + b"\n\n"


@get("/api/v1/events", summary="What changes", tags=["events"], media_type="text/event-stream")
async def events(
    request: Call,
    after: Annotated[str, Parameter(max_length=64, description="resume after this id; else Last-Event-ID")] = "",
) -> Stream:
    """`hello` first; then alert, task, positions, score, leave, fence, person, result, message, reset."""
    caller, services = await let_in(request, ANYONE, use=False), services_of_call(request)
    if caller.role == "analyst":
        raise forbidden("no_authority", "the stream tells of people; it is not for an analyst")
    resume = after or request.headers.get("last-event-id", "")[:64]
    await enter(services, caller, "events", caller.principal if caller.role == "subject" else "")
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Stream(_told(services, caller, resume or None), media_type="text/event-stream", headers=headers)


async def _told(services: Services, caller: Caller, after: str | None) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n" + event("hello", encode({"now": instant(services.now())}))
    person = caller.principal if caller.role == "subject" else ""
    changes = services.reader.changes(caller.scope, after, principal=caller.principal, subject_id=person)
    looked_at = time.monotonic()
    ends = [services.ending] if caller.session is None else [services.ending, services.sessions.over(caller.secret)]
    async for change in _until(changes, ends):
        if time.monotonic() - looked_at > LOOK_S or not change.event:
            looked_at = time.monotonic()
            if not await _holds(services, caller):
                return
        yield event(change.event, change.data, change.id) if change.event else BEAT


async def _until(changes: AsyncIterator[Change], ends: Sequence[asyncio.Event]) -> AsyncIterator[Change]:
    """`changes`, until one of `ends` is set."""
    endings = [asyncio.ensure_future(one.wait()) for one in ends]
    following: asyncio.Task[Change] | None = None
    try:
        while True:
            following = asyncio.create_task(anext(changes))  # type: ignore[arg-type]  # it is a coroutine
            await asyncio.wait({following, *endings}, return_when=asyncio.FIRST_COMPLETED)
            if any(one.done() for one in endings):
                return
            try:
                change = following.result()
            except (StopAsyncIteration, Away):
                return  # the page sees the line end, says so, and comes back
            yield change
    finally:
        waiting = [*endings, *([following] if following is not None else [])]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _holds(services: Services, caller: Caller) -> bool:
    try:
        services.keyring.holding(caller.credential.token_id, services.now())
        if caller.session is None:
            return True
        return await services.sessions.find(caller.secret, services.now(), use=False) is not None
    except (Denied, RedisError):
        return False


ROUTES = [events]
