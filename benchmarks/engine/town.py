"""A town for measuring: people at rest, on foot and in cars, with fences around homes and zones to keep out of; seeded.

Half of the fences are homes (circles of 500 m, each naming the people who live there), half are zones for all
(polygons of 8 vertices, 100 to 300 m). The town grows with the number of fences, so that as many lie near a place;
`dense` squeezes it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from fences.plane import A_M
from pipeline.reference import Reference
from schemas.message import convert
from schemas.reference import Activation, Fence
from schemas.times import from_epoch

LAT, LON = 30.0, 115.0
NORTH_M = 110_852.0
EAST_M = A_M * math.radians(1) * math.cos(math.radians(LAT)) * 1.0008
T0 = 1_790_000_000.0
PERIOD_S = 10.0
PER_KM2 = 2.0
HOME_M, ZONE_M = 500.0, 300.0
WALKING = 0.6
"""Share of those who move that walk; the others drive."""
Column = NDArray[np.float64]


@dataclass
class Town:
    """`reference` knows all once it is built; `fences` and `activations` are what it is told. The rest is where people
    are, in metres from the middle."""

    reference: Reference
    fences: list[Fence]
    devices: list[str]
    home: Column
    speed: Column
    heading: Column
    rng: np.random.Generator
    drift: Column
    step: int = 0

    def activations(self) -> Iterator[Activation]:
        """Who wears each device."""
        for n, name in enumerate(self.devices):
            yield Activation(activation_id=f"a-{n:07d}", device_id=name, subject_id=f"s-{n:07d}", order_id="o",
                             agency="a", starts_at=from_epoch(T0 - 86400), expected_period_s=PERIOD_S)  # fmt: skip

    def report(self) -> tuple[Column, Column, Column]:
        """(t, lat, lon) of the next fix of every device, spread over the period."""
        n = len(self.devices)
        keep = math.exp(-PERIOD_S / 60)
        self.drift = keep * self.drift + math.sqrt(1 - keep * keep) * self.rng.normal(0, 6.0, (n, 2))
        # movers go out and back on a straight street of 2 km
        way = self.speed * self.step * PERIOD_S
        way = np.abs((way + 1000) % 4000 - 2000) - 1000
        there = self.home + np.stack([np.cos(self.heading), np.sin(self.heading)], axis=1) * way[:, None] + self.drift
        t = T0 + self.step * PERIOD_S + np.arange(n) * (PERIOD_S / n)
        self.step += 1
        return np.floor(t * 1000) / 1000, LAT + there[:, 1] / NORTH_M, LON + there[:, 0] / EAST_M


def build(fences: int, devices: int, dense: float = 1.0, moving: float = 0.15, seed: int = 5) -> Town:
    """A town with so many fences and devices; `dense` times as many fences near a place. `moving`: the share of people
    who go out and back all the time, past their home's fence and through zones."""
    town = plan(fences, devices, dense, moving, seed)
    for fence in town.fences:
        town.reference.put_fence(fence)
    for activation in town.activations():
        town.reference.activations.learn(activation)
    return town


def plan(fences: int, devices: int, dense: float = 1.0, moving: float = 0.15, seed: int = 5) -> Town:
    """As `build`, but its reference was told nothing yet."""
    rng = np.random.default_rng(seed)
    side = math.sqrt(fences / PER_KM2 / dense) * 1000
    middle = rng.uniform(-side / 2, side / 2, (fences, 2))
    homes = max(fences // 2, 1)
    lives = rng.integers(0, homes, devices)
    radius = HOME_M * np.sqrt(rng.uniform(0, 1, devices))
    angle = rng.uniform(0, 2 * math.pi, devices)
    home = middle[lives] + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    zones = shapely.STRtree(shapely.points(middle[homes:]))
    for _ in range(50):  # nobody sleeps where it is forbidden, or on the edge of where it is allowed
        bad = np.unique(zones.query(shapely.points(home), "dwithin", ZONE_M * 1.2 + 60)[0])
        bad = np.union1d(bad, np.flatnonzero(radius > HOME_M - 60))
        radius[bad] = HOME_M * np.sqrt(rng.uniform(0, 1, len(bad)))
        turn = rng.uniform(0, 2 * math.pi, len(bad))
        home[bad] = middle[lives[bad]] + np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius[bad, None]
    names = [f"bracelet-{n:07d}" for n in range(devices)]
    who: dict[int, list[str]] = {}
    for n, house in enumerate(lives.tolist()):
        who.setdefault(house, []).append(f"s-{n:07d}")
    drawn = [
        _home(n, middle[n], who.get(n, ["nobody"])) if n < homes else _zone(n, middle[n], rng) for n in range(fences)
    ]
    kind = rng.uniform(0, 1, devices)
    speed = np.where(kind >= moving, 0.0, np.where(kind < moving * WALKING, 1.3, 12.0))
    heading = rng.uniform(0, 2 * math.pi, devices)
    return Town(Reference(), drawn, names, home, speed, heading, rng, rng.normal(0, 6.0, (devices, 2)))


def _degrees(place: Column) -> list[float]:
    return [LON + float(place[0]) / EAST_M, LAT + float(place[1]) / NORTH_M]


def _home(number: int, place: Column, subjects: list[str]) -> Fence:
    return convert(
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": _degrees(place)},
         "properties": {"fence_id": f"home-{number}", "rule": "stay_in", "datum": "wgs84", "buffer_m": HOME_M,
                        "subjects": subjects, "agency": "a"}}, Fence)  # fmt: skip


def _zone(number: int, place: Column, rng: np.random.Generator) -> Fence:
    angle = np.linspace(0, 2 * math.pi, 8, endpoint=False)
    radius = rng.uniform(100, ZONE_M) * rng.uniform(0.8, 1.2, 8)
    ring = place + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    positions = [_degrees(one) for one in [*ring, ring[0]]]
    return convert(
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [positions]},
            "properties": {"fence_id": f"zone-{number}", "rule": "keep_out", "datum": "wgs84", "agency": "a"},
        },
        Fence,
    )
