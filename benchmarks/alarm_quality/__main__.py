"""`python -m benchmarks.alarm_quality [--quick]`: one JSON object on stdout, a table on stderr."""

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.alarm_quality import people, tracks
from benchmarks.alarm_quality.ours import fenceline
from benchmarks.alarm_quality.peers import PEERS
from benchmarks.alarm_quality.people import Life, Track
from benchmarks.alarm_quality.receivers import CLASSES, report
from benchmarks.alarm_quality.score import Score, reliability, score, summary
from benchmarks.alarm_quality.tile38 import Tile38, server
from benchmarks.alarm_quality.world import depths, episodes

SEED = 500_000
PERIODS_S = (15, 60)
GROUP = 40
"""So many devices are mixed in one stream."""
OURS, PASSAGES = "fenceline", "passages"
TILE38 = ("tile38", "tile38_libraries")
SHOWN = {
    "recall": "recall",
    "false_per_device_day": "false/day",
    "repeats_per_device_day": "again/day",
    "delay_median_s": "delay s",
    "delay_p95_s": "p95 s",
    "crossing_error_median_s": "crossing s",
}

Scores = dict[tuple[str, str, int, str], list[Score]]
"""By truth (simulated or recorded), way of judging, period and class of noise."""


def measure(lives: Sequence[tuple[Life, str]], truth: str, seed: int, tile38: Tile38 | None, into: Scores) -> None:
    """Judge what devices on `lives` report, in all ways; each life has its class of noise."""
    breaches = [[one for zone in life.zones for one in episodes(life, zone)] for life, _ in lives]
    for period_s in PERIODS_S:
        devices = [(life, report(life, period_s, CLASSES[noise], seed + n)) for n, (life, noise) in enumerate(lives)]
        opened, passed = fenceline(devices)
        for (life, reports), (_, noise), true in zip(devices, lives, breaches, strict=True):
            alarms = {OURS: opened[life.name], PASSAGES: passed[life.name]} | {way: [] for way in PEERS}
            for zone in life.zones:
                depth_m = depths(zone, reports.places)
                for way, judge in PEERS.items():
                    alarms[way] += judge(f"{life.name}-{zone.name}", reports, depth_m)
            if tile38 is not None:
                alarms[tile38.name] = tile38.judge(life, reports)
            days = len(life.places) / 86_400
            for way, mine in alarms.items():
                into.setdefault((truth, way, period_s, noise), []).append(score(days, true, mine, reports.t))


def _told(truth: str, scores: Scores) -> dict[str, Any]:
    """The figures of one truth, by period and way, over all classes of noise and for each."""
    told: dict[str, Any] = {}
    for period_s in PERIODS_S:
        for way in (OURS, *PEERS, *TILE38):
            mine = {
                noise: scores[truth, way, period_s, noise]
                for noise in CLASSES
                if (truth, way, period_s, noise) in scores
            }
            if not mine:
                continue
            every = [one for some in mine.values() for one in some]
            figures: dict[str, Any] = {"all": summary(every), "by_noise": {k: summary(v) for k, v in mine.items()}}
            if way == OURS:
                figures["reliability"] = reliability(every)
                passed = [one for noise in mine for one in scores[truth, PASSAGES, period_s, noise]]
                figures["passages"] = {
                    "told": sum(len(one.sure) for one in passed),
                    "untrue_per_device_day": summary(passed)["false_per_device_day"],
                }
            told.setdefault(f"{period_s}_s", {})[way] = figures
    return told


def _table(truth: str, told: dict[str, Any]) -> None:
    """The figures for a reader, with their intervals."""

    def say(name: str, figures: dict[str, Any]) -> None:
        cells = []
        for key in SHOWN:
            one = figures[key]
            text = "-" if one["value"] is None else f"{one['value']:.4g} ({one['low']:.4g}-{one['high']:.4g})"
            cells.append(f"{text:>24}")
        click.echo(f"{name:<22}" + "".join(cells), err=True)

    for period, ways in told.items():
        days = ways[OURS]["all"]["device_days"]
        count = ways[OURS]["all"]["breaches"]
        click.echo(f"\n{truth}, a fix each {period.replace('_', ' ')}: {days} device-days, {count} breaches", err=True)
        click.echo(f"{'':<22}" + "".join(f"{head:>24}" for head in SHOWN.values()), err=True)
        for way, figures in ways.items():
            say(way, figures["all"])
        for noise, figures in ways[OURS]["by_noise"].items():
            say(f"  {OURS}: {noise}", figures)
        for one in ways[OURS]["reliability"]:
            click.echo(
                f"  confidence {one['from']:g}-{one['to']:g}: {one['alarms']} alarms, said {one['mean_confidence']:g}, "
                f"true {one['true_share']:g} ({one['low']:g}-{one['high']:g})",
                err=True,
            )


def _tracks(folder: Path | None) -> Path | None:
    named = folder or Path(os.environ.get("FENCELINE_TRACKS") or Path(__file__).parents[3] / "shared/data/tracks")
    return named if (named / "geolife_sample.csv").is_file() else None


def _judged(days: int, seed: int, ways: Sequence[Track], parts: int, tile38: Tile38 | None) -> Scores:
    """All scores: of `days` simulated lives, and of the recorded `ways` in all classes of noise, `parts` times."""
    scores: Scores = {}
    noises = list(CLASSES)
    for first in range(seed, seed + days, GROUP):
        lives = [(people.live(n), noises[n % len(noises)]) for n in range(first, min(first + GROUP, seed + days))]
        measure(lives, "simulated", first, tile38, scores)
    for part in range(parts if ways else 0):
        first = seed + part * len(noises) * len(ways)
        each = [(n, way, noise) for n, (way, noise) in enumerate((way, noise) for way in ways for noise in noises)]
        lives = [(tracks.live(way, first + n), noise) for n, way, noise in each]
        measure(lives, "recorded", first, tile38, scores)
    return scores


@click.command(help=__doc__)
@click.option("--quick", is_flag=True, help="A tenth of the days.")
@click.option("--days", type=int, default=240, show_default=True, help="Simulated device-days for each period.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the first person.")
@click.option("--recorded", type=click.Path(path_type=Path), help="Folder of recorded tracks; or FENCELINE_TRACKS.")
def main(quick: bool, days: int, seed: int, recorded: Path | None) -> None:
    """See the module."""
    started = time.monotonic()
    days = max(days // 10, len(CLASSES)) if quick else days
    folder = _tracks(recorded)
    ways = tracks.ways(folder) if folder else []
    with server() as tile38:
        scores = _judged(days, seed, ways, 2 if quick else 8, tile38)
    if tile38 is None:
        click.echo("Tile38 not measured: no tile38-server, nor Go to build one from its libraries", err=True)
    told = {truth: _told(truth, scores) for truth in ("simulated", "recorded")}
    for truth, figures in told.items():
        _table(truth, figures)
    if not ways:
        click.echo("\nno recorded tracks: name their folder in FENCELINE_TRACKS", err=True)
    json.dump(
        {
            "benchmark": "alarm_quality",
            "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
                        "python": platform.python_version()},
            "seed": seed,
            "took_s": round(time.monotonic() - started, 1),
            **told,
        },
        sys.stdout,
        indent=1,
    )  # fmt: skip
    sys.stdout.write("\n")


main()
