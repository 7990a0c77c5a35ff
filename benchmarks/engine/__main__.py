"""`python -m benchmarks.engine [--quick]`: one JSON object on stdout.

Fixes a second on one core, with the full verdict, from frames as they come from the topic: decoding and judging
apart, at several numbers of fences and of fences near a place; and memory per device.
"""

import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks.engine.feed import measured
from benchmarks.engine.stages import REST, timed
from benchmarks.engine.town import build
from benchmarks.machine import machine
from pipeline.columns import fix_columns
from pipeline.locate import LocateCore
from pipeline.step import Record
from schemas.times import from_epoch

FRAME, FRAMES = 100, 100
MOVING, RESTLESS = 0.02, 0.15
"""Shares of people on the move: at most times, and when half a town is on its way."""


def _frames(town: Any) -> list[list[Record]]:
    """The next report of every device, as batches of frames."""
    t, lat, lon = town.report()
    millis = np.floor(t * 1000).astype("int64").astype("datetime64[ms]").astype(str).tolist()
    fixes = [
        f'{{"device_id":"{name}","fix_time":"{at}Z","lat":{a:.7f},"lon":{o:.7f},"accuracy_m":8.5,"battery_pct":87.0,'
        f'"provider":"gnss"}}'
        for name, at, a, o in zip(town.devices, millis, lat.tolist(), lon.tolist(), strict=True)
    ]
    values = ["[" + ",".join(fixes[n : n + FRAME]) + "]" for n in range(0, len(fixes), FRAME)]
    records = [Record("fixes", 0, n, b"", value.encode(), 0.0) for n, value in enumerate(values)]
    return [records[n : n + FRAMES] for n in range(0, len(records), FRAMES)]


def measure(
    fences: int, devices: int, rounds: int, warm: int, dense: float = 1.0, moving: float = MOVING
) -> dict[str, Any]:
    """Rates over `rounds` reports of all devices, after `warm` ones; processor seconds, not wall clock.

    Each round is timed by itself; the rates are of the median one, beside them the least and the best.
    """
    town = build(fences, devices, dense, moving)
    core = LocateCore(town.reference)
    said = 0
    for _ in range(warm):
        for batch in _frames(town):
            core.apply(batch, from_epoch(0))
    decodings, judgings = [], []
    count = 0
    for _ in range(rounds):
        decoding = judging = 0.0
        for batch in _frames(town):
            start = time.process_time()
            columns, refused = fix_columns(batch, from_epoch(0))
            middle = time.process_time()
            said += len(core.judge_columns(columns, batch, from_epoch(0))) + len(refused)
            judging += time.process_time() - middle
            decoding += middle - start
            count += len(columns.t)
        decodings.append(decoding)
        judgings.append(judging)
    shown = core.judgement.shown
    both = [one + other for one, other in zip(decodings, judgings, strict=True)]
    return {
        "fences": fences,
        "devices": devices,
        "fences_near": round(2.0 * dense, 1),
        "fixes": count,
        "moving": moving,
        "judged_per_s": round(devices / median(judgings)),
        "judged_per_s_least": round(devices / max(judgings)),
        "judged_per_s_best": round(devices / min(judgings)),
        "decoded_per_s": round(devices / median(decodings)),
        "both_per_s": round(devices / median(both)),
        "near_a_boundary": round(shown / (count + warm * devices), 3),
        "incidents": said,
    }


def stages(fences: int, devices: int, rounds: int, warm: int, moving: float) -> dict[str, Any]:
    """Microseconds of a fix by stage; they add up to the whole."""
    town = build(fences, devices, 1.0, moving)
    core = LocateCore(town.reference)
    for _ in range(warm):
        for batch in _frames(town):
            core.apply(batch, from_epoch(0))
    batches = [batch for _ in range(rounds) for batch in _frames(town)]
    with timed(core) as own:
        for batch in batches:
            with own.stage(REST):
                core.apply(batch, from_epoch(0))
    us = {name: round(spent / rounds / devices * 1e6, 3) for name, spent in own.own_s.items()}
    return {"fences": fences, "moving": moving, "us_per_fix": us, "sum_us": round(sum(us.values()), 3)}


def memory(devices: int) -> dict[str, Any]:
    """Memory of a core with so many devices, measured in a process of its own (`benchmarks.engine.feed`)."""
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine", "--memory-of", str(devices)], check=True, capture_output=True
    )
    return dict(json.loads(out.stdout))


@click.command()
@click.option("--quick", is_flag=True, help="few devices and rounds")
@click.option("--memory-of", type=int, help="measure only the memory of so many devices")
def main(quick: bool, memory_of: int | None) -> None:
    """Measure the engine."""
    if memory_of:
        print(json.dumps(measured(memory_of)))
        return
    devices, rounds, warm = (10_000, 6, 12) if quick else (30_000, 7, 12)
    report = {
        "benchmark": "engine",
        "machine": machine(),
        "rates": [
            measure(fences, devices, rounds, warm, moving=moving)
            for moving in (MOVING, RESTLESS)
            for fences in ((1000, 20_000) if quick else (1000, 10_000, 100_000))
        ],
        "stages": [stages(1000, devices, 4, warm, moving) for moving in (MOVING, RESTLESS)],
        "near": [measure(2000, devices // 5, rounds, warm, dense) for dense in ((1, 8) if quick else (1, 4, 16, 64))],
        "memory": [memory(count) for count in ((10_000,) if quick else (10_000, 100_000, 1_000_000))],
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
