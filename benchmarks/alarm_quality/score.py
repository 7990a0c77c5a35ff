"""How good were these alarms? Compared with the truth: found, how late, how wrong about the time, how many were false.

A breach counts for recall when it lasts over 3 minutes and goes over 100 m deep. An alarm belongs to a true breach of
its fence, however shallow, that is under way between a minute before the alarm says it happened and when it was
raised; one that belongs to none is false, one that belongs to a breach alarmed before is a repeat.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.alarm_quality.world import Episode

LONG_S, DEEP_M = 180.0, 100.0
BEFORE_S = 60.0


@dataclass(frozen=True)
class Alarm:
    """An alarm of a method: when it says the breach began, when it was raised, how sure it was."""

    fence_id: str
    occurred_s: float
    detected_s: float
    confidence: float = 1.0


@dataclass
class Score:
    """The counts of many devices."""

    days: float = 0.0
    due: int = 0
    found: int = 0
    alarms: int = 0
    false: int = 0
    repeats: int = 0
    delays_s: list[float] = field(default_factory=list)
    errors_s: list[float] = field(default_factory=list)
    sure: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, days: float, truth: Sequence[Episode], alarms: Sequence[Alarm]) -> list[tuple[str, Any]]:
        """Count a device's alarms against its truth; returns what went wrong, for a reader."""
        self.days += days
        wrong: list[tuple[str, Any]] = []
        alarmed: dict[Episode, Alarm] = {}
        for alarm in sorted(alarms, key=lambda one: one.detected_s):
            self.alarms += 1
            mine = [e for e in truth if e.fence_id == alarm.fence_id
                    and e.start_s <= alarm.detected_s and e.end_s >= alarm.occurred_s - BEFORE_S]  # fmt: skip
            self.sure.append((alarm.confidence, bool(mine)))
            if not mine:
                self.false += 1
                wrong.append(("false", alarm))
                continue
            fresh = [e for e in mine if e not in alarmed]
            if not fresh:
                self.repeats += 1
                continue
            for episode in fresh:
                alarmed[episode] = alarm
        for episode in truth:
            if episode.end_s - episode.start_s <= LONG_S or episode.deepest_m <= DEEP_M:
                continue
            self.due += 1
            alarm = alarmed.get(episode)
            if alarm is None or alarm.detected_s > episode.end_s + BEFORE_S:
                wrong.append(("missed", episode))
                continue
            self.found += 1
            self.delays_s.append(max(alarm.detected_s - episode.start_s, 0.0))
            self.errors_s.append(abs(alarm.occurred_s - episode.start_s))
        return wrong

    def summary(self) -> dict[str, Any]:
        """The figures, with 95 % intervals (Wilson for shares, Poisson for rates, bootstrap for quantiles)."""
        return {
            "device_days": round(self.days, 2),
            "breaches": self.due,
            "recall": _share(self.found, self.due),
            "false_per_device_day": _rate(self.false, self.days),
            "repeats_per_device_day": _rate(self.repeats, self.days),
            "delay_median_s": _quantile(self.delays_s, 0.5),
            "delay_p95_s": _quantile(self.delays_s, 0.95),
            "crossing_error_median_s": _quantile(self.errors_s, 0.5),
        }


def _share(hits: int, of: int) -> dict[str, Any]:
    if not of:
        return {"value": None}
    z, p = 1.96, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return {"value": round(p, 4), "low": round(float(middle - half), 4), "high": round(float(middle + half), 4)}


def _rate(count: int, days: float) -> dict[str, Any]:
    if not days:
        return {"value": None}
    # Byar's approximation of the Poisson limits
    low = count * (1 - 1 / (9 * count) - 1.96 / (3 * np.sqrt(count))) ** 3 if count else 0.0
    high = (count + 1) * (1 - 1 / (9 * (count + 1)) + 1.96 / (3 * np.sqrt(count + 1))) ** 3
    return {"value": round(count / days, 4), "low": round(low / days, 4), "high": round(high / days, 4)}


def _quantile(values: list[float], share: float) -> dict[str, Any]:
    if not values:
        return {"value": None}
    rng = np.random.default_rng(1)
    data = np.array(values)
    some = np.quantile(data[rng.integers(0, len(data), (500, len(data)))], share, axis=1)
    low, high = np.quantile(some, (0.025, 0.975))
    return {
        "value": round(float(np.quantile(data, share)), 1),
        "low": round(float(low), 1),
        "high": round(float(high), 1),
    }


def reliability(sure: Sequence[tuple[float, bool]]) -> list[dict[str, Any]]:
    """How often alarms were true, by the confidence they were raised with."""
    found = []
    edges = [0.0, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 1.0001]
    for low, high in itertools.pairwise(edges):
        mine = [(c, true) for c, true in sure if low <= c < high]
        if mine:
            found.append({
                "from": low, "to": min(high, 1.0), "alarms": len(mine),
                "mean_confidence": round(sum(c for c, _ in mine) / len(mine), 4),
                "true_share": round(sum(true for _, true in mine) / len(mine), 4),
            })  # fmt: skip
    return found
