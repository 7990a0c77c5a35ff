"""What was answered 2xx is on the topic of a real Apache Kafka that is killed in the middle of it, twice."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.support.kafka import ApacheKafka
from tests.support.load import LOAD_DEVICES, load, order_kept
from tests.support.site import Site, running_site, until

KILLS = 2

pytestmark = pytest.mark.kafka


async def _load_with_kills(site: Site, kafka: ApacheKafka, token: str) -> tuple[Counter[int], set[tuple[str, int]]]:
    answers: Counter[int] = Counter()
    sent: set[tuple[str, int]] = set()
    stop = asyncio.Event()
    phones = asyncio.create_task(load(site, token, answers, sent, stop))

    async def reached(status: int, more: int) -> None:
        wanted = answers[status] + more
        async with asyncio.timeout(90):
            while answers[status] < wanted and not phones.done():
                await asyncio.sleep(0.05)

    await reached(202, 200)
    for _ in range(KILLS):
        kafka.kill()
        await reached(503, LOAD_DEVICES)
        await asyncio.to_thread(kafka.start)
        await reached(202, 200)
    stop.set()
    await phones
    return answers, sent


def test_nothing_accepted_is_lost_when_kafka_is_killed(tmp_path: Path) -> None:
    """503 while it is away; afterwards all is there, in order per device, and the producer is the idempotent one."""
    kafka = ApacheKafka(tmp_path / "kafka", settings={"auto.create.topics.enable": "false"})
    bootstrap = kafka.start()
    try:
        with running_site(tmp_path, {"GATEWAY_ACK_TIMEOUT_S": "2"}, broker_at=bootstrap) as site:
            token = site.issue("*", principal="feed", role="service")
            assert "broker_without_idempotence" not in site.log.read_text()
            answers, sent = asyncio.run(_load_with_kills(site, kafka, token))
            assert answers.keys() == {202, 503}
            until(lambda: site.metric("fenceline_gateway_in_flight_fixes") == 0, what="the last frame's fate")
            found = site.fixes()
            assert sent <= {(one["device_id"], one["seq"]) for one in found}
            assert site.metric("fenceline_gateway_fixes_total") == len(sent)
            assert order_kept(found)
    finally:
        kafka.stop()
