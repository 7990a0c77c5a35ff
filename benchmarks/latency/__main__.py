"""`python -m benchmarks.latency [--rate N] [--seconds N]`: one JSON object on stdout.

Apache Kafka, the gateway and a worker, each a process of its own on this machine. Requests of 100 fixes over 8
connections at a steady rate; each fix is stamped when its request is written. The latency is from that to the broker's
stamp on the incident; devices walk in and out of fences, so that there are some.

The profile says what a fix costs on the way, in processor time: gateway, broker, worker, and of the first and the last
by stage. Their stacks are looked at (`benchmarks.sampled`) before what is measured, because that holds them up.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import click
import msgspec
import uvloop

from benchmarks.end_to_end.contenders import Start
from benchmarks.end_to_end.measure import Watch, cpu_s, ends, latencies, prepare, running
from benchmarks.end_to_end.scene import Scene, laps, stamped
from benchmarks.gateway.load import request_bytes
from benchmarks.machine import machine
from benchmarks.recovery.__main__ import ready_s, worker_at
from benchmarks.sampled import GATEWAY, WORKER, in_us, sampled
from fenceline.embedded import free_port
from tests.support.kafka import ApacheKafka
from tests.support.site import running_site

CONNECTIONS, SETTLE_S, SAMPLED_S = 8, 30.0, 20.0
BEFORE_S = SETTLE_S + SAMPLED_S
RATES = {"GATEWAY_FEED_FIXES_PER_S": "1e9", "GATEWAY_FEED_BURST": "1e9", "GATEWAY_IN_FLIGHT_FIXES": "200000"}


async def _feed(port: int, token: str, frames: list[bytes], rate: float, seconds: float) -> dict[str, Any]:
    """Send frames of 100 at `rate` fixes a second; how many and how long their answers took."""
    supply = cycle(frames)
    began = time.perf_counter()
    statuses: dict[int, int] = {}
    answers: list[float] = []

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        pause = 100 * CONNECTIONS / rate
        due = began + number * pause / CONNECTIONS
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            due += pause
            asked = time.perf_counter()
            writer.write(request_bytes(stamped(next(supply)), token))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            status = int(head[9:12])
            statuses[status] = statuses.get(status, 0) + 1
            answers.append(time.perf_counter() - asked)
        writer.close()

    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))
    answers.sort()
    took = time.perf_counter() - began
    return {
        "fixes_per_s": round(100 * len(answers) / took),
        "statuses": {str(status): count for status, count in statuses.items()},
        "answer_p50_ms": round(answers[len(answers) // 2] * 1000, 1),
        "answer_p99_ms": round(answers[int(len(answers) * 0.99)] * 1000, 1),
    }


async def _measured(broker: str, feed: Callable[[], Awaitable[dict[str, Any]]], pids: dict[str, int]) -> dict[str, Any]:
    """What the feed tells; stages, before it is measured; the latencies and the processor time.

    Without a pause in between: a device's first fix after one is held back, because others may be on their way.
    """
    began = time.monotonic()
    feeding = asyncio.ensure_future(feed())
    await asyncio.sleep(SETTLE_S)
    rules = {"gateway": GATEWAY, "worker": WORKER}
    shares = await asyncio.gather(*(sampled(pids[part], SAMPLED_S, known) for part, known in rules.items()))
    since, middle = await ends(broker, "incidents"), time.monotonic()
    before = {part: cpu_s(pid) for part, pid in pids.items()}
    sent = await feeding
    spent = {part: cpu_s(pid) - before[part] for part, pid in pids.items()}
    end = time.monotonic()
    fixes = 100 * sum(sent["statuses"].values()) * (end - middle) / (end - began)
    us = {part: round(value / fixes * 1e6, 2) for part, value in spent.items()}
    await _caught_up(broker)
    return {
        "sent": sent,
        "gateway_to_incident": await latencies(broker, "incidents", since),
        "cpu_us_per_fix": us,
        "stages_us_per_fix": {part: in_us(share, us[part]) for part, share in zip(rules, shares, strict=True)},
    }


@click.command()
@click.option("--rate", default=5_000.0, show_default=True, help="Fixes a second.")
@click.option("--seconds", default=30.0, show_default=True)
def main(rate: float, seconds: float) -> None:
    """Measure from the gateway's socket to the incident."""
    scene = Scene(int(rate * 2), 20_000, 8, 4)  # so many that some are always crossed
    health_port = free_port()
    contender = worker_at(health_port)
    with tempfile.TemporaryDirectory(prefix="fenceline-bench-") as name:
        folder = Path(name)
        kafka = ApacheKafka(folder / "kafka", heap_mb=768)
        broker = kafka.start()
        try:
            start = Start(broker, folder / "fences.geojson", "fixes", folder)
            asyncio.run(prepare(broker, contender, scene, start.fences))
            with running_site(folder, RATES, broker_at=broker) as site, running(contender, start) as worker:
                token = site.issue("*", principal="feed", role="service", fixes_per_s=1e9, burst_fixes=1e9)
                port = int(site.url.rpartition(":")[2])
                frames = [frame for lap in laps(scene, scene.devices) for _, frame, _ in lap]
                asyncio.run(ready_s(health_port))
                pids = {"gateway": site.process.pid, "broker": kafka.pid, "worker": worker.pid}
                feed = partial(_feed, port, token, frames, rate, BEFORE_S + seconds)
                found = uvloop.run(_measured(broker, feed, pids))
        finally:
            kafka.stop()
    report = {
        "benchmark": "latency",
        "machine": machine(),
        "scene": scene._asdict(),
        "seconds": seconds,
        **found,
    }
    click.echo(msgspec.json.format(msgspec.json.encode(report), indent=1).decode())


async def _caught_up(broker: str) -> None:
    async with Watch(broker, "fenceline-locate", "fixes", 4) as watch:
        for _ in range(240):
            now = await watch.look()
            if now.there and now.done >= now.there:
                return
            await asyncio.sleep(0.5)
    raise click.ClickException("the worker did not keep up")


if __name__ == "__main__":
    main()
