"""How does a place stand to the fences of whoever is there, as they are now? One number for the map.

Not the verdict that opens breaches (`fences.tracker` weighs many fixes): a single fix against today's fences, hours and
leaves, so that a map is coloured by what holds now.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.duties import Duties
from pipeline.readmodel.positions import BROKEN, KEPT, NO_FENCE, UNCERTAIN, Position
from pipeline.reference import Reference

LIKELY = 1.62
"""Radius of 95 % by radius of 68 %, which is what receivers tell, of a round normal error: sqrt(ln .05 / ln .32)."""
UNKNOWN_M = 30.0
"""The error of a fix that does not tell one."""


def activations_now(reference: Reference, device_ids: Sequence[str], now_s: float) -> NDArray[np.int64]:
    """The activation (slot) in force on each device, below 0: none."""
    at = reference.activations.at
    return np.fromiter([at(device_id, now_s) for device_id in device_ids], np.int64, len(device_ids))


def verdicts(
    reference: Reference, activation: NDArray[np.int64], positions: Sequence[Position], now_s: float
) -> NDArray[np.int8]:
    """For each position (n,), of a device with that activation: `KEPT`, `BROKEN`, `UNCERTAIN` or `NO_FENCE`."""
    found = np.full(len(positions), NO_FENCE, np.int8)
    rows, duties = _duties(reference, activation, positions, now_s)
    if not len(rows):
        return found
    lat = np.array([one.lat for one in positions])
    lon = np.array([one.lon for one in positions])
    told = np.array([one.accuracy_m for one in positions])
    error = LIKELY * np.where(np.isnan(told), UNKNOWN_M, told)
    depth = reference.depth_m(lat[rows], lon[rows], duties)
    depth = np.minimum(depth, _leave(reference, activation, positions, rows, duties, now_s))
    each = np.where(depth > error[rows], BROKEN, np.where(depth >= -error[rows], UNCERTAIN, KEPT))
    for verdict in (KEPT, UNCERTAIN, BROKEN):  # the worst of several
        found[rows[each == verdict]] = verdict
    return found


def _duties(
    reference: Reference, activation: NDArray[np.int64], positions: Sequence[Position], now_s: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a position's number and a duty that holds for it now."""
    known = reference.activations
    clock = Duties(reference)
    pairs: list[tuple[int, int]] = []
    fixed: dict[int, list[int]] = {}
    for place, slot in enumerate(activation.tolist()):
        if slot < 0:
            continue
        if slot not in fixed:
            fixed[slot] = reference.fixed_duties(slot)
        pairs += [(place, duty) for duty in fixed[slot]]
    worn = np.flatnonzero(activation >= 0)
    if reference.has_zones and len(worn):
        there = [positions[place] for place in worn.tolist()]
        lat, lon = np.array([one.lat for one in there]), np.array([one.lon for one in there])
        told = np.array([one.accuracy_m for one in there])
        reach = LIKELY * np.where(np.isnan(told), UNKNOWN_M, told)
        agency = known.agency[activation[worn]].astype(np.int64)
        near, zones = reference.zones_near(agency, lat, lon, reach)
        pairs += zip(worn[near].tolist(), zones.tolist(), strict=True)
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows, duties = np.array(pairs, np.int64).T
    holds = reference.in_force(duties, np.full(len(duties), now_s))
    rows, duties = rows[holds], duties[holds]
    by_hours: dict[int, bool] = {}
    subject_has_leave: dict[int, bool] = {}
    kept = []
    for row, duty in zip(rows.tolist(), duties.tolist(), strict=True):
        if duty not in by_hours:
            schedule = reference.schedule(duty)
            by_hours[duty] = schedule is None or schedule.active(now_s)
        slot = int(activation[row])
        if slot not in subject_has_leave:
            subject_has_leave[slot] = clock.subject(slot) in reference.leaves
        kept.append(by_hours[duty] and (not subject_has_leave[slot] or clock.holds(slot, duty, now_s)))
    mask = np.array(kept, np.bool_)
    return rows[mask], duties[mask]


def _leave(
    reference: Reference,
    activation: NDArray[np.int64],
    positions: Sequence[Position],
    rows: NDArray[np.int64],
    duties: NDArray[np.int64],
    now_s: float,
) -> NDArray[np.float64]:
    """How far outside of where leave allows it each place is; +inf: no leave."""
    away = np.full(len(rows), np.inf)
    clock = Duties(reference)
    for place, (row, duty) in enumerate(zip(rows.tolist(), duties.tolist(), strict=True)):
        subject_id = clock.subject(int(activation[row]))
        if subject_id in reference.leaves and reference.fence(duty).properties.rule == "stay_in":
            one = positions[row]
            fence_id = reference.fence(duty).properties.fence_id
            at = (np.array([one.lat]), np.array([one.lon]), np.array([now_s]))
            away[place] = reference.leaves.distance_m(subject_id, fence_id, *at)[0]
    return away
