"""Why was no alert raised? "Ignored, because" is a decision too: what was known of a device at a moment, duty by duty.

Asked of a core that was given the fixes up to then: nothing is decided here, it is only read off.
"""

from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences import motion
from fences.evidence import chance_broken
from pipeline.explain.words import distance, duration, moment
from pipeline.locate import LocateCore
from schemas.times import from_epoch

Column = NDArray[np.float64]

NEAR_M = 2000.0
"""Closed zones farther away than this are not spoken of."""

OLD_S = 60.0
"""From this age on it is said how old the last position was."""

Verdict = Literal["kept", "uncertain", "broken", "waiting", "no_duty"]


class DutyThen(msgspec.Struct, frozen=True, kw_only=True):
    """A fence and what was made of it. `distance_m`: to its boundary, negative inside; `chance`: that it is broken."""

    fence_id: str
    fence_version: int
    rule: str
    verdict: Verdict
    reason: str
    distance_m: float
    chance: float


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `ignored`: how many fixes up to then were set aside, by reason; `duties`: nearest first."""

    device_id: str
    at: str
    reason: str
    activation_id: str = ""
    last_fix_at: str = ""
    ignored: dict[str, int] = {}
    duties: tuple[DutyThen, ...] = ()


def why(core: LocateCore, device_id: str, at_s: float, zone: ZoneInfo) -> Why:
    """Why `device_id` raised nothing at `at_s`, for a `core` that was given the fixes up to then; times in `zone`."""
    known = core.reference.activations
    slot = known.at(device_id, at_s)
    ignored = {reason: count for reason, count in core.ignored.items() if count}
    answer = Why(device_id=device_id, at=str(from_epoch(at_s)), reason="", ignored=ignored)
    if slot < 0:
        reason = "nobody wears this device then" if slot == -1 else "no activation and no fix names this device"
        return msgspec.structs.replace(answer, reason=reason)
    answer = msgspec.structs.replace(answer, activation_id=known.ids[slot])
    judgement = core.judgement
    row = judgement.activation.index(slot) if slot in judgement.activation else -1
    if row < 0 or not judgement.tracker.rows["count"][row]:
        return msgspec.structs.replace(answer, reason="no position of it had been judged by then")
    last_s = float(judgement.tracker.rows["t"][row])
    duties = _Asked(core, row, slot, at_s, zone).duties()
    broken = sorted({duty.fence_id for duty in duties if duty.verdict == "broken"})
    reason = f"an alert was raised for {', '.join(broken)}" if broken else "no duty that held was broken for certain"
    if at_s - last_s > OLD_S:
        reason += f"; its last position was {duration(at_s - last_s, 'en')} old"
    return msgspec.structs.replace(answer, reason=reason, last_fix_at=str(from_epoch(last_s)), duties=duties)


class _Asked:
    """One question to a core about one row."""

    def __init__(self, core: LocateCore, row: int, slot: int, at_s: float, zone: ZoneInfo) -> None:
        self._judgement, self._reference = core.judgement, core.reference
        self._row, self._slot, self._at_s, self._zone = row, slot, at_s, zone
        state = core.judgement.tracker.rows[row]
        used = int(state["used"])
        hypotheses = state["hyp"][:used].astype(np.float64)
        self._lat: Column = state["lat0"] + hypotheses[:, motion.PY] / state["north_m"]
        self._lon: Column = state["lon0"] + hypotheses[:, motion.PX] / state["east_m"]
        self._sigma_m: Column = np.sqrt(hypotheses[:, motion.PPP])
        self._weight: Column = state["w"][:used].astype(np.float64)
        self._best = int(self._weight.argmax())

    def duties(self) -> tuple[DutyThen, ...]:
        """What was made of each duty in force then, nearest boundary first."""
        reference, best = self._reference, slice(self._best, self._best + 1)
        agency = np.array([reference.activations.agency[self._slot]], np.int64)
        zones = reference.zones_near(agency, self._lat[best], self._lon[best], np.array([NEAR_M]))[1].tolist()
        found = []
        for duty in dict.fromkeys(reference.fixed_duties(self._slot) + zones):
            t_from, t_until = reference.span(duty)
            if t_from <= self._at_s < t_until:
                found.append(self._duty(duty))
        return tuple(sorted(found, key=lambda one: (abs(one.distance_m), one.fence_id)))

    def _duty(self, duty: int) -> DutyThen:
        properties = self._reference.fence(duty).properties
        count = len(self._lat)
        depth = self._reference.depth_m(self._lat, self._lon, np.full(count, duty))
        stay_in = properties.rule == "stay_in"
        away = float(depth[self._best]) * (1.0 if stay_in else -1.0)
        eased = depth
        subject_id = self._judgement.duties.subject(self._slot)
        if stay_in and subject_id in self._reference.leaves:
            times = np.full(count, self._at_s)
            allowed = self._reference.leaves.distance_m(subject_id, properties.fence_id, self._lat, self._lon, times)
            eased = np.minimum(depth, allowed)
        owner = np.zeros(count, np.int64)
        rule = self._judgement.rule
        chance = float(chance_broken(eased, self._sigma_m, self._weight, owner, 1, rule.tolerance_m)[0])
        verdict, reason = self._verdict(duty, chance, leave=bool((eased < depth).any()))
        side = "inside" if away <= 0 else "outside"
        return DutyThen(
            fence_id=properties.fence_id,
            fence_version=properties.version,
            rule=properties.rule,
            verdict=verdict,
            reason=f"{distance(away, 'en')} {side}; {reason}",
            distance_m=round(away, 1),
            chance=round(chance, 4),
        )

    def _verdict(self, duty: int, chance: float, leave: bool) -> tuple[Verdict, str]:
        rule = self._judgement.rule
        if not self._judgement.duties.holds(self._slot, duty, self._at_s):
            return "no_duty", self._no_duty(duty)
        concern = self._judgement.concerns.get(self._row, {}).get(duty)
        if concern is not None and concern.breach is not None:
            since = moment(from_epoch(concern.breach.occurred_s), self._zone, "en")
            return "broken", f"an alert stands since {since}"
        if chance <= rule.close_at:
            return "kept", "leave allows the place" if leave else f"the chance that it is broken is {chance:.3f}"
        opens_at = self._judgement.opens_at(self._row, self._at_s)
        if chance < opens_at:
            return "uncertain", f"the chance that it is broken is {chance:.3f}, an alert needs {opens_at:.3f}"
        confirm = self._reference.fence(duty).properties.confirm
        if confirm is not None and concern is not None:
            needed = f"{confirm.fixes} fixes over {confirm.span_s:g} s"
            so_far = f"the chance that it is broken is {chance:.3f}, after {concern.over} fixes"
            return "waiting", f"{so_far}; the fence asks for {needed}"
        return "waiting", f"the chance that it is broken is {chance:.3f}, the next position settles it"

    def _no_duty(self, duty: int) -> str:
        schedule = self._reference.schedule(duty)
        if schedule is not None and not schedule.active(self._at_s):
            edge = schedule.next_edge(self._at_s)
            begins = "" if edge is None else f"; it begins at {moment(from_epoch(edge.at_s), self._zone, 'en')}"
            return f"the duty does not hold at this hour{begins}"
        return "leave allows any place"
