"""How many fixes a second get through, and how long one takes, seen from outside: offsets and time stamps."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from agents.agent import agents_named
from agents.reader import stopped
from agents.topics import create_topics
from benchmarks.end_to_end.contenders import Contender, Start
from benchmarks.end_to_end.scene import FRAME, Scene, fence, reference
from fenceline.settings import Settings

POLL_S = 0.5
KEEPS_UP_S = 2.0
"""So far behind at most counts as keeping up: offsets are committed once a second, and looked at twice."""
WARM_TIMEOUT_S = 180.0


class Progress(NamedTuple):
    """At `at` (seconds since 1970) `done` records of the topic were committed, of `there`."""

    at: float
    done: int
    there: int


async def prepare(broker: str, contender: Contender, scene: Scene, fences: Path) -> str:
    """Make topics and what must be known; the topic of fixes."""
    fences.write_text(
        json.dumps({"type": "FeatureCollection", "features": [fence(scene, n) for n in range(scene.fences)]})
    )
    if contender.output == "incidents":
        await create_topics(Settings(broker=broker, partitions=scene.partitions), agents_named(["locate"]))
        await _introduce(broker, scene)
        return "fixes"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    stamps = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics(
        [NewTopic(name, scene.partitions, 1, topic_configs=stamps) for name in ("reports", contender.output)]
    )
    await admin.close()
    return "reports"


async def _introduce(broker: str, scene: Scene) -> None:
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415

    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=20, max_batch_size=256 * 1024)
    await producer.start()
    for topic, key, value, partition in reference(scene):
        await producer.send(topic, value, key=key.encode(), partition=partition)
    await producer.stop()


@contextmanager
def running(contender: Contender, start: Start) -> Iterator[subprocess.Popen[bytes]]:
    """The contender as a process, ended with the block; what it says goes to a file in its folder."""
    with (start.folder / "contender.log").open("wb") as sink:
        process = subprocess.Popen(
            contender.command(start),
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "FENCELINE_BROKER": start.broker,
                "FENCELINE_DATA_DIR": str(start.folder),
                "FENCELINE_WORKER_LOG_LEVEL": os.environ.get("FENCELINE_WORKER_LOG_LEVEL", "warning"),
            },
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_s(pid: int) -> float:
    """Processor seconds of a process and those that it started."""
    total, pids = 0.0, [pid]
    while pids:
        one = pids.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            for task in Path(f"/proc/{one}/task").iterdir():
                pids += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


class Watch:
    """Asks the broker how far a contender's group is."""

    def __init__(self, broker: str, group: str, topic: str, partitions: int) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=broker)
        self._group = group
        self._places = [TopicPartition(topic, number) for number in range(partitions)]

    async def __aenter__(self) -> "Watch":
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def look(self) -> Progress:
        """Where it is now."""
        ends = await self._consumer.end_offsets(self._places)
        try:
            committed = await self._admin.list_consumer_group_offsets(self._group)
        except GroupCoordinatorNotAvailableError:
            committed = {}  # nobody has joined a group on this broker yet
        done = sum(max(committed[place].offset, 0) for place in self._places if place in committed)
        return Progress(time.time(), done, sum(ends.values()))


@contextmanager
def loading(start: Start, contender: Contender, scene: Scene) -> Iterator[Callable[[float], None]]:
    """The producer while the block runs; call what it gives with a rate."""
    wanted = {"broker": start.broker, "topic": start.topic, "scene": scene._asdict(), "devices": contender.devices}
    command = [sys.executable, "-m", "benchmarks.end_to_end.load"]
    given = json.dumps({**wanted, "singles": not contender.frames})
    producer = subprocess.Popen([*command, given], stdin=subprocess.PIPE, text=True)
    sink = producer.stdin
    assert sink is not None

    def tell(rate: float) -> None:
        sink.write(f"{rate}\n")
        sink.flush()

    try:
        yield tell
    finally:
        sink.close()
        producer.wait()


async def warm(watch: Watch, scene: Scene, process: "subprocess.Popen[bytes]", contender: Contender, log: Path) -> None:
    """Wait until it works off what it is fed.

    Raises:
        RuntimeError: it ended, or did not get to work.
    """
    deadline = time.monotonic() + WARM_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        now = await watch.look()
        if now.done and now.done >= now.there - _lag_of(contender, contender.first * KEEPS_UP_S, scene):
            return
        await asyncio.sleep(POLL_S)
    said = log.read_text(errors="replace")[-1500:]
    raise RuntimeError(f"{contender.name} did not get to work: {said}")


def _lag_of(contender: Contender, fixes: float, scene: Scene) -> float:
    return fixes / (FRAME if contender.frames else 1) + 2 * scene.partitions


async def at_rate(
    watch: Watch, start: Start, contender: Contender, pid: int, settle_s: float, seconds: float
) -> dict[str, Any]:
    """What comes of the present rate, after `settle_s`, for `seconds`: rates, lag, processor time, latencies."""
    await asyncio.sleep(settle_s)
    since = await ends(start.broker, contender.output)
    seen, cpu = [await watch.look()], cpu_s(pid)
    while seen[-1].at < seen[0].at + seconds:
        await asyncio.sleep(POLL_S)
        seen.append(await watch.look())
    spent_s, span_s = cpu_s(pid) - cpu, seen[-1].at - seen[0].at
    size = FRAME if contender.frames else 1
    fixes, offered = (size * (getattr(seen[-1], name) - getattr(seen[0], name)) for name in ("done", "there"))
    return {
        "offered_fixes_per_s": round(offered / span_s),
        "judged_fixes_per_s": round(fixes / span_s),
        "lag_at_the_end_s": round((seen[-1].there - seen[-1].done) * size / max(offered / span_s, 1), 2),
        "cpu_us_per_fix": round(spent_s / max(fixes, 1) * 1e6, 2),
        "cores": round(spent_s / span_s, 2),
        "latency": await latencies(start.broker, contender.output, since),
    }


async def ends(broker: str, topic: str) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=broker)
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
        return ends
    finally:
        await consumer.stop()


async def latencies(broker: str, topic: str, since: dict[TopicPartition, int]) -> dict[str, Any]:
    """From the sending of the fix that settled it to the broker's stamp on what was said: milliseconds."""
    until = await ends(broker, topic)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    await consumer.start()
    found: list[float] = []
    consumer.assign(list(since))
    for place, offset in since.items():
        consumer.seek(place, offset)
    while any([await consumer.position(place) < end for place, end in until.items()]):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                said = json.loads(record.value)
                at = datetime.fromisoformat(said.get("detected_at") or said["at"])
                found.append(record.timestamp - at.timestamp() * 1000)
    await stopped(consumer)
    found.sort()
    if not found:
        return {"events": 0}
    return {
        "events": len(found),
        **{f"p{share}_ms": round(found[min(int(len(found) * share / 100), len(found) - 1)]) for share in (50, 90, 99)},
        "max_ms": round(found[-1]),
    }
