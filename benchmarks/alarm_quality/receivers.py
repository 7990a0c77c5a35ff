"""What a receiver makes of the truth: drift, throws, claims, losses, gaps, duplicates, disorder and late batches."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.alarm_quality.people import Life

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """A class of noise. Sigmas in metres per axis; `throw_rate` per fix; `claim`: accuracy told per sigma."""

    name: str
    outdoor_m: float
    indoor_m: float
    throw_rate: float
    honest: bool


CLASSES = {
    "clear": Noise("clear", 4.0, 8.0, 0.002, honest=True),
    "street": Noise("street", 8.0, 15.0, 0.004, honest=True),
    "hard": Noise("hard", 14.0, 25.0, 0.008, honest=True),
    "boasting": Noise("boasting", 8.0, 18.0, 0.005, honest=False),
}
"""boasting: claims 3 to 6 m always."""

MEMORY_S = 60.0


class Reports(NamedTuple):
    """Fixes in the order of their arrival: when taken, where (m), claimed accuracy, when they arrived."""

    t: Column
    x: Column
    y: Column
    accuracy_m: Column
    arrived: Column

    @property
    def places(self) -> NDArray[np.float64]:
        """(n, 2), metres."""
        return np.stack([self.x, self.y], axis=1)


def report(life: Life, period_s: float, noise: Noise, seed: int) -> Reports:
    """What a device on that person reports."""
    rng = np.random.default_rng([seed, 11, int(period_s)])
    ticks = np.arange(rng.integers(0, int(period_s)), len(life.places), int(period_s))
    truth, indoors = life.places[ticks], life.indoors[ticks]
    n = len(ticks)
    sigma = np.where(indoors, noise.indoor_m, noise.outdoor_m)
    # it takes a minute or two until a sky lost or found shows in the error
    for i in range(1, n):
        share = 1 - np.exp(-period_s / 45.0)
        sigma[i] = sigma[i - 1] + share * (sigma[i] - sigma[i - 1])
    keep = np.exp(-period_s / MEMORY_S)
    drift = np.empty((n, 2))
    drift[0] = rng.normal(0, 1, 2)
    fresh = rng.normal(0, np.sqrt(1 - keep**2), (n, 2))
    for i in range(1, n):
        drift[i] = keep * drift[i - 1] + fresh[i]
    seen = truth + drift * sigma[:, None] + rng.normal(0, 1.0, (n, 2))
    claim = sigma * rng.lognormal(0.25, 0.3, n) if noise.honest else rng.uniform(3, 6, n)
    # throws
    starts = np.flatnonzero(rng.random(n) < noise.throw_rate)
    sticky = rng.random() < 0.5
    for start in starts:
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(120, 400)
        for i in range(start, min(start + int(rng.integers(1, 4)), n)):
            if not sticky:
                angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(120, 400)
            seen[i] = truth[i] + away * np.array([np.cos(angle), np.sin(angle)]) + rng.normal(0, 5, 2)
            claim[i] = rng.uniform(3, 6)
    t = life.start_s + ticks.astype(float)
    arrived = t + rng.exponential(0.4, n) + 0.1
    slow = rng.random(n) < 0.05
    arrived[slow] = t[slow] + rng.uniform(0, 20, slow.sum())
    keep_fix = rng.random(n) > 0.03
    for _ in range(int(rng.poisson(2 * n * period_s / 86400))):  # gaps: never sent
        at, span = rng.uniform(t[0], t[-1]), rng.uniform(120, 1200)
        keep_fix &= ~((t > at) & (t < at + span))
    if rng.random() < 0.5:  # an hour without a network, sent afterwards
        at = rng.uniform(t[0], t[-1])
        held = (t > at) & (t < at + 3600)
        after = 0.0 if rng.random() < 0.5 else rng.uniform(20, 90)
        arrived[held] = at + 3600 + after + np.linspace(0, 5, held.sum())
    twice = keep_fix & (rng.random(n) < 0.01)
    pick = np.concatenate([np.flatnonzero(keep_fix), np.flatnonzero(twice)])
    when = np.concatenate([arrived[keep_fix], arrived[twice] + rng.uniform(0, 10, twice.sum())])
    order = np.argsort(when, kind="stable")
    pick, when = pick[order], when[order]
    return Reports(t[pick], seen[pick, 0], seen[pick, 1], claim[pick], when)
