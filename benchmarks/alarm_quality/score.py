"""How good were these alarms? Compared with the truth: found, how late, how wrong about the time, how many were false.

A breach counts for recall when it lasts over 3 minutes and goes over 100 m deep, and the device sent at least three
fixes from it: of a breach that fell into a gap nobody can know. An alarm belongs to a true breach of
its fence, however shallow, that is under way between a minute before the alarm says it happened and when it was
raised; one that belongs to none is false, one that belongs to a breach alarmed before is a repeat. A false alarm that
still stands when a true breach begins finds it, at no delay: an officer is looking. Times are those of the fixes: delay
is from the true crossing to the fix that settled it.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alarm_quality.world import Episode

LONG_S, DEEP_M, FIXES = 180.0, 100.0, 3
BEFORE_S = 60.0
DRAWS = 1000


@dataclass(frozen=True)
class Alarm:
    """An alarm of a method: when it says the breach began, when it was raised, when it ended, how sure it was."""

    fence_id: str
    occurred_s: float
    detected_s: float
    over_s: float
    confidence: float = 1.0


@dataclass
class Score:
    """One device's alarms against its truth. `wrong`: false alarms and missed breaches, for a reader."""

    days: float
    due: int = 0
    false: int = 0
    repeats: int = 0
    delays_s: list[float] = field(default_factory=list)
    errors_s: list[float] = field(default_factory=list)
    sure: list[tuple[float, bool]] = field(default_factory=list)
    wrong: list[Alarm | Episode] = field(default_factory=list)

    @property
    def found(self) -> int:
        """Breaches found, of those `due`."""
        return len(self.delays_s)


def score(days: float, truth: Sequence[Episode], alarms: Sequence[Alarm], sent_s: NDArray[np.float64]) -> Score:
    """Count a device's alarms against its truth; `sent_s`: when its fixes were taken."""
    mine = Score(days)
    alarmed: dict[Episode, Alarm] = {}
    for alarm in sorted(alarms, key=lambda one: one.detected_s):
        true = [e for e in truth if e.fence_id == alarm.fence_id
                and e.start_s <= alarm.detected_s and e.end_s >= alarm.occurred_s - BEFORE_S]  # fmt: skip
        mine.sure.append((alarm.confidence, bool(true)))
        fresh = [e for e in true if e not in alarmed]
        if not true:
            mine.false += 1
            mine.wrong.append(alarm)
        elif not fresh:
            mine.repeats += 1
        alarmed |= dict.fromkeys(fresh, alarm)
    for episode in truth:
        within = len(np.unique(sent_s[(sent_s > episode.start_s) & (sent_s < episode.end_s)]))
        if episode.end_s - episode.start_s <= LONG_S or episode.deepest_m <= DEEP_M or within < FIXES:
            continue
        mine.due += 1
        first = alarmed.get(episode) or _standing(episode, alarms)
        if first is None or first.detected_s > episode.end_s + BEFORE_S:
            mine.wrong.append(episode)
            continue
        mine.delays_s.append(max(first.detected_s - episode.start_s, 0.0))
        mine.errors_s.append(abs(first.occurred_s - episode.start_s))
    return mine


def _standing(episode: Episode, alarms: Sequence[Alarm]) -> Alarm | None:
    return next((one for one in alarms if one.fence_id == episode.fence_id
                 and one.detected_s <= episode.start_s < one.over_s), None)  # fmt: skip


def summary(scores: Sequence[Score]) -> dict[str, Any]:
    """The figures of many devices, each as (value, low, high): 95 % intervals by bootstrap over devices.

    Where nothing was counted there is no spread to draw from; the upper limit of a rate is then 3 over the days.
    """
    rng = np.random.default_rng(1)
    picks = rng.integers(0, len(scores), (DRAWS, len(scores)))
    weights = np.stack([np.bincount(pick, minlength=len(scores)) for pick in picks]).astype(float)
    days = np.array([one.days for one in scores])

    def ratio(over: Callable[[Score], float], under: Callable[[Score], float]) -> dict[str, Any]:
        a, b = np.array([over(one) for one in scores], float), np.array([under(one) for one in scores], float)
        if not b.sum():
            return {"value": None}
        many = weights @ a / np.maximum(weights @ b, 1e-9)
        low, high = np.quantile(many, (0.025, 0.975))
        if not a.sum():
            high = 3.0 / b.sum()
        return _rounded(a.sum() / b.sum(), low, high, 4)

    def quantile(values: Callable[[Score], list[float]], share: float) -> dict[str, Any]:
        data = np.array([value for one in scores for value in values(one)])
        if not len(data):
            return {"value": None}
        owner = np.repeat(np.arange(len(scores)), [len(values(one)) for one in scores])
        order = np.argsort(data)
        many = _weighted(data[order], weights[:, owner[order]], share)
        return _rounded(float(np.quantile(data, share)), *np.quantile(many, (0.025, 0.975)), 1)

    return {
        "devices": len(scores),
        "device_days": round(float(days.sum()), 2),
        "breaches": sum(one.due for one in scores),
        "recall": ratio(lambda one: one.found, lambda one: one.due),
        "false_per_device_day": ratio(lambda one: one.false, lambda one: one.days),
        "repeats_per_device_day": ratio(lambda one: one.repeats, lambda one: one.days),
        "delay_median_s": quantile(lambda one: one.delays_s, 0.5),
        "delay_p95_s": quantile(lambda one: one.delays_s, 0.95),
        "crossing_error_median_s": quantile(lambda one: one.errors_s, 0.5),
    }


def _weighted(data: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Quantiles of sorted `data` (n,) under each row of `weights` (draws, n)."""
    sums = weights.cumsum(axis=1)
    place = (sums < share * sums[:, -1:]).sum(axis=1)
    return data[np.minimum(place, len(data) - 1)]


def _rounded(value: float, low: float, high: float, digits: int) -> dict[str, Any]:
    return {"value": round(float(value), digits), "low": round(float(low), digits), "high": round(float(high), digits)}


EDGES = (0.0, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 1.0001)


def reliability(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """How often alarms were true, by the confidence they were raised with; Wilson's 95 % limits."""
    sure = [pair for one in scores for pair in one.sure]
    found = []
    for low, high in itertools.pairwise(EDGES):
        mine = [(c, true) for c, true in sure if low <= c < high]
        if mine:
            least, most = _wilson(sum(true for _, true in mine), len(mine))
            found.append({
                "from": low, "to": min(high, 1.0), "alarms": len(mine),
                "mean_confidence": round(sum(c for c, _ in mine) / len(mine), 4),
                "true_share": round(sum(true for _, true in mine) / len(mine), 4),
                "low": least, "high": most,
            })  # fmt: skip
    return found


def _wilson(hits: int, of: int) -> tuple[float, float]:
    z, p = 1.96, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return round(float(middle - half), 4), round(float(middle + half), 4)
