"""`python -m benchmarks.end_to_end [--seconds N] [--only NAME ...]`: one JSON object on stdout.

Each contender gets an Apache Kafka of its own on this machine, with the producer beside it, which sends without a pause
at a rate that rises step by step until the contender no longer keeps up. At each step: what it took, and the latencies
from the sending of a fix to what was said of it. Devices report the more often the higher the rate. Peers do one lookup
a fix and keep no state; Fenceline gives its full verdict. Where its time goes is looked at while it has more to do than
it can.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.end_to_end.contenders import CONTENDERS, Contender, Missing, Start
from benchmarks.end_to_end.measure import KEEPS_UP_S, Watch, at_rate, loading, prepare, running, warm
from benchmarks.end_to_end.scene import Scene
from benchmarks.machine import machine
from benchmarks.sampled import WORKER, in_us, sampled
from tests.support.kafka import ApacheKafka

STEP = 1.25
SETTLE_S = 4.0
SAMPLED_S = 20.0


async def ladder(
    watch: Watch, start: Start, contender: Contender, pid: int, tell: Callable[[float], None], seconds: float
) -> dict[str, Any]:
    """Each step, and the highest with which it kept up; where it did not, it is given as long once more."""
    steps: list[dict[str, Any]] = []
    best, rate, settle_s, again = None, contender.first, contender.settle_s, False
    while rate <= contender.most:
        tell(rate)
        found = await at_rate(watch, start, contender, pid, settle_s, seconds)
        print(json.dumps(found), file=sys.stderr, flush=True)
        steps.append(found)
        settle_s = SETTLE_S
        if found["lag_at_the_end_s"] <= KEEPS_UP_S and found["offered_fixes_per_s"] >= rate / STEP:
            best, rate, again = found, rate * STEP, False
        elif again:
            break
        else:
            again = True
    return {"sustained": best, "steps": steps}


async def saturated(watch: Watch, start: Start, contender: Contender, pid: int) -> dict[str, float]:
    """Microseconds a fix by stage, while there is more than it can do."""
    seen, shares = await asyncio.gather(
        at_rate(watch, start, contender, pid, 0.0, SAMPLED_S), sampled(pid, SAMPLED_S, WORKER)
    )
    return in_us(shares, seen["cpu_us_per_fix"])


async def measured(contender: Contender, scene: Scene, folder: Path, seconds: float) -> dict[str, Any]:
    """All figures of one contender."""
    kafka = ApacheKafka(folder / "kafka", heap_mb=768, settings={"log.retention.bytes": str(2 << 30)})
    broker = await asyncio.to_thread(kafka.start)
    try:
        fences = folder / "fences.geojson"
        topic = await prepare(broker, contender, scene, fences)
        start = Start(broker, fences, topic, folder)
        with running(contender, start) as process, loading(start, contender, scene) as tell:
            async with Watch(broker, contender.group, topic, scene.partitions) as watch:
                tell(contender.first)
                await warm(watch, scene, process, contender, folder / "contender.log")
                found = await ladder(watch, start, contender, process.pid, tell, seconds)
                if contender.output == "incidents":
                    found["stages_us_per_fix"] = await saturated(watch, start, contender, process.pid)
    finally:
        await asyncio.to_thread(kafka.stop)
    return {"contender": contender.name, "does": contender.does, "devices": contender.devices, **found}


@click.command()
@click.option("--seconds", default=12.0, show_default=True, help="How long each rate is measured.")
@click.option("--fences", default=1_000, show_default=True)
@click.option("--partitions", default=16, show_default=True)
@click.option("--only", multiple=True, help="Contenders whose name begins so; may be given again.")
def main(seconds: float, fences: int, partitions: int, only: tuple[str, ...]) -> None:
    """Measure end to end, on Apache Kafka."""
    at, results = machine(), []
    for contender in CONTENDERS:
        if only and not contender.name.startswith(only):
            continue
        scene = Scene(contender.devices, fences, 32, partitions)
        with tempfile.TemporaryDirectory(prefix="fenceline-bench-") as folder:
            try:
                result = asyncio.run(measured(contender, scene, Path(folder), seconds))
            except (Missing, RuntimeError) as why:
                result = {"contender": contender.name, "not measured": str(why)}
        print(json.dumps(result), file=sys.stderr, flush=True)
        results.append(result)
    report = {"benchmark": "end_to_end", "machine": at, "seconds": seconds, "fences": fences, "partitions": partitions}
    click.echo(json.dumps(report | {"results": results}, indent=1))


if __name__ == "__main__":
    main()
