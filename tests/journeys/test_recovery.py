"""Workers are killed, frozen, added and taken away, and the broker with them: the topics say what they would have said.

Judged against an undisturbed run over the same log, in one go and in this process. On a real Apache Kafka.

FENCELINE_TEST_KILLS: how often a worker is killed in the first journey; 20 shows it properly, CI takes fewer.
"""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents.agent import Agent, agents_named
from schemas.message import encode
from schemas.topics import FIXES, INCIDENTS
from tests.support import homes, tally
from tests.support.kafka import ApacheKafka
from tests.support.workers import PARTITIONS, WorkerProcess, ids, make_topics, read_all, send_all, undisturbed

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("FENCELINE_TEST_KILLS", "4"))
DEVICES = 60
SETTLE_S = 60.0
REJECTED = "fixes.rejected"


class Scene(NamedTuple):
    """Whom to watch: the agent, how its worker is started, what it must know, and what devices report."""

    agent: Agent
    command: Sequence[str]
    prepare: Callable[[str], Awaitable[None]]
    reports: Callable[[random.Random], Iterator[tuple[str, list[dict[str, Any]]]]]


async def _name_a_fence(broker: str) -> None:
    await send_all(broker, [("fences", "f1", b'{"properties":{"name":"home"}}')])


def _any_fixes(chance: random.Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for second in count():
        device = f"d{chance.randrange(DEVICES)}"
        yield device, [_fix(device, second, chance.random()) for _ in range(chance.choice([1, 1, 3, 20]))]


def _walks(chance: random.Random) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """People who go out and come back; reports come in frames, twice, late and in the wrong order, too."""
    kept: list[tuple[str, list[dict[str, Any]]]] = []
    for step in count():
        for number in range(DEVICES):
            report = f"d{number}", [homes.fix(number, step, chance)]
            if chance.random() < 0.03:
                kept.append(report)
                continue
            yield report
            if chance.random() < 0.02:
                yield report
        if len(kept) > 20:
            yield from kept
            kept.clear()


TALLY = Scene(tally.AGENT, ["-m", "tests.support.tally"], _name_a_fence, _any_fixes)
LOCATE = Scene(
    agents_named(["locate"])[0],
    ["-m", "fenceline", "worker", "--agents", "locate", "--health-port"],
    lambda broker: homes.introduce(broker, DEVICES, PARTITIONS),
    _walks,
)


@pytest.fixture(params=[TALLY], ids=["tally"])
def scene(request: pytest.FixtureRequest) -> Scene:
    found: Scene = request.param
    return found


@pytest.fixture
def kafka(own_kafka: ApacheKafka, scene: Scene) -> ApacheKafka:
    make_topics(own_kafka.bootstrap, [scene.agent])
    asyncio.run(scene.prepare(own_kafka.bootstrap))  # type: ignore[arg-type]
    return own_kafka


class Crew:
    """Workers that share the partitions."""

    def __init__(self, broker: str, folder: Path, command: Sequence[str], size: int) -> None:
        self.workers = [WorkerProcess(broker, folder, command, worker_session_timeout_s="6") for _ in range(size)]

    def start(self) -> None:
        for worker in self.workers:
            worker.start()

    async def ready(self) -> None:
        for worker in self.workers:
            await asyncio.to_thread(worker.wait_ready)

    def kill(self) -> None:
        for worker in self.workers:
            if worker.running:
                worker.signal(signal.SIGCONT)
            worker.kill()


@pytest.fixture
def crew(kafka: ApacheKafka, scene: Scene, tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(kafka.bootstrap, tmp_path, scene.command, 2)
    yield crew
    crew.kill()


@asynccontextmanager
async def stream(broker: str, scene: Scene, seed: int) -> AsyncIterator[None]:
    """Devices report for as long as the block runs: single fixes and frames, and now and then something unusable."""
    ended = asyncio.Event()
    task = asyncio.create_task(_report(broker, scene.reports(random.Random(seed)), random.Random(seed), ended))
    try:
        yield
    finally:
        ended.set()
        await task


async def _report(
    broker: str,
    reports: Iterator[tuple[str, list[dict[str, Any]]]],
    chance: random.Random,
    ended: asyncio.Event,
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        while not ended.is_set():
            for device, frame in islice(reports, 40):
                value = json.dumps(frame if len(frame) > 1 else frame[0]).encode()
                if chance.random() < 0.003:
                    value = chance.choice([b"{", b"", b"\xff\xfe", b"[1,2]", b'{"device_id":"d"}', b"[" * 2000])
                await _insist(producer, device, value)
            await asyncio.sleep(0.05)
    finally:
        await producer.stop()


async def _insist(producer: AIOKafkaProducer, device: str, value: bytes) -> None:
    while True:
        try:
            await producer.send(FIXES.name, value, key=device.encode())
            return
        except KafkaError:
            await asyncio.sleep(0.2)


def _fix(device: str, second: int, lat: float) -> dict[str, Any]:
    at = f"2026-01-01T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    return {"device_id": device, "fix_time": at, "lat": lat, "lon": 1}


def _plain(value: bytes) -> dict[str, Any]:
    """An incident without the one field in which two runs may differ."""
    incident: dict[str, Any] = json.loads(value)
    incident.pop("emitted_at", None)
    return incident


async def assert_as_if_undisturbed(broker: str, agent: Agent) -> int:
    """The topics hold what an undisturbed run gives, each once, in order for each key; how many there are."""
    said = await undisturbed(broker, agent, time.time() + 10)
    wanted = {part: [one for one in some if one.topic in (INCIDENTS.name, REJECTED)] for part, some in said.items()}
    wanted_ids = Counter(emission.id for emissions in wanted.values() for emission in emissions)
    deadline = time.monotonic() + SETTLE_S
    while True:
        records = await read_all(broker, INCIDENTS.name, REJECTED)
        if len(records) >= wanted_ids.total() or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    found = Counter(ids(records))
    missing = [one for emissions in wanted.values() for one in emissions if one.id not in found]
    assert missing == [], f"{len(missing)} missing"
    extra = [raw.value for raw, one in zip(records, ids(records), strict=True) if found[one] > wanted_ids[one]]
    assert extra == [], f"{len(extra)} twice, or never wanted"

    wanted_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for emissions in wanted.values():
        for emission in emissions:
            if emission.topic == INCIDENTS.name:
                wanted_of[emission.key].append(_plain(encode(emission.message)))
    found_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for raw in records:
        if raw.topic == INCIDENTS.name:
            found_of[raw.key.decode()].append(_plain(raw.value))
    assert found_of == wanted_of
    return len(records)


def _told(workers: Sequence[WorkerProcess]) -> str:
    return "\n".join(worker.told() for worker in workers)


@pytest.mark.parametrize("scene", [TALLY, LOCATE], ids=["tally", "locate"], indirect=True)
async def test_kill_9_at_random_moments_loses_nothing_and_says_nothing_twice(
    kafka: ApacheKafka, scene: Scene, crew: Crew
) -> None:
    """Two workers share the partitions; one or the other is killed, again and again, in the middle of a stream."""
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    crew.start()
    async with stream(kafka.bootstrap, scene, seed):
        await crew.ready()
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0.2, 9))
            worker = chance.choice(crew.workers)
            worker.kill()
            worker.start()
    said = await assert_as_if_undisturbed(kafka.bootstrap, scene.agent)
    print(f"seed {seed}: {KILLS} kills, {said} records as in an undisturbed run")
    assert said > 10 * KILLS
    await crew.ready()
    assert [worker.stop() for worker in crew.workers] == [0, 0], _told(crew.workers)


async def test_one_worker_becomes_three_and_one_again_in_the_middle_of_a_stream(
    kafka: ApacheKafka, scene: Scene, tmp_path: Path
) -> None:
    crew = Crew(kafka.bootstrap, tmp_path, scene.command, 3)
    first, *others = crew.workers
    try:
        first.start()
        async with stream(kafka.bootstrap, scene, 1):
            await asyncio.to_thread(first.wait_ready)
            for worker in others:
                worker.start()
                await asyncio.to_thread(worker.wait_ready)
            await asyncio.sleep(3)
            assert [await asyncio.to_thread(worker.stop) for worker in others] == [0, 0], _told(others)
            await asyncio.sleep(1)
        await assert_as_if_undisturbed(kafka.bootstrap, scene.agent)
        health = first.health()
        assert health is not None
        assert health["agents"]["tally"]["partitions"] == [0, 1, 2, 3]
    finally:
        crew.kill()


async def test_a_worker_with_a_name_has_its_partitions_back_before_its_dead_session_ends(
    kafka: ApacheKafka, scene: Scene, tmp_path: Path
) -> None:
    """Nameless, its successor would wait for the end of the session: longer than a test waits for one to be ready."""
    session = {"worker_session_timeout_s": "280", "worker_instance": "worker-0"}
    worker = WorkerProcess(kafka.bootstrap, tmp_path, scene.command, **session)
    worker.start()
    try:
        await asyncio.to_thread(worker.wait_ready)
        async with stream(kafka.bootstrap, scene, seed=11):
            for _ in range(2):
                await asyncio.sleep(2)
                worker.kill()
                worker.start()
                await asyncio.to_thread(worker.wait_ready)
        assert await assert_as_if_undisturbed(kafka.bootstrap, scene.agent)
    finally:
        worker.kill()


async def test_a_worker_that_was_frozen_beyond_its_session_says_nothing_twice(
    kafka: ApacheKafka, scene: Scene, crew: Crew
) -> None:
    """It wakes up with records in hand that another worker has judged meanwhile."""
    crew.start()
    async with stream(kafka.bootstrap, scene, 2):
        await crew.ready()
        await asyncio.sleep(2)
        frozen = crew.workers[0]
        frozen.signal(signal.SIGSTOP)
        await asyncio.sleep(12)  # its session is 6 s
        frozen.signal(signal.SIGCONT)
        await asyncio.sleep(5)
    await assert_as_if_undisturbed(kafka.bootstrap, scene.agent)
    assert frozen.running, frozen.told()


async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(
    kafka: ApacheKafka, scene: Scene, crew: Crew
) -> None:
    crew.start()
    async with stream(kafka.bootstrap, scene, 3):
        await crew.ready()
        await asyncio.sleep(2)
        await asyncio.to_thread(kafka.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(kafka.start)
        await asyncio.sleep(5)
    await assert_as_if_undisturbed(kafka.bootstrap, scene.agent)
    assert all(worker.running for worker in crew.workers), _told(crew.workers)
