"""True lives: where simulated people are, second by second, in metres east and north of a town's middle; seeded.

Each has a home, one stay-in fence around it (60 m to 3 km, the home anywhere inside, also beside the edge), and
keep-out zones, round or narrow, beside the ways they take. Days are mostly rest at home, small moves about the house,
walks inside the fence, trips beyond it on foot, by bicycle and by car along street-like ways with stops, and short
steps over the line.
"""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Track = NDArray[np.float64]

SPEEDS_MPS = {"walk": (1.0, 1.7), "cycle": (3.0, 5.5), "car": (7.0, 17.0)}


@dataclass(frozen=True)
class Zone:
    """A fence of the world in metres: `shape` is a closed ring (n, 2), or a line with `buffer_m`."""

    name: str
    keep_out: bool
    shape: Track
    buffer_m: float = 0.0


@dataclass
class Life:
    """One person's truth: places (n, 2) for each second from `start_s`; `indoors` (n,)."""

    name: str
    start_s: float
    places: Track
    indoors: NDArray[np.bool_]
    zones: list[Zone] = field(default_factory=list)


def ring(rng: np.random.Generator, radius_m: float) -> Track:
    """A closed ring around the origin: nearly a circle, a rectangle or a crooked parcel."""
    kind = rng.integers(3)
    if kind == 0:
        angle = np.linspace(0, 2 * math.pi, 49)
        ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius_m
    elif kind == 1:
        a, b = radius_m * rng.uniform(0.7, 1.2), radius_m * rng.uniform(0.7, 1.2)
        turn = rng.uniform(0, math.pi)
        box = np.array([[a, b], [-a, b], [-a, -b], [a, -b], [a, b]])
        ring = box @ np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    else:
        n = int(rng.integers(7, 14))
        angle = np.sort(rng.uniform(0, 2 * math.pi, n)) * 0.3 + np.linspace(0, 2 * math.pi, n, endpoint=False) * 0.7
        radius = radius_m * rng.uniform(0.7, 1.25, n)
        ring = np.stack([np.cos(angle) * radius, np.sin(angle) * radius], axis=1)
        ring = np.concatenate([ring, ring[:1]])
    ring[-1] = ring[0]
    return ring


def inside(ring: Track, place: Track) -> bool:
    x, y = place
    crossed = 0
    for (x0, y0), (x1, y1) in itertools.pairwise(ring):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            crossed += 1
    return crossed % 2 == 1


