"""`python -m benchmarks.recovery [--devices N ...] [--moving N]`: one JSON object on stdout.

On Apache Kafka, for each number of devices: a worker learns all and judges reports of each; its memory; then kill -9,
new reports, and a new worker: how long from its start until it has its state back and has judged what came meanwhile
(its health page says so, asked four times a second). The workers have names (`FENCELINE_WORKER_INSTANCE`); a nameless
one waits for the end of the dead one's session first, 10 s.

Then two workers share `--moving` devices that report all the time; one is killed, and one is restarted as in a rolling
update. The pause is the longest time for which the committed offset of any partition stood still.
"""

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import click
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from agents.changelog import MARKER_KEY, Marker
from agents.reader import stopped
from benchmarks.end_to_end.contenders import DEVICE_PERIOD_S, Contender, Start
from benchmarks.end_to_end.measure import Watch, loading, prepare, running
from benchmarks.end_to_end.scene import Scene, laps, stamped
from benchmarks.machine import machine, resident_mb
from fenceline.embedded import free_port
from schemas.message import decode
from tests.support.kafka import ApacheKafka

GROUP, TOPIC, CHANGELOG = "fenceline-locate", "fixes", "fenceline.locate.changelog"
LOOK_S = 0.25
PATIENCE_S = 300.0
FENCES, PARTITIONS = 1000, 4
LAPS = 3
MOVING_RATE = 10_000.0


def worker_at(port: int, name: str = "", devices: int = 0) -> Contender:
    """Our worker called `name`, with its health page at `port`, for so many devices."""
    command = ["env", f"FENCELINE_WORKER_INSTANCE={name}"] if name else []
    command += [sys.executable, "-m", "fenceline", "worker", "--agents", "locate", "--health-port", str(port)]
    return Contender(
        "fenceline", "full verdict", GROUP, "incidents", True, lambda _: command, devices / DEVICE_PERIOD_S, MOVING_RATE
    )


async def first_s(port: int) -> float:
    """Seconds until the worker has recovered a partition, with the verdicts on all that lay there."""
    began = time.monotonic()
    async with httpx.AsyncClient() as client:
        while time.monotonic() - began < PATIENCE_S:
            with suppress(httpx.TransportError):
                facts = (await client.get(f"http://127.0.0.1:{port}/healthz", timeout=2)).json()
                if facts["agents"]["locate"]["partitions"]:
                    break
            await asyncio.sleep(LOOK_S)
    return round(time.monotonic() - began, 1)


async def ready_s(port: int) -> float:
    """Seconds until the worker says that what is its own is recovered: it has judged all that lay there.

    Raises:
        click.ClickException: it does not within `PATIENCE_S`.
    """
    began = time.monotonic()
    async with httpx.AsyncClient() as client:
        while time.monotonic() - began < PATIENCE_S:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz", timeout=2)).status_code == httpx.codes.OK:
                    return round(time.monotonic() - began, 1)
            except httpx.TransportError:
                pass
            await asyncio.sleep(LOOK_S)
    raise click.ClickException("the worker did not become ready")


async def _send(broker: str, frames: Iterable[tuple[int, bytes, int]]) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    sent = 0
    for partition, frame, count in frames:
        await producer.send(TOPIC, stamped(frame), partition=partition)
        sent += count
    await producer.stop()
    return sent


async def _until_done(watch: Watch) -> float:
    """Seconds until all that lies there is judged."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        now = await watch.look()
        if now.done >= now.there:
            return round(time.monotonic() - began, 1)
        await asyncio.sleep(LOOK_S)
    raise click.ClickException("what was sent was not judged")


async def _saved(broker: str) -> None:
    """Wait until the state of all that was sent is in the changelog: its last markers say so."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    await consumer.start()
    fixes = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    changelog = [TopicPartition(CHANGELOG, number) for number in range(PARTITIONS)]
    consumer.assign(changelog)
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S:
        await asyncio.sleep(1)
        wanted, ends = await consumer.end_offsets(fixes), await consumer.end_offsets(changelog)
        reached = []
        for place in changelog:
            consumer.seek(place, max(ends[place] - 1, 0))
            last = await consumer.getone(place)
            marked = decode(last.value, Marker).positions[TOPIC] if last.key == MARKER_KEY else -1
            reached.append(marked + 1 >= wanted[TopicPartition(TOPIC, place.partition)])
        if all(reached):
            break
    await stopped(consumer)


