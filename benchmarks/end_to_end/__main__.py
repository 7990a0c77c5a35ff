"""`python -m benchmarks.end_to_end [--seconds N] [--only NAME ...] [--devices N]`: one JSON object on stdout.

Each contender gets an Apache Kafka of its own on this machine, with the producer beside it. First as much as it can
take, then, for Fenceline, 10, 50 and 90 % of that, each with the latencies from the sending of a fix to what was said
of it. Peers do one lookup a fix and keep no state; Fenceline gives its full verdict.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.end_to_end.contenders import CONTENDERS, Contender, Missing, Start
from benchmarks.end_to_end.measure import Watch, at_rate, prepare, running, warm
from benchmarks.end_to_end.scene import Scene
from benchmarks.machine import machine
from tests.support.kafka import ApacheKafka

SHARES = (0.1, 0.5, 0.9)
HIGHER, LOWER = 1.15, 0.85
TRIES = 5
KEEPS_UP_S = 2.0
"""So far behind at most counts as keeping up: offsets are committed once a second, and looked at twice."""


async def sustained(
    watch: Watch, start: Start, contender: Contender, scene: Scene, pid: int, offered: float, seconds: float
) -> dict[str, Any]:
    """The highest rate that it keeps up with: what it took when offered too much, then less until it does, or more
    until it does not (the producer takes less of the machine then)."""
    flooded = await at_rate(watch, start, contender, scene, pid, offered, seconds)
    rate = min(flooded["judged_fixes_per_s"], flooded["offered_fixes_per_s"])
    best = None
    for _ in range(TRIES):
        found = await at_rate(watch, start, contender, scene, pid, rate, seconds)
        print(json.dumps(found), file=sys.stderr, flush=True)
        if found["lag_at_the_end_s"] <= KEEPS_UP_S:
            best = found
            rate *= HIGHER
        elif best is None:
            rate *= LOWER
        if best is not None and (best is not found or rate > offered):
            break
    return {"flooded": flooded, "sustained": best}


async def measured(contender: Contender, scene: Scene, folder: Path, seconds: float) -> dict[str, Any]:
    """All figures of one contender."""
    kafka = ApacheKafka(folder / "kafka", heap_mb=768, settings={"log.retention.bytes": str(2 << 30)})
    broker = await asyncio.to_thread(kafka.start)
    try:
        fences = folder / "fences.geojson"
        topic = await prepare(broker, contender, scene, fences)
        start = Start(broker, fences, topic, folder)
        with running(contender, start) as process:
            async with Watch(broker, contender.group, topic, scene.partitions) as watch:
                await warm(watch, start, contender, scene, process)
                found = await sustained(watch, start, contender, scene, process.pid, contender.most, seconds)
                best = found["sustained"]
                if best and contender.output == "incidents":
                    for share in SHARES:
                        rate = share * best["judged_fixes_per_s"]
                        found[f"at {share:.0%}"] = await at_rate(
                            watch, start, contender, scene, process.pid, rate, seconds
                        )
    finally:
        await asyncio.to_thread(kafka.stop)
    return {"contender": contender.name, "does": contender.does, **found}


@click.command()
@click.option("--seconds", default=20.0, show_default=True, help="How long each rate is held.")
@click.option("--devices", default=400_000, show_default=True, help="At most so many; each reports every 2 s.")
@click.option("--fences", default=1_000, show_default=True)
@click.option("--partitions", default=4, show_default=True)
@click.option("--only", multiple=True, help="Contenders whose name begins so; may be given again.")
def main(seconds: float, devices: int, fences: int, partitions: int, only: tuple[str, ...]) -> None:
    """Measure end to end, on Apache Kafka."""
    scene = Scene(devices, fences, 32, partitions)
    at, results = machine(), []
    for contender in CONTENDERS:
        if only and not contender.name.startswith(only):
            continue
        with tempfile.TemporaryDirectory(prefix="fenceline-bench-") as folder:
            try:
                result = asyncio.run(measured(contender, scene, Path(folder), seconds))
            except (Missing, RuntimeError) as why:
                result = {"contender": contender.name, "not measured": str(why)}
        print(json.dumps(result), file=sys.stderr, flush=True)
        results.append(result)
    report = {"benchmark": "end_to_end", "machine": at, "seconds": seconds, "scene": scene._asdict()}
    click.echo(json.dumps(report | {"results": results}, indent=1))


if __name__ == "__main__":
    main()