class Walker:
    """Builds a track leg by leg."""

    def __init__(self, rng: np.random.Generator, at: Track) -> None:
        self.rng, self.at = rng, at.astype(float)
        self.places: list[Track] = []
        self.indoors: list[NDArray[np.bool_]] = []

    @property
    def seconds(self) -> int:
        return sum(map(len, self.places))

    def _add(self, places: Track, indoors: bool) -> None:
        self.places.append(places)
        self.indoors.append(np.full(len(places), indoors))
        self.at = places[-1].copy()

    def rest(self, seconds: int, indoors: bool) -> None:
        """Stay, moving about by some metres now and then."""
        left = seconds
        base = self.at.copy()
        while left > 0:
            span = min(left, int(self.rng.exponential(900)) + 30)
            spot = base + self.rng.normal(0, 3.0 if indoors else 1.5, 2)
            walk = max(2, int(np.hypot(*(spot - self.at)) / 0.8))
            steps = np.linspace(self.at, spot, min(walk, span))
            still = np.repeat(spot[None], max(span - walk, 0), axis=0)
            self._add(np.concatenate([steps, still])[:span], indoors)
            left -= span

    def follow(self, places: Track) -> None:
        """Go a way known second by second."""
        self._add(places, False)

    def go(self, goal: Track, how: str) -> None:
        """Go to `goal` by streets, mostly along two directions, with turns and stops."""
        low, high = SPEEDS_MPS[how]
        cruise = self.rng.uniform(low, high)
        way = goal - self.at
        turn = self.rng.uniform(0, math.pi / 2)
        axes = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
        parts = axes @ way
        blocks = max(1, int(np.abs(parts).sum() / self.rng.uniform(120, 400)))
        legs = []
        for axis in range(2):
            cuts = np.diff(np.concatenate([[0], np.sort(self.rng.uniform(0, 1, max(blocks // 2, 1) - 1)), [1]]))
            legs += [axes[axis] * parts[axis] * cut for cut in cuts]
        self.rng.shuffle(legs)
        for leg in legs:
            self._leg(self.at + leg, cruise * self.rng.uniform(0.8, 1.15), how)

    def _leg(self, goal: Track, speed: float, how: str) -> None:
        length = float(np.hypot(*(goal - self.at)))
        if length < 0.5:
            return
        gain = {"walk": 1.0, "cycle": 0.7, "car": 1.6}[how]
        stops = self.rng.random() < {"walk": 0.1, "cycle": 0.2, "car": 0.45}[how]
        t = np.arange(1, int(length / speed + 2 * speed / gain) + 3)
        done = np.minimum(
            0.5 * gain * np.minimum(t, speed / gain) ** 2 + speed * np.maximum(t - speed / gain, 0), length
        )
        if stops:  # come to a halt at the corner
            left = length - done
            slow = speed * speed / (2 * gain)
            near = np.searchsorted(-left, -slow)
            rest = np.arange(1, int(2 * speed / gain) + 2)
            tail = length - slow + speed * rest - 0.5 * gain * rest**2
            done = np.concatenate([done[:near], np.minimum(np.maximum.accumulate(tail[tail > 0]), length)])
        done = np.concatenate([done[done < length], [length]])
        side = (goal - self.at) / length
        self._add(self.at + done[:, None] * side, False)
        if stops:
            self.rest(int(self.rng.uniform(2, 45)), indoors=False)


def home_fence(rng: np.random.Generator, radius_m: float) -> Zone:
    """A fence to stay in around a home at (0, 0), which is anywhere inside of it."""
    shape = ring(rng, radius_m)
    while True:
        home = rng.uniform(-1.3, 1.3, 2) * radius_m
        if inside(shape, home):
            return Zone("home", False, shape - home)


def keep_outs(rng: np.random.Generator, middle: Track, across: Track) -> list[Zone]:
    """Zones to keep out of: a round one about `middle`, and a strip right through the way at `across`; none that
    reaches home."""
    zones = []
    size = rng.uniform(120, 400)
    angle = np.linspace(0, 2 * math.pi, 33)
    spot = middle + rng.normal(0, size, 2)
    if np.hypot(*spot) > size + 60:
        zones.append(Zone("zone", True, spot + np.stack([np.cos(angle), np.sin(angle)], axis=1) * size))
    side = np.array([-across[1], across[0]]) / max(np.hypot(*across), 1.0)
    if np.hypot(*across) > 150:
        zones.append(Zone("strip", True, np.stack([across - side * 600, across + side * 600]), rng.uniform(15, 40)))
    return zones


def live(seed: int, days: float = 1.0) -> Life:
    """The life of person `seed` over some days."""
    rng = np.random.default_rng([seed, 7])
    radius = math.exp(rng.uniform(math.log(60), math.log(3000)))
    zones = [home_fence(rng, radius)]
    trips = []
    for _ in range(int(rng.integers(3, 7))):
        how = str(rng.choice(["walk", "cycle", "car"], p=[0.45, 0.2, 0.35]))
        away = {"walk": rng.uniform(250, 2000), "cycle": rng.uniform(600, 4000), "car": rng.uniform(1000, 15000)}[how]
        angle = rng.uniform(0, 2 * math.pi)
        goal = np.array([math.cos(angle), math.sin(angle)]) * (away + radius * 0.8)
        trips.append((how, goal))
    zones += keep_outs(rng, trips[0][1] * rng.uniform(0.4, 1.0), trips[-1][1] * 0.6)
    walker = Walker(rng, np.zeros(2))
    total = int(days * 86400)
    gap = total / (len(trips) + 1)
    plan = list(trips)
    rng.shuffle(plan)
    while walker.seconds < total:
        walker.rest(int(rng.uniform(0.3, 1.0) * gap), indoors=True)
        act = rng.random()
        if act < 0.2:  # a walk that stays inside
            for _ in range(3):
                goal = rng.normal(0, radius / 4, 2)
                if inside(zones[0].shape, goal):
                    walker.go(goal, "walk")
            walker.go(rng.normal(0, 2, 2), "walk")
        elif act < 0.35:  # a step over the line, close by
            edge = zones[0].shape[np.argmin(np.hypot(*zones[0].shape.T))]
            walker.go(edge * (1 + rng.uniform(5, 45) / max(np.hypot(*edge), 1.0)), "walk")
            walker.rest(int(rng.uniform(20, 600)), indoors=False)
            walker.go(rng.normal(0, 2, 2), "walk")
        elif plan:
            how, goal = plan.pop()
            walker.go(goal, how)
            walker.rest(int(rng.uniform(120, 5400)), indoors=bool(rng.random() < 0.7))
            walker.go(rng.normal(0, 2, 2), how)
        else:
            walker.rest(1800, indoors=True)
    places = np.concatenate(walker.places)[:total]
    indoors = np.concatenate(walker.indoors)[:total]
    return Life(f"p{seed}", 1_790_000_000.0 + seed % 50, places, indoors, zones)
