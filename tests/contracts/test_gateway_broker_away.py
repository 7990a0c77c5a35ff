"""What was answered 2xx is on the topic, also when the broker stands still in the middle of it."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.load import LOAD_DEVICES, load, order_kept
from tests.support.site import Site, fix, running_site, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"GATEWAY_ACK_TIMEOUT_S": "1.5", "GATEWAY_IN_FLIGHT_FIXES": "400"}
    with running_site(tmp_path_factory.mktemp("site"), settings) as running:
        yield running


async def _load_with_a_pause(site: Site, token: str) -> tuple[Counter[int], set[tuple[str, int]]]:
    answers: Counter[int] = Counter()
    sent: set[tuple[str, int]] = set()
    stop = asyncio.Event()
    phones = asyncio.create_task(load(site, token, answers, sent, stop))

    async def reached(status: int, more: int) -> None:
        wanted = answers[status] + more
        async with asyncio.timeout(30):
            while answers[status] < wanted and not phones.done():
                await asyncio.sleep(0.02)

    await reached(202, 100)
    with site.broker_paused():
        await reached(503, 2 * LOAD_DEVICES)
        assert site.client.get("/healthz").status_code == 200
    await reached(202, 200)
    stop.set()
    await phones
    return answers, sent


def test_a_broker_that_stands_still_costs_nothing_that_was_accepted(site: Site) -> None:
    """503 with Retry-After while it is away; afterwards all of it is there, in order per device, unaided."""
    token = site.issue("*", principal="feed", role="service")
    before = site.metric("fenceline_gateway_fixes_total")
    answers, sent = asyncio.run(_load_with_a_pause(site, token))
    assert answers.keys() == {202, 503}
    until(lambda: site.metric("fenceline_gateway_in_flight_fixes") == 0, what="the last frame's fate")
    found = [one for one in site.fixes() if one["device_id"].startswith("load-")]
    assert sent <= {(one["device_id"], one["seq"]) for one in found}
    assert site.metric("fenceline_gateway_fixes_total") == before + len(sent)
    assert order_kept(found)


def test_too_much_on_its_way_is_turned_away_at_once(site: Site) -> None:
    """Beyond the bound on fixes in flight a request is told to come back without waiting for the broker."""
    token = site.issue("*", principal="feed-2", role="service")

    async def flood() -> list[tuple[int, float]]:
        async def one(session: aiohttp.ClientSession, number: int) -> tuple[int, float]:
            began = asyncio.get_running_loop().time()
            body = json.dumps([fix(f"flood-{number}")] * 100)
            headers = {"authorization": f"Bearer {token}"}
            async with session.post(f"{site.url}/v1/fixes", data=body, headers=headers) as answer:
                await answer.read()
                return answer.status, asyncio.get_running_loop().time() - began

        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(one(session, number) for number in range(20)))

    with site.broker_paused():
        answers = asyncio.run(flood())
    assert {status for status, _ in answers} == {503}
    waited_s = max(took_s for _, took_s in answers)  # the first few, in the broker's queue until it was given up
    assert sum(took_s < waited_s / 2 for _, took_s in answers) >= 15
    until(lambda: site.post("/v1/fixes", fix("flood-0"), token=token).status_code == 202)


def test_a_request_under_way_is_answered_before_the_gateway_ends(tmp_path: Path) -> None:
    """SIGTERM while the broker is slow: what was taken is acknowledged, then the process ends with 0."""
    with running_site(tmp_path) as site:
        token = site.issue("last")

        async def last() -> int:
            async with aiohttp.ClientSession() as session:
                headers = {"authorization": f"Bearer {token}"}
                with site.broker_paused():
                    post = session.post(f"{site.url}/v1/fixes", data=json.dumps(fix("last")), headers=headers)
                    asking = asyncio.ensure_future(post)
                    async with asyncio.timeout(60):
                        while site.metric("fenceline_gateway_in_flight_fixes") < 1:
                            await asyncio.sleep(0.02)
                    os.kill(site.process.pid, signal.SIGTERM)
                    async with asyncio.timeout(60):
                        while "gateway_drains" not in site.log.read_text():
                            await asyncio.sleep(0.02)
                answer = await asking
                await answer.read()
                return answer.status

        assert asyncio.run(last()) == 202
        assert site.process.wait(20) == 0
        assert len(site.fixes("last")) == 1
