"""Which duties may concern somebody here, and how deep does each hypothesis lie in them? Remembered and compiled.

For each row the duties near a place are remembered with the radius for which that is all: whoever stays within it is
not looked up again until something is edited. The depths are then found pair by pair in one compiled loop; what
`fences.nearest` cannot measure is left to the atlases in bulk.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fences.atlas import STAY_IN
from fences.nearest import Outlines, signed_m
from fences.plane import reach_deg
from fences.room import lengthen, zeros
from fences.tracker import Sightings
from pipeline.reference import Reference

Column = NDArray[np.float64]
Numbers = NDArray[np.int64]

SPARE_M = 300.0
"""How much farther than needed is looked, so that a walk down the street asks no more."""
_ROOT_HALF = math.sqrt(0.5)
_METRES = 111_500.0  # per degree, roughly


class Known(NamedTuple):
    """What the kernels read of an atlas, by slot."""

    outlines: Outlines
    bounds: Any
    rule: Any
    t_from: Any
    t_until: Any


class Pairs(NamedTuple):
    """Sightings and duties that may concern them. `of` (p,): which sighting; `chance`: that the duty is broken there;
    `depth_m`: of the likeliest hypothesis; `span`: the pairs of sighting j are span[j] to span[j + 1]; `clear_m`: how
    far each sighting (m,) is from every boundary."""

    of: Numbers
    duty: Numbers
    chance: Column
    depth_m: Column
    span: Numbers
    clear_m: Column


class Kept(NamedTuple):
    """Zones not to be passed over, however far they are from sightings (m,): all of them where `whole`, else `duty`
    from span[j] to span[j + 1]."""

    whole: NDArray[np.bool_]
    span: Numbers
    duty: Numbers


class Depths(NamedTuple):
    """The hypotheses that were measured (n,): `pair` is which of the pairs, `k` which hypothesis."""

    pair: Numbers
    k: Numbers
    depth_m: Column


class Ways(NamedTuple):
    """Pairs of a way and a duty to keep out of (n,), and the ways that are `left` to be looked up."""

    way: Numbers
    duty: Numbers
    left: Numbers


Eased = Callable[[Depths, Numbers, Numbers], Column]
"""Given what was measured, and `of` and `duty` of the pairs: the depths where leave is considered."""


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _depth(own: Known, wide: Known, duty: int, lat: float, lon: float) -> float:
    slot = duty >> 1
    if duty & 1:
        away = signed_m(wide.outlines, slot, lat, lon)
        return float(away if wide.rule[slot] == STAY_IN else -away)
    away = signed_m(own.outlines, slot, lat, lon)
    return float(away if own.rule[slot] == STAY_IN else -away)


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _beside(bounds: Any, slot: int, south: float, west: float, north: float, east: float) -> bool:
    """Whether a box lies apart from the slot's, as far as that can be said without going round the earth."""
    return (
        bounds[slot, 0] > north
        or bounds[slot, 2] < south
        or (
            bounds[slot, 1] >= -180.0
            and bounds[slot, 3] <= 180.0
            and west >= -180.0
            and east <= 180.0
            and (bounds[slot, 1] > east or bounds[slot, 3] < west)
        )
    )


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _expand(
    own: Known, wide: Known, first: Any, count: Any, pool: Any, rows: Any, kept: Kept, t: Any,
    lat: Any, lon: Any, weight: Any, best: Any, reach_lat: Any, reach_lon: Any,
    span: Any, of: Any, duties: Any, holds: Any, pair: Any, ks: Any, depth: Any,
) -> tuple[int, int, int]:  # fmt: skip
    """All pairs and their depths; how many pairs, how many depths, how many of these are NaN."""
    p = e = left = 0
    for j in range(len(rows)):
        span[j] = p
        r = rows[j]
        mine = kept.duty[kept.span[j] : kept.span[j + 1]]
        a, o = lat[j, best[j]], lon[j, best[j]]
        for place in range(first[r], first[r] + count[r]):
            duty = pool[place]
            slot = duty >> 1
            if duty & 1:
                zone = wide.rule[slot] != STAY_IN
                if zone and not kept.whole[j] and _beside(
                    wide.bounds, slot, a - reach_lat[j], o - reach_lon[j], a + reach_lat[j], o + reach_lon[j]
                ) and not (mine == duty).any():  # fmt: skip
                    continue
                held = wide.t_from[slot] <= t[j] < wide.t_until[slot]
            else:
                held = own.t_from[slot] <= t[j] < own.t_until[slot]
            of[p], duties[p], holds[p] = j, duty, held
            for k in range(lat.shape[1] if held else 1):
                if weight[j, k] > 0:
                    pair[e], ks[e] = p, k
                    depth[e] = _depth(own, wide, duty, lat[j, k], lon[j, k])
                    left += depth[e] != depth[e]
                    e += 1
            p += 1
    span[len(rows)] = p
    return p, e, left


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _combine(
    own: Known, wide: Known, of: Any, duties: Any, holds: Any, t: Any, pair: Any, ks: Any, depth: Any,
    sigma: Any, weight: Any, best: Any, tolerance_m: float, chance: Any, likeliest: Any, clear: Any,
) -> None:  # fmt: skip
    """From the depths the chance of each pair that its duty is broken (`fences.evidence`), and what is clear."""
    total = np.zeros(len(of))
    for e in range(len(pair)):
        p, k = pair[e], ks[e]
        j = of[p]
        if holds[p]:
            z = (depth[e] - tolerance_m) / max(sigma[j, k], 0.5)
            chance[p] += weight[j, k] * 0.5 * math.erfc(-z * _ROOT_HALF)
            total[p] += weight[j, k]
        if k == best[j] or not holds[p]:
            likeliest[p] = depth[e]
    for p in range(len(of)):
        j, slot = of[p], duties[p] >> 1
        if holds[p]:
            chance[p] /= max(total[p], 1e-9)
        elif likeliest[p] > 0 and (wide.t_until[slot] if duties[p] & 1 else own.t_until[slot]) > t[j]:
            # deep in a zone that is only to hold later: no boundary will be crossed, so keep looking
            likeliest[p] = 0.0
        clear[j] = min(clear[j], abs(likeliest[p]))


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _between(
    own: Known, wide: Known, first: Any, count: Any, pool: Any, rows: Any,
    lat0: Any, lon0: Any, lat1: Any, lon1: Any, length: Any, out: Any,
) -> int:  # fmt: skip
    """Which zones remembered of a row a straight way may touch, pairs (way, duty) into `out`; how many."""
    n = 0
    for j in range(len(rows)):
        r = rows[j]
        for place in range(first[r], first[r] + count[r]):
            duty = pool[place]
            slot = duty >> 1
            known = wide if duty & 1 else own
            if known.rule[slot] == STAY_IN or _beside(
                known.bounds, slot, min(lat0[j], lat1[j]), min(lon0[j], lon1[j]), max(lat0[j], lat1[j]),
                max(lon0[j], lon1[j]),
            ):  # fmt: skip
                continue
            start = -_depth(own, wide, duty, lat0[j], lon0[j])
            end = -_depth(own, wide, duty, lat1[j], lon1[j])
            # A boundary lies between two places outside only if both are nearer to it than they are to each other.
            if not (start <= 0 or end <= 0 or start + end > 1.02 * length[j]):
                out[n, 0], out[n, 1] = j, duty
                n += 1
    return n


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _gather(first: Any, count: Any, pool: Any, out: Any) -> int:
    """Put what `pool` has of each row into `out`, one after another; how much that is."""
    end = 0
    for r in range(len(count)):
        begin = first[r]
        first[r] = end
        for place in range(begin, begin + count[r]):
            out[end] = pool[place]
            end += 1
    return end