async def _killed(folder: Path, broker: str, devices: int) -> dict[str, Any]:
    scene = Scene(devices, FENCES, 8, PARTITIONS)
    port = free_port()
    contender = worker_at(port, "one")
    start = Start(broker, folder / "fences.geojson", TOPIC, folder)
    await prepare(broker, contender, scene, start.fences)
    found: dict[str, Any] = {"devices": devices}
    async with Watch(broker, GROUP, TOPIC, PARTITIONS) as watch:
        with running(contender, start) as process:
            found["first_start_s"] = await ready_s(port)
            known_mb = resident_mb(process.pid)
            for lap in islice(laps(scene, devices), LAPS):
                await _send(broker, lap)
                await _until_done(watch)
            await _saved(broker)
            found["worker_mb"] = round(resident_mb(process.pid))
            found["of_it_state_mb"] = round(resident_mb(process.pid) - known_mb)
            process.kill()
            process.wait()
        await _send(broker, next(laps(scene, min(devices, 1000))))
        with running(contender, start):
            found["restart_to_first_judged_s"], found["restart_to_all_judged_s"] = await asyncio.gather(
                first_s(port), ready_s(port)
            )
    return found


async def _pause(broker: str, seconds: float) -> dict[str, float]:
    """The longest time for which no offset of a partition was committed, over the next `seconds`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    last: dict[int, tuple[int, float]] = {}
    longest: dict[int, float] = {}
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        for place, meta in (await admin.list_consumer_group_offsets(GROUP)).items():
            if place.topic != TOPIC:
                continue
            number = place.partition
            offset, since = last.get(number, (-1, now))
            longest[number] = max(longest.get(number, 0.0), now - since)
            if meta.offset != offset:
                last[number] = (meta.offset, now)
        await asyncio.sleep(LOOK_S)
    await admin.close()
    return {
        "longest_s": round(max(longest.values()), 1),
        "median_partition_s": round(sorted(longest.values())[len(longest) // 2], 1),
    }


async def _moved(folder: Path, broker: str, devices: int) -> dict[str, Any]:
    scene = Scene(devices, FENCES, 8, PARTITIONS)
    ports = [free_port(), free_port(), free_port(), free_port()]
    starts = []
    for name in ("one", "two", "three", "four"):
        (folder / name).mkdir()
        starts.append(Start(broker, folder / "fences.geojson", TOPIC, folder / name))
    await prepare(broker, worker_at(ports[0]), scene, starts[0].fences)
    found: dict[str, Any] = {"devices": devices, "offered_fixes_per_s": MOVING_RATE, "session_timeout_s": 10.0}
    with running(worker_at(ports[0], "one"), starts[0]), running(worker_at(ports[1], "two"), starts[1]) as two:
        await asyncio.gather(ready_s(ports[0]), ready_s(ports[1]))
        async with Watch(broker, GROUP, TOPIC, PARTITIONS) as watch:
            for lap in islice(laps(scene, devices), LAPS):
                await _send(broker, lap)
                await _until_done(watch)
        with loading(starts[0], worker_at(0, devices=devices), scene) as tell:
            tell(MOVING_RATE)
            await asyncio.sleep(45)  # what is held back at first has been judged
            found["undisturbed"] = await _pause(broker, 8)
            two.kill()
            two.wait()
            found["crash"] = await _pause(broker, 32)
            with running(worker_at(ports[2], "three"), starts[2]) as three:
                found["one_more_worker"] = await _pause(broker, 20)
                three.send_signal(signal.SIGTERM)
                three.wait()
                with running(worker_at(ports[3], "three"), starts[3]):
                    found["rolling_restart"] = await _pause(broker, 22)
    return found


@click.command()
@click.option("--devices", default=(10_000, 100_000, 1_000_000), multiple=True, show_default=True)
@click.option("--moving", default=100_000, show_default=True, help="Devices whose workers come and go; 0: not that.")
def main(devices: tuple[int, ...], moving: int) -> None:
    """Kill workers and take the time."""
    report: dict[str, Any] = {"benchmark": "recovery", "machine": machine(), "killed": []}
    for count in [*devices, -moving]:
        if count == 0:
            continue
        with tempfile.TemporaryDirectory(prefix="fenceline-bench-") as folder:
            kafka = ApacheKafka(Path(folder) / "kafka", heap_mb=768)
            broker = kafka.start()
            try:
                if count > 0:
                    report["killed"].append(asyncio.run(_killed(Path(folder), broker, count)))
                else:
                    report["rebalance"] = asyncio.run(_moved(Path(folder), broker, moving))
            except (click.ClickException, RuntimeError) as why:
                report["killed"].append({"devices": count, "not measured": str(why)})
            finally:
                kafka.stop()
        print(json.dumps(report), file=sys.stderr, flush=True)
    click.echo(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
