"""Phones that report to a gateway in order, and send what was not accepted again."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp

from tests.support.site import Site, fix

LOAD_DEVICES = 40
PER_REQUEST = 5
PAUSE_S = 0.1


async def load(site: Site, token: str, answers: Counter[int], sent: set[tuple[str, int]], stop: asyncio.Event) -> None:
    """Every device reports in order, and sends what was not accepted again, as phones do."""

    async def device(number: int, session: aiohttp.ClientSession) -> None:
        name, at = f"load-{number}", 0
        while not stop.is_set():
            fixes = [fix(name, seq=seq) for seq in range(at, at + PER_REQUEST)]
            headers = {"authorization": f"Bearer {token}"}
            async with session.post(f"{site.url}/v1/fixes", data=json.dumps(fixes), headers=headers) as answer:
                answers[answer.status] += 1
                if answer.status == 202:
                    sent.update((name, seq) for seq in range(at, at + PER_REQUEST))
                    at += PER_REQUEST
                else:
                    assert int(answer.headers["retry-after"]) >= 1
                    await asyncio.sleep(PAUSE_S)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(device(number, session) for number in range(LOAD_DEVICES)))


def order_kept(found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether each device's numbers appear on the topic in order, each counted at its first appearance."""
    seqs: dict[str, dict[int, None]] = {}
    for one in found:
        seqs.setdefault(one["device_id"], {})[one["seq"]] = None
    return all(list(given) == sorted(given) for given in seqs.values())
