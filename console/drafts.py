"""What would this draft of a fence have raised? Asked before it is kept."""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from typing import Annotated

from aiokafka.errors import KafkaError
from litestar import Response, post
from litestar.params import Parameter

from console.bodies import read_body
from console.callers import ANALYSTS, Call, let_in, services_of_call
from console.fencebook import LARGEST_FENCE, draft_of
from console.problems import broker_away, unusable
from console.readings import enter
from console.whatif import what_if
from fences.lint import lint
from schemas.message import Invalid, encode

Days = Annotated[int, Parameter(ge=1, le=31, description="how many days back")]


@post("/api/v1/fences/what-if", status_code=200, summary="What would it have raised?", tags=["fences"])
async def ask(request: Call, days: Days = 7) -> Response[bytes]:
    """Breaches that the draft would have raised, spared or moved, against what holds now."""
    caller, services = await let_in(request, ANALYSTS), services_of_call(request)
    draft = draft_of(await read_body(request, LARGEST_FENCE, "draw it with fewer corners"), "", caller)
    wrong = next((one for one in lint([encode(draft)]) if one.severity == "error"), None)
    if wrong is not None:
        raise unusable(wrong.what, field=wrong.field, hint=wrong.mend)
    known = services.shelf.latest(draft.properties.fence_id)
    if known is not None and known.properties.agency != draft.properties.agency:
        known = None  # another agency's fence of that name is not ours to tell of
    await enter(services, caller, "what-if", fence_id=draft.properties.fence_id, days=days)
    until = services.now()
    given = (
        services.settings.broker,
        encode(draft),
        b"" if known is None else encode(known),
        (until - timedelta(days=days)).timestamp(),
        until.timestamp(),
    )
    async with services.heavy:
        try:
            found = await _apart(what_if, *given)
        except (KafkaError, OSError, BrokenProcessPool) as error:
            raise broker_away() from error
        except Invalid as why:
            raise unusable(why.reason, field=why.field) from why
    return Response(found, media_type="application/json")


async def _apart(work: object, *given: object) -> bytes:
    """`work` in a process of its own, which ends with it, whatever it grew to."""
    spawning = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, mp_context=spawning)
    try:
        found: bytes = await asyncio.get_running_loop().run_in_executor(pool, work, *given)  # type: ignore[arg-type]
        return found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


ROUTES = [ask]
