"""Fenceline itself, as `fenceline replay` runs it: the core of the worker over JSON lines, all devices mixed."""

import math
from collections.abc import Iterable, Sequence
from heapq import merge
from typing import Any

from benchmarks.alarm_quality.people import Life
from benchmarks.alarm_quality.receivers import Reports
from benchmarks.alarm_quality.score import Alarm
from benchmarks.alarm_quality.world import feature, lines
from pipeline.locate import LocateRules
from pipeline.reference import Reference
from pipeline.replay import replay
from schemas.incident import Incident
from schemas.message import convert
from schemas.reference import Fence


def incidents(devices: Sequence[tuple[Life, Reports]], rules: LocateRules | None = None) -> Iterable[Incident]:
    """What Fenceline says of devices that report at once."""
    known = Reference(open_world=True)
    for life, _ in devices:
        for zone in life.zones:
            known.put_fence(convert(feature(life, zone), Fence))
    streams = [
        zip(reports.arrived.tolist(), lines(life, reports, received=True), strict=True) for life, reports in devices
    ]
    for said in replay((line for _, line in merge(*streams, key=_arrived)), known, rules):
        if not isinstance(said, Incident):
            raise RuntimeError(f"a fix of the benchmark was refused: {said}")
        yield said


def fenceline(
    devices: Sequence[tuple[Life, Reports]], rules: LocateRules | None = None
) -> tuple[dict[str, list[Alarm]], dict[str, list[Alarm]]]:
    """Its alarms by device: breaches opened; and passages, which it tells apart."""
    opened: dict[str, list[Alarm]] = {life.name: [] for life, _ in devices}
    passed: dict[str, list[Alarm]] = {life.name: [] for life, _ in devices}
    said = list(incidents(devices, rules))
    ends = {one.breach_id: one.detected_at.timestamp() for one in said
            if one.type in ("breach.closed", "breach.corrected")}  # fmt: skip
    for one in said:
        found = {"breach.opened": opened, "passage": passed}.get(one.type)
        if found is not None:
            times = one.occurred_at.timestamp(), one.detected_at.timestamp()
            over = ends.get(one.breach_id, math.inf) if one.breach_id else times[1]
            found[one.device_id].append(Alarm(one.fence_id or "", *times, over, one.confidence))
    return opened, passed


def _arrived(one: tuple[float, Any]) -> float:
    return one[0]