class Nearby:
    """The remembered duties of a core's rows."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._lat, self._lon = np.zeros(0), np.zeros(0)
        self._radius_m = np.zeros(0, np.float32)  # below 0: nothing is remembered
        self._first, self._count = np.zeros(0, np.int32), np.zeros(0, np.int32)
        self._pool = np.zeros(1024, np.int32)
        self._end = 0

    def reserve(self, count: int) -> None:
        """Have at least `count` rows."""
        had = len(self._lat)
        if count > had:
            for name in ("_lat", "_lon", "_first", "_count"):
                lengthen(self, name, count)
            lengthen(self, "_radius_m", count, -1.0)

    def forget(self, rows: Any) -> None:
        """What is remembered of `rows` (an index) may no longer be all."""
        self._radius_m[rows] = -1.0

    def look_up(
        self, rows: Numbers, agency: Numbers, lat: Column, lon: Column, needed_m: Column, reach_m: float,
        always: Callable[[int], Iterable[int]],
    ) -> Column:  # fmt: skip
        """See that all duties within `needed_m` of places (n,) are remembered, and better those within `reach_m` more.

        `always(row)`: those that concern a row wherever it is. Returns for each place how far around it they are all.
        """
        within = self._within_m(rows, lat, lon)
        stale = within < needed_m + reach_m / 2
        if stale.any():
            self._remember(rows, stale, agency, lat, lon, needed_m, reach_m, always)
            within = self._within_m(rows, lat, lon)
        return within

    def _within_m(self, rows: Numbers, lat: Column, lon: Column) -> Column:
        return np.asarray(self._radius_m[rows] - metres(self._lat[rows], self._lon[rows], lat, lon))

    def _remember(
        self, rows: Numbers, stale: NDArray[np.bool_], agency: Numbers, lat: Column, lon: Column, needed_m: Column,
        reach_m: float, always: Callable[[int], Iterable[int]],
    ) -> None:  # fmt: skip
        these, first = np.unique(rows[stale], return_index=True)
        at = np.flatnonzero(stale)[first]
        self._lat[these], self._lon[these] = lat[at], lon[at]
        self._radius_m[these] = 0.0
        all_of = np.flatnonzero(np.isin(rows, these))
        need = (needed_m + metres(self._lat[rows], self._lon[rows], lat, lon)).astype(np.float32)
        np.maximum.at(self._radius_m, rows[all_of], need[all_of] + np.float32(reach_m + SPARE_M))
        who, zones = self._reference.zones_near(agency[at], lat[at], lon[at], self._radius_m[these].astype(np.float64))
        fixed = [list(dict.fromkeys(always(row))) for row in these.tolist()]
        whose = np.repeat(np.arange(len(these)), [len(duties) for duties in fixed])
        own = np.array([duty for duties in fixed for duty in duties], np.int64)
        who, duty = np.concatenate([who, whose]), np.concatenate([zones, own])
        width = int(duty.max(initial=0)) + 1
        both = np.unique(who * width + duty)  # one order, each once
        who, duty = both // width, both % width
        self._store(these, np.bincount(who, minlength=len(these)), duty)

    def _store(self, these: Numbers, count: Numbers, duty: Numbers) -> None:
        self._count[these] = 0
        if self._end + len(duty) > len(self._pool):
            kept = int(self._count.sum(dtype=np.int64)) + len(duty)
            pool = zeros((kept + kept // 4 + 1024,), np.int32)
            self._end = _gather(self._first, self._count, self._pool, pool)
            self._pool = pool
        self._pool[self._end : self._end + len(duty)] = duty
        self._first[these] = self._end + np.cumsum(count) - count
        self._count[these] = count
        self._end += len(duty)
        for kind in (0, 1):
            self._reference.atlas(kind).outlines(np.unique(duty[(duty & 1) == kind] >> 1))

    def _known(self, kind: int) -> Known:
        atlas = self._reference.atlas(kind)
        outlines, bounds = atlas.outlines(np.empty(0, np.int64))
        return Known(outlines, bounds, atlas.rule, atlas.t_from, atlas.t_until)

    def pairs(
        self, rows: Numbers, t: Column, seen: Sightings, best: Numbers, reach_m: Column, kept: Kept,
        tolerance_m: float, eased: Eased | None,
    ) -> Pairs:  # fmt: skip
        """What the remembered duties are to sightings (m,) of `rows` at `t`.

        `best`: the heaviest hypothesis; zones farther than `reach_m` from it are passed over, but for what is `kept`.
        """
        m, most = len(rows), int(self._count[rows].sum())
        own, wide = self._known(0), self._known(1)
        each = np.arange(m)
        reach_lat, reach_lon = reach_deg(seen.lat[each, best], reach_m)
        span, of, duty = np.empty(m + 1, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
        holds = np.empty(most, np.bool_)
        width = seen.lat.shape[1]
        pair, k, depth = np.empty(most * width, np.int64), np.empty(most * width, np.int64), np.empty(most * width)
        p, e, left = _expand(
            own, wide, self._first, self._count, self._pool, rows, kept, t, seen.lat, seen.lon, seen.weight, best,
            reach_lat, reach_lon, span, of, duty, holds, pair, k, depth,
        )  # fmt: skip
        of, duty, holds, pair, k, depth = of[:p], duty[:p], holds[:p], pair[:e], k[:e], depth[:e]
        if left:
            odd = np.flatnonzero(np.isnan(depth))
            j = of[pair[odd]]
            depth[odd] = self._reference.depth_m(seen.lat[j, k[odd]], seen.lon[j, k[odd]], duty[pair[odd]])
        if eased is not None:
            depth = eased(Depths(pair, k, depth), of, duty)
        chance, likeliest, clear = np.zeros(p), np.full(p, np.inf), np.full(m, np.inf)
        _combine(
            own, wide, of, duty, holds, t, pair, k, depth, seen.sigma_m, seen.weight, best, tolerance_m,
            chance, likeliest, clear,
        )  # fmt: skip
        return Pairs(of, duty, chance, likeliest, span, clear)

    def ways(self, rows: Numbers, lat0: Column, lon0: Column, lat1: Column, lon1: Column, length_m: Column) -> Ways:
        """Which zones the straight ways (n,) of `rows` may touch, as far as is remembered.

        `left`: the ways that go beyond it.
        """
        reached = np.minimum(self._within_m(rows, lat0, lon0), self._within_m(rows, lat1, lon1))
        inside = reached > 1.0
        out = np.empty((int(self._count[rows[inside]].sum()), 2), np.int64)
        at = np.flatnonzero(inside)
        n = _between(
            self._known(0), self._known(1), self._first, self._count, self._pool, rows[at], lat0[at], lon0[at],
            lat1[at], lon1[at], length_m[at], out,
        )  # fmt: skip
        return Ways(at[out[:n, 0]], out[:n, 1], np.flatnonzero(~inside))


def metres(lat0: Column, lon0: Column, lat1: Column, lon1: Column) -> Column:
    """Roughly how far places are apart."""
    east = ((lon1 - lon0 + 180.0) % 360.0 - 180.0) * np.cos(np.radians(lat0))
    return np.asarray(_METRES * np.hypot(lat1 - lat0, east))
