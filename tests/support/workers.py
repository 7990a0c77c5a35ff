"""Workers as processes of their own, to be started, frozen and killed; and the topics as tests see them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from agents.agent import Agent
from agents.partition import Partition
from agents.reader import LogReader, record_of
from agents.topics import create_topics
from fenceline.embedded import free_port
from fenceline.settings import Settings
from pipeline.step import Emission, Record
from schemas.message import Invalid
from schemas.times import from_epoch

READY_TIMEOUT_S = 90.0
PARTITIONS = 4


class WorkerProcess:
    """A worker process. `arguments`: of the Python interpreter; the health port is added at the end."""

    def __init__(self, broker: str, folder: Path, arguments: Sequence[str], **settings: str) -> None:
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FENCELINE_")},
            "FENCELINE_BROKER": broker,
            "FENCELINE_PARTITIONS": str(PARTITIONS),
            "FENCELINE_DATA_DIR": str(folder),
            **{f"FENCELINE_{name.upper()}": value for name, value in settings.items()},
        }
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / f"worker-{id(self)}.log"

    def start(self) -> None:
        self._port = free_port()
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments, str(self._port)],
                env=self._environ,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def health(self) -> dict[str, Any] | None:
        """What its health page says; None while there is none."""
        try:
            found: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self._port}/readyz", timeout=2).json()
        except httpx.TransportError:
            return None
        return found

    def wait_ready(self) -> None:
        wait_for(lambda: self.running and (self.health() or {}).get("ready"), READY_TIMEOUT_S, self.told)

    def told(self) -> str:
        return f"worker: {self.log.read_text(errors='replace')[-3000:]}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self, patience_s: float = 60.0) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(patience_s)


def wait_for(condition: Callable[[], Any], within_s: float, told: Callable[[], str] = lambda: "") -> Any:
    """The first true value of `condition`, asked again and again."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s:g} s; {told()}")


def make_topics(broker: str, agents: Iterable[Agent]) -> None:
    asyncio.run(create_topics(Settings(broker=broker, partitions=PARTITIONS), agents))


async def read_all(broker: str, *topics: str) -> list[Any]:
    """All records of `topics`, raw, by topic, partition and offset."""
    found = []
    async with LogReader(broker) as reader:
        places = [place for topic in topics for place in await reader.partitions_of(topic)]
        async for chunk in reader.read(await reader.starts(places)):
            found += [raw for records in chunk.values() for raw in records]
    return sorted(found, key=lambda raw: (raw.topic, raw.partition, raw.offset))


async def send_all(broker: str, records: Iterable[tuple[str, str, bytes | None]]) -> None:
    """Write (topic, key, value) in order."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5)
    await producer.start()
    try:
        await asyncio.gather(*[await producer.send(topic, value, key=key.encode()) for topic, key, value in records])
    finally:
        await producer.stop()


def ids(records: Iterable[Any]) -> list[str]:
    return [dict(raw.headers)["id"].decode() for raw in records]


async def undisturbed(broker: str, agent: Agent, until_s: float) -> dict[int, list[Emission]]:
    """What `agent` makes of its input as it is on the log, judged in one go; timers fire up to `until_s`."""
    knowledge = agent.knowledge()
    for raw in await read_all(broker, *[topic.name for topic in agent.reference]):
        if isinstance(
            wrong := knowledge.learn(raw.topic, raw.key, raw.value, from_epoch(raw.timestamp / 1000)), Invalid
        ):
            raise AssertionError(f"reference refused: {wrong}")
    by_partition: dict[int, list[Record]] = {}
    for raw in await read_all(broker, *[topic.name for topic in agent.inputs]):
        by_partition.setdefault(raw.partition, []).append(record_of(raw))
    emissions = {}
    for number, records in by_partition.items():
        partition = Partition(
            agent.name, number, agent.core(number, knowledge), {topic.name: -1 for topic in agent.inputs}, 0.0
        )
        emissions[number] = partition.judge(records, until_s) + partition.tick(until_s)
    return emissions


async def follow(
    broker: str, topics: Sequence[str], until: Callable[[Mapping[str, list[Any]]], bool], within_s: float
) -> dict[str, list[Any]]:
    """Records of `topics` as they come, until `until` says that they are enough."""
    found: dict[str, list[Any]] = {topic: [] for topic in topics}
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=broker, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        async with asyncio.timeout(within_s):
            while not until(found):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for raw in records:
                        found[raw.topic].append(raw)
    finally:
        await consumer.stop()
    return found
