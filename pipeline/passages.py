"""Did somebody pass through a zone between two fixes, without a fix inside?

Looked for on the straight way between two successive fixes that are believed and not far apart in time. How sure it
is depends on how deep the way goes into the zone, compared with how far the real way may have been beside the
straight one.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fences import motion, plane
from fences.atlas import STAY_IN
from fences.tracker import Sightings
from pipeline.step import Emission
from schemas.ids import event_id
from schemas.times import from_epoch

if TYPE_CHECKING:
    from pipeline.judgement import Judged, Judgement

Column = NDArray[np.float64]

LONGEST_S = 180.0
BESIDE = 0.08
"""How far beside the straight line a real way runs, as a share of its length (one sigma, in its middle)."""
SURE = 0.75


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _rough_m(lat0: float, lon0: float, lat1: float, lon1: float) -> float:
    east = ((lon1 - lon0 + 180.0) % 360.0 - 180.0) * math.cos(math.radians(lat0))
    return 111_500.0 * math.hypot(lat1 - lat0, east)


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _find_ways(
    rows: Any, t: Any, lat: Any, lon: Any, there_lat: Any, there_lon: Any, weight: Any, thrown: Any, best: Any,
    clear_m: Any, count: Any, ring_t: Any, ring_lat: Any, ring_lon: Any, at: Any, start: Any,
) -> int:  # fmt: skip
    """Sightings (m,) at which a way ends that may have led through a zone, into `at`, and where it began into `start`
    (m, 3): t, lat, lon; how many.

    The fix before each is the one before it in the ring of its row, which may hold later ones of the batch, too.
    """
    n = 0
    for j in range(len(rows)):
        k, r = best[j], rows[j]
        if thrown[j, k] & 3 or weight[j, k] <= 0.5:
            continue
        newest = int(count[r]) - 1
        oldest = max(newest - motion.RING + 1, 0)
        while newest > oldest and ring_t[r, newest % motion.RING] != t[j]:
            newest -= 1
        if newest <= oldest:
            continue
        before = (newest - 1) % motion.RING
        t0, lat0, lon0 = ring_t[r, before], ring_lat[r, before] / 1e7, ring_lon[r, before] / 1e7
        if not 0.0 < t[j] - t0 <= LONGEST_S:
            continue
        # Who is farther from every boundary than the way is long went through none, on this way.
        beside = max(
            _rough_m(lat[j], lon[j], there_lat[j, k], there_lon[j, k]),
            _rough_m(lat[j], lon[j], there_lat[j, 0], there_lon[j, 0]),
        )
        if 1.05 * (beside + _rough_m(lat0, lon0, lat[j], lon[j])) + 1.0 < clear_m[j]:
            continue
        at[n] = j
        start[n, 0], start[n, 1], start[n, 2] = t0, lat0, lon0
        n += 1
    return n


def passages(
    judgement: "Judgement", of: "Judged", seen: Sightings, best: NDArray[np.int64], clear_m: Column
) -> Iterator[tuple[int, Emission]]:
    """(place among the sightings, `passage` incident) of ways that end at sightings; `best`: their heaviest
    hypotheses; `clear_m`: how far these are from every boundary."""
    reference, ring = judgement.reference, judgement.tracker.rows
    if not reference.has_zones:
        return
    those, start_of = np.empty(len(of.rows), np.int64), np.empty((len(of.rows), 3))
    count = _find_ways(
        of.rows, of.t, of.lat, of.lon, seen.lat, seen.lon, seen.weight, seen.thrown, best, clear_m,
        ring["count"], ring["ring_t"], ring["ring_lat"], ring["ring_lon"], those, start_of,
    )  # fmt: skip
    if not count:
        return
    those = those[:count]
    t0, lat0, lon0 = start_of[:count].T.copy()
    lat1, lon1 = of.lat[those], of.lon[those]
    pairs = _zones_on(judgement, of.rows[those], lat0, lon0, lat1, lon1)
    if not pairs:
        return
    # A boundary lies between two places outside only if both are nearer to it than they are to each other.
    n, duty = np.array(pairs, np.int64).T
    outside = -reference.depth_m(np.append(lat0[n], lat1[n]), np.append(lon0[n], lon1[n]), np.append(duty, duty))
    start, end = outside.reshape(2, -1)
    length = plane.distance_m(lat0[n], lon0[n], lat1[n], lon1[n])
    pairs = [pairs[k] for k in np.flatnonzero((start > 0) & (end > 0) & (start + end <= 1.02 * length)).tolist()]
    for n, one in pairs:
        j = int(those[n])
        emission = _passage(
            judgement, int(of.rows[j]), one, (float(t0[n]), float(lat0[n]), float(lon0[n])),
            (float(of.t[j]), float(lat1[n]), float(lon1[n])), float(seen.sigma_m[j, best[j]]), float(of.settled_s[j]),
        )  # fmt: skip
        if emission is not None:
            yield j, emission


def _zones_on(
    judgement: "Judgement", rows: NDArray[np.int64], lat0: Column, lon0: Column, lat1: Column, lon1: Column
) -> list[tuple[int, int]]:
    """Pairs (way, duty to keep out of) that may meet, in order, each once."""
    reference = judgement.reference
    length = plane.distance_m(lat0, lon0, lat1, lon1)
    known = judgement.nearby.ways(rows, lat0, lon0, lat1, lon1, length)
    pairs = {*zip(known.way.tolist(), known.duty.tolist(), strict=True)}
    if len(known.left):
        left = known.left
        slots = judgement.slots(rows[left])
        agency = reference.activations.agency[slots].astype(np.int64)
        way, duty = reference.zones_between(agency, lat0[left], lon0[left], lat1[left], lon1[left])
        pairs |= {*zip(left[way].tolist(), duty.tolist(), strict=True)}
        for n, slot in zip(left.tolist(), slots.tolist(), strict=True):
            fixed = reference.fixed_duties(slot)
            pairs |= {(n, one) for one in fixed if reference.atlas(one).rule[one >> 1] != STAY_IN}
    return sorted(pairs)


def _passage(
    judgement: "Judgement", row: int, duty: int, start: tuple[float, float, float], end: tuple[float, float, float],
    sigma_m: float, settled_s: float,
) -> Emission | None:  # fmt: skip
    reference = judgement.reference
    (t0, lat0, lon0), (t1, lat1, lon1) = start, end
    activation = judgement.activation[row]
    if duty in judgement.concerns.get(row, ()) or not judgement.duties.holds(activation, duty, (t0 + t1) / 2):
        return None
    found = reference.atlas(duty).crossings(lat0, lon0, lat1, lon1, duty >> 1)
    if len(found) != 1 or found[0][0] <= 0.0 or found[0][1] >= 1.0:
        return None
    into, out = found[0]
    middle = (into + out) / 2
    lat, lon = lat0 + middle * (lat1 - lat0), lon0 + middle * ((lon1 - lon0 + 180) % 360 - 180)
    depth = float(reference.depth_m(np.array([lat]), np.array([lon]), np.array([duty]))[0])
    length = 111_500.0 * math.hypot(lat1 - lat0, ((lon1 - lon0 + 180) % 360 - 180) * math.cos(math.radians(lat0)))
    spread = math.hypot(sigma_m, BESIDE * length)
    confidence = 0.5 * math.erfc(-depth / spread * math.sqrt(0.5))
    if confidence < SURE:
        return None
    span = t1 - t0
    properties = reference.fence(duty).properties
    known = reference.activations
    incident_id = event_id("passage", known.ids[activation], properties.fence_id, properties.version, from_epoch(t1))
    place = {"lat": round(lat, 7), "lon": round(lon, 7)}
    fixes = [{"fix_time": str(from_epoch(t)), "lat": round(a, 7), "lon": round(b, 7)} for t, a, b in (start, end)]
    evidence = {
        "rule": properties.rule, "fixes": fixes, "crossing": place, "distance_m": round(-depth, 1),
        "inside_s": round((out - into) * span, 1), "in_at": str(from_epoch(t0 + into * span)),
        "out_at": str(from_epoch(t0 + out * span)),
    }  # fmt: skip
    return judgement.teller.incident(
        "passage", activation, incident_id, t0 + into * span, settled_s,
        fence_id=properties.fence_id, fence_version=properties.version, fence_name=properties.name,
        severity=properties.severity, confidence=round(confidence, 4), evidence=evidence,
    )  # fmt: skip
