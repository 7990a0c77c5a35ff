"""The demo's phones: each posts its place to the gateway in OwnTracks' format, and keeps what was not accepted."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from fenceline.demo.town import Person, Town

BACKLOG = 10
BACKLOG_PERIOD_S = 30.0
GONE_WRONG_PAUSE_S = 1.0


@dataclass(slots=True)
class Tally:
    """What the phones sent: `accepted` holds (device_id, epoch second) of each fix that the gateway took."""

    accepted: set[tuple[str, int]] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)


async def _post(client: httpx.AsyncClient, user: str, token: str, message: dict[str, Any]) -> httpx.Response:
    return await client.post("/owntracks", json=message, auth=(user, token))


async def _phone(
    post: Callable[[dict[str, Any]], Awaitable[httpx.Response]],
    person: Person,
    period_s: float,
    tally: Tally,
    ended: Callable[[], bool],
) -> None:
    """One phone: a few minutes of backlog first, as after a gap, then a fix every `period_s` until `ended`."""
    start = datetime.now(UTC) - timedelta(seconds=(person.number % 10) / 10 * period_s)
    waiting: deque[dict[str, Any]] = deque(
        person.report(start - timedelta(seconds=BACKLOG_PERIOD_S * back)) for back in range(BACKLOG, 0, -1)
    )
    next_at = start
    while waiting or not ended():
        now = datetime.now(UTC)
        if now >= next_at and not ended():
            waiting.append(person.report(now))
            next_at += timedelta(seconds=period_s)
        if not waiting:
            await asyncio.sleep(min(max((next_at - now).total_seconds(), 0.01), 0.5))
            continue
        try:
            answer = await post(waiting[0])
        except httpx.TransportError:
            await asyncio.sleep(GONE_WRONG_PAUSE_S)
            continue
        if answer.is_success:
            tally.accepted.add((person.device_id, waiting.popleft()["tst"]))
        elif answer.status_code in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            await asyncio.sleep(float(answer.headers.get("retry-after", GONE_WRONG_PAUSE_S)))
        else:
            tally.refused.append(f"{person.device_id}: {answer.status_code} {answer.text[:200]}")
            waiting.popleft()


async def drive(
    town: Town, gateway_url: str, tokens: Mapping[str, str], period_s: float, ended: Callable[[], bool]
) -> Tally:
    """Let all phones of the town report until `ended` says so and nothing is left to send.

    `tokens`: the token of each device_id.
    """
    tally = Tally()
    limits = httpx.Limits(max_connections=len(town.people))
    async with (
        httpx.AsyncClient(base_url=gateway_url, timeout=10.0, limits=limits) as client,
        asyncio.TaskGroup() as phones,
    ):
        for person in town.people:
            post = partial(_post, client, person.device_id, tokens[person.device_id])
            phones.create_task(_phone(post, person, period_s, tally, ended))
    return tally
