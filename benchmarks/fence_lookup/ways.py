"""The ways of looking up in this process: each takes a world and answers which pairs (fix, fence) are inside."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import rtree.index
import shapely
from numpy.typing import NDArray

from benchmarks.fence_lookup.world import World
from fences.atlas import Atlas

Pairs = set[tuple[int, int]]


class Measured(NamedTuple):
    """`fixes` looked up in `seconds` (the best of the runs), after `setup_s` to load the fences, found `inside`."""

    fixes: int
    seconds: float
    setup_s: float
    inside: Pairs


def best_of(runs: int, look_up: Callable[[], Pairs]) -> tuple[float, Pairs]:
    """The shortest of `runs` times, after one run to warm up; and the answer."""
    inside = look_up()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        look_up()
        times.append(time.perf_counter() - start)
    return min(times), inside


def pairs(rows: NDArray[np.intp], slots: NDArray[np.int64]) -> Pairs:
    return set(zip(rows.tolist(), slots.tolist(), strict=True))


def ours(world: World, fixes: int, batch: int) -> Measured:
    """Batches through the atlas: candidates, and the signed distance in metres of every pair."""
    start = time.perf_counter()
    atlas = Atlas()
    for first in range(0, len(world.rings), 1000):  # as they come from a topic
        some = range(first, min(first + 1000, len(world.rings)))
        atlas.put_many([(world.fence(number), 0.0) for number in some])
    setup_s = time.perf_counter() - start
    found: list[tuple[NDArray[np.intp], NDArray[np.int64]]] = []

    def look_up() -> Pairs:
        found.clear()
        for first in range(0, fixes, batch):
            lat, lon = world.lat[first : min(first + batch, fixes)], world.lon[first : min(first + batch, fixes)]
            rows, slots = atlas.candidates(lat, lon)
            inside = atlas.signed_distance_m(lat[rows], lon[rows], slots) <= 0
            found.append((rows[inside] + first, slots[inside]))
        return set()

    seconds, _ = best_of(3, look_up)
    inside = pairs(np.concatenate([rows for rows, _ in found]), np.concatenate([slots for _, slots in found]))
    return Measured(fixes, seconds, setup_s, inside)


def rtree_per_point(world: World, fixes: int) -> Measured:
    """One rtree question a fix, then shapely's contains on a prepared polygon, as a plain handler of messages does."""
    start = time.perf_counter()
    polygons = shapely.polygons(world.rings)
    shapely.prepare(polygons)
    boxes = shapely.bounds(polygons)
    index = rtree.index.Index((number, tuple(box), None) for number, box in enumerate(boxes.tolist()))
    setup_s = time.perf_counter() - start
    places = list(zip(world.lat[:fixes].tolist(), world.lon[:fixes].tolist(), strict=True))

    def look_up() -> Pairs:
        return {
            (row, number)
            for row, (lat, lon) in enumerate(places)
            for number in index.intersection((lon, lat, lon, lat))
            if shapely.contains_xy(polygons[number], lon, lat)
        }

    seconds, inside = best_of(1, look_up)
    return Measured(fixes, seconds, setup_s, inside)


def shapely_bulk(world: World, fixes: int) -> Measured:
    """All fixes at once through shapely's packed tree with the predicate `intersects`: inside or not, no distance."""
    start = time.perf_counter()
    polygons = shapely.polygons(world.rings)
    tree = shapely.STRtree(polygons)
    setup_s = time.perf_counter() - start
    lat, lon = world.lat[:fixes], world.lon[:fixes]
    found: list[NDArray[np.intp]] = []

    def look_up() -> Pairs:
        found[:] = [tree.query(shapely.points(lon, lat), predicate="intersects")]
        return set()

    seconds, _ = best_of(3, look_up)
    return Measured(fixes, seconds, setup_s, pairs(found[0][0], found[0][1].astype(np.int64)))
