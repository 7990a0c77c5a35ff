import asyncio
import json
from collections.abc import AsyncIterator, Callable

import pytest

from agents.agent import Agent
from agents.reference import References
from agents.sender import Sender
from agents.topics import create_topics
from fenceline.settings import Settings
from pipeline.keyed import KeyedCore
from schemas.topics import ACTIVATIONS, FENCES, FIXES
from tests.support.tally import AGENT, Count, Noted, decide
from tests.support.workers import read_all, send_all


def named(name: str) -> bytes:
    return json.dumps({"properties": {"name": name}}).encode()


@pytest.fixture
async def sender(broker: str) -> AsyncIterator[Sender]:
    await create_topics(Settings(broker=broker, partitions=2), [AGENT])
    sender = Sender(broker, lambda: 60.0)
    await sender.start()
    yield sender
    await sender.stop()


async def soon(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


async def test_all_that_was_said_is_known_before_anything_is_judged(broker: str, sender: Sender) -> None:
    said = [("a", named("one")), ("b", named("two")), ("a", named("three")), ("b", None)]
    await send_all(broker, [("fences", key, value) for key, value in said])
    references = References([AGENT], broker, sender)
    await references.cover({0})
    assert references.of(AGENT).keys == {"a": "three"}
    await references.close()


async def test_an_edit_and_a_withdrawal_reach_a_running_worker(broker: str, sender: Sender) -> None:
    references = References([AGENT], broker, sender)
    await references.cover({0})
    known = references.of(AGENT).keys
    await send_all(broker, [("fences", "a", named("one"))])
    await soon(lambda: known == {"a": "one"})
    await send_all(broker, [("fences", "a", None)])
    await soon(lambda: known == {})
    await references.close()


async def test_a_refused_record_is_kept_once_by_the_worker_that_reports(broker: str, sender: Sender) -> None:
    reporting = References([AGENT], broker, sender, lambda: True)
    silent = References([AGENT], broker, sender, lambda: False)
    await reporting.cover({0})
    await silent.cover({0})
    await send_all(broker, [("fences", "a", b"not json"), ("fences", "b", named("two"))])
    await soon(lambda: "b" in reporting.of(AGENT).keys and "b" in silent.of(AGENT).keys)
    (raw,) = await read_all(broker, "fences.rejected")
    assert json.loads(raw.value)["source"] == "fences/0@0"
    await reporting.close()
    await silent.close()


async def test_of_a_partitioned_topic_only_the_partitions_that_are_ours_are_read(broker: str, sender: Sender) -> None:
    agent = Agent(
        "part", (FIXES,), (), core=lambda _, noted: KeyedCore(decide, Count, noted), reference=(ACTIVATIONS,),
        knowledge=Noted,
    )  # fmt: skip
    keys = [f"d{number}" for number in range(20)]
    await send_all(broker, [("activations", key, named(key)) for key in keys])
    there = {raw.key.decode(): raw.partition for raw in await read_all(broker, "activations")}
    references = References([agent], broker, sender)
    await references.cover({1})
    assert set(references.of(agent).keys) == {key for key, partition in there.items() if partition == 1}
    await references.cover({0, 1})
    assert set(references.of(agent).keys) == set(keys)
    await send_all(broker, [("activations", "d3", None)])
    await soon(lambda: "d3" not in references.of(agent).keys)
    await references.close()


async def test_agents_that_name_the_same_knowledge_share_it(broker: str, sender: Sender) -> None:
    other = Agent("other", (FIXES,), (), core=AGENT.core, reference=(FENCES,), knowledge=Noted)
    references = References([AGENT, other], broker, sender)
    assert references.of(AGENT) is references.of(other)
