"""What do fixes in order mean for the duties of their activations? Breaches and passages, over columns.

The tracker moves all devices on; only fixes that come near a boundary are looked at further. For these: which duties
may concern them, how deep each hypothesis lies, and from that the chance that a duty is broken. Objects begin where
the chance reaches a half, and end where the duty is plainly kept again.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences import motion
from fences.evidence import VerdictRule, chance_broken, crossing_time
from fences.tracker import MotionModel, Sightings, Tracker
from pipeline.breaches import Ground, Teller
from pipeline.duties import NEVER, STALE_S, Breach, Concern, Duties
from pipeline.passages import passages
from pipeline.reference import Reference
from pipeline.step import Emission

Column = NDArray[np.float64]
Numbers = NDArray[np.int64]

MARGIN_M, SIGMAS = 20.0, 4.5
REACH_M, REACH_S = 400.0, 45.0
GROUND = 8
"""How many fixes are evidence."""
GAP_S = 150.0
"""A longer time between two fixes is a gap: what comes from inside it later is judged by `pipeline.late`."""
ROUND = motion.RING - GROUND
"""How many fixes of a row are moved on at once, so that what was before each is still remembered."""


class Judged(NamedTuple):
    """Fixes (n,) to judge, those of a row in order of time. `settled_s`: when it was sure that none comes before;
    `place`: where each stood among those that arrived; `late`: arrived long after it was measured."""

    rows: Numbers
    t: Column
    lat: Column
    lon: Column
    accuracy_m: Column
    settled_s: Column
    place: Numbers
    late: NDArray[np.bool_]


_none = np.empty(0)
NO_FIXES = Judged(
    np.empty(0, np.int64), _none, _none, _none, _none, _none, np.empty(0, np.int64), np.empty(0, np.bool_)
)


class Told(NamedTuple):
    """An emission and the place of the fix that settled it."""

    place: int
    emission: Emission


class Pairs(NamedTuple):
    """Sightings and duties that may concern them. `of` (p,): which sighting; `chance`: that the duty is broken there;
    `depth_m`: of the likeliest hypothesis; `span` the pairs of sighting j are span[j] to span[j + 1]."""

    of: Numbers
    duty: Numbers
    chance: Column
    depth_m: Column
    span: Numbers


class Judgement:
    """The verdicts on a core's activations. `activation[row]`: which one a row is about."""

    def __init__(self, reference: Reference, model: MotionModel, rule: VerdictRule, rule_version: str) -> None:
        self.reference, self.rule, self.rule_version = reference, rule, rule_version
        self.duties = Duties(reference)
        self.teller = Teller(reference, rule_version)
        self.tracker = Tracker(model, rule.tolerance_m + MARGIN_M, SIGMAS)
        self.activation: list[int] = []
        self._stamp = np.zeros(0, np.int64)
        self.concerns: dict[int, dict[int, Concern]] = {}
        self.shown = 0
        """How many fixes came near a boundary."""
        self.grace_s = 0.0
        """How long after an edge a fix from before it may still come; timers wait that long."""

    def judge(self, fixes: Judged) -> list[Told]:
        """What follows from `fixes`."""
        return [one for part in self.rounds(fixes) for one in self.judge_round(part)]

    def rounds(self, fixes: Judged, singly: Collection[int] = ()) -> Iterator[Judged]:
        """`fixes` in parts that `judge_round` takes: at most `ROUND` of a row (one, of the rows `singly`), and none but
        its first after a gap."""
        each = np.arange(len(fixes.rows))
        self._stamp[fixes.rows] = each
        if (self._stamp[fixes.rows] == each).all():  # no row twice
            yield fixes
            return
        order = np.argsort(fixes.rows, kind="stable")
        starts = np.append(True, np.diff(fixes.rows[order]) != 0)
        breaks = starts | np.append(True, np.diff(fixes.t[order]) > GAP_S)
        since = each - np.maximum.accumulate(np.where(breaks, each, 0))
        breaks |= since % ROUND == 0
        if singly:
            breaks |= np.isin(fixes.rows[order], list(singly))
        new = np.cumsum(breaks)
        turn = np.empty_like(each)
        turn[order] = new - np.maximum.accumulate(np.where(starts, new, 0))
        by_turn = np.argsort(turn, kind="stable")
        ends = np.flatnonzero(np.diff(turn[by_turn], append=-1))
        for places in np.split(by_turn, ends[:-1] + 1):
            columns: list[Any] = [column[places] for column in fixes]
            yield Judged(*columns)

    def reserve(self, count: int) -> None:
        """Have at least `count` rows."""
        self.tracker.reserve(count)
        if len(self._stamp) < len(self.tracker.rows):
            self._stamp = np.zeros(len(self.tracker.rows), np.int64)

    def judge_round(self, fixes: Judged) -> list[Told]:
        """What follows from one of `rounds`."""
        told: list[Told] = []
        seen = self.tracker.advance(fixes.rows, fixes.t, fixes.lat, fixes.lon, fixes.accuracy_m)
        self.shown += len(seen.at)
        if not len(seen.at):
            return told
        columns: list[Any] = [column[seen.at] for column in fixes]
        of = Judged(*columns)
        pairs = self._pairs(of, seen)
        speaks = pairs.chance >= 0.5
        last_of_row = dict(zip(of.rows.tolist(), range(len(of.rows)), strict=True))
        for j in self._remarkable(of.rows, pairs, speaks):
            told += self._consider(j, of, seen, pairs, last=last_of_row[int(of.rows[j])] == j)
        told += [Told(int(of.place[j]), one) for j, one in passages(self, of, seen)]
        self._settle(of, seen, pairs, last_of_row)
        return told

    def _remarkable(self, rows: Numbers, pairs: Pairs, speaks: NDArray[np.bool_]) -> Iterator[int]:
        """The sightings at which something may change, in order: none of a row before its first."""
        stirred = np.zeros(len(rows), np.bool_)
        stirred[pairs.of[speaks]] = True
        awake = set(rows[stirred].tolist()) | self.concerns.keys()
        for j, row in enumerate(rows.tolist()):
            if row in awake and (stirred[j] or row in self.concerns):
                yield j

    # which duties, how deep

    def _pairs(self, of: Judged, seen: Sightings) -> Pairs:
        reference, m = self.reference, len(of.rows)
        best = seen.weight.argmax(axis=1)
        each = np.arange(m)
        lat, lon = seen.lat[each, best], seen.lon[each, best]
        activation = np.array([self.activation[row] for row in of.rows.tolist()], np.int64)
        agency = reference.activations.agency[activation].astype(np.int64)
        apart = np.where(seen.weight > 0, _metres(lat[:, None], lon[:, None], seen.lat, seen.lon), 0.0)
        reach = REACH_M + (apart + np.where(seen.weight > 0, SIGMAS * seen.sigma_m, 0.0)).max(axis=1)
        near, zones = reference.zones_near(agency, lat, lon, reach)
        fixed: dict[int, list[int]] = {}
        own_of: list[int] = []
        own: list[int] = []
        for n, row in enumerate(of.rows.tolist()):
            duties = fixed.get(row)
            if duties is None:
                duties = fixed[row] = list(
                    dict.fromkeys(reference.fixed_duties(int(activation[n])) + list(self.concerns.get(row, ())))
                )
            own_of += [n] * len(duties)
            own += duties
        who = np.concatenate([near, np.array(own_of, np.int64)])
        duty = np.concatenate([zones, np.array(own, np.int64)])
        # one order, each once
        width = int(duty.max(initial=0)) + 1
        both = np.unique(who * width + duty)
        who, duty = both // width, both % width
        holds = reference.in_force(duty, of.t[who])
        pair, k = np.nonzero((seen.weight[who] > 0) & (holds[:, None] | (np.arange(seen.weight.shape[1]) == 0)))
        j = who[pair]
        depth = reference.depth_m(seen.lat[j, k], seen.lon[j, k], duty[pair])
        depth = self._eased(depth, j, k, pair, duty, of, seen)
        chance = chance_broken(
            depth, seen.sigma_m[j, k], seen.weight[j, k], pair, len(who), self.rule.tolerance_m
        )  # fmt: skip
        chance[~holds] = 0.0
        likeliest = np.full(len(who), np.inf)
        main = (k == best[j]) | ~holds[pair]
        likeliest[pair[main]] = depth[main]
        # deep in a zone that is only to hold later: no boundary will be crossed, so keep looking
        likeliest[~holds & (likeliest > 0) & (reference.ends(duty) > of.t[who])] = 0.0
        return Pairs(who, duty, chance, likeliest, np.searchsorted(who, np.arange(m + 1)))

    def _eased(
        self, depth: Column, j: Numbers, k: Numbers, pair: Numbers, duty: Numbers, of: Judged, seen: Sightings
    ) -> Column:
        """Depths of duties to stay in where leave opens a region: out of both."""
        leaves, reference = self.reference.leaves, self.reference
        eased = set()
        for row in set(of.rows.tolist()):
            subject_id = self.duties.subject(self.activation[row])
            if subject_id in leaves:
                eased.add(row)
        if not eased:
            return depth
        mine = np.isin(of.rows[j], list(eased))
        for row, one in {(int(of.rows[a]), int(b)) for a, b in zip(j[mine], duty[pair[mine]], strict=True)}:
            properties = reference.fence(one).properties
            if properties.rule != "stay_in":
                continue
            those = np.flatnonzero((of.rows[j] == row) & (duty[pair] == one))
            subject_id = self.duties.subject(self.activation[row])
            a, b = j[those], k[those]
            away = leaves.distance_m(subject_id, properties.fence_id, seen.lat[a, b], seen.lon[a, b], of.t[a])
            # a leave to be anywhere eases the duty itself; here only regions do
            depth[those] = np.where(np.isneginf(away), depth[those], np.minimum(depth[those], away))
        return depth

    def _settle(self, of: Judged, seen: Sightings, pairs: Pairs, last_of_row: dict[int, int]) -> None:
        """Remember for each row seen how far the nearest boundary is, and watch those with concerns."""
        clear = np.full(len(of.rows), REACH_M)
        np.minimum.at(clear, pairs.of, np.abs(pairs.depth_m))
        best = seen.weight.argmax(axis=1)
        watched = self.tracker.rows["watched"]
        for row, j in last_of_row.items():
            watched[row] = row in self.concerns or self._on_leave(row)
            self.tracker.settle(row, float(seen.lat[j, best[j]]), float(seen.lon[j, best[j]]), float(clear[j]))

    def _on_leave(self, row: int) -> bool:
        return self.duties.subject(self.activation[row]) in self.reference.leaves

    # verdicts

    def _consider(self, j: int, of: Judged, seen: Sightings, pairs: Pairs, last: bool) -> Iterator[Told]:
        row, t = int(of.rows[j]), float(of.t[j])
        place, settled = int(of.place[j]), float(of.settled_s[j])
        concerns = self.concerns.setdefault(row, {})
        for duty in list(concerns):
            for emission in self.edges(row, concerns[duty], t, settled):
                yield Told(place, emission)
        for p in range(pairs.span[j], pairs.span[j + 1]):
            duty, chance = int(pairs.duty[p]), float(pairs.chance[p])
            concern = concerns.get(duty)
            if concern is None:
                if chance < 0.5:
                    continue
                concern = concerns[duty] = Concern(duty=duty, seen_s=t, course=[])
            for emission in self._weigh(row, concern, chance, float(pairs.depth_m[p]), j, of, seen):
                yield Told(place, emission)
            if not concern.broken and (chance <= self.rule.close_at or not self._alive(concern, t)):
                concerns.pop(duty, None)
        if not concerns:
            self.concerns.pop(row, None)

    def _alive(self, concern: Concern, t: float) -> bool:
        return self.reference.span(concern.duty)[1] > t

    def _weigh(
        self, row: int, concern: Concern, chance: float, depth: float, j: int, of: Judged, seen: Sightings
    ) -> Iterator[Emission]:
        """Take the chance at a fix into a concern."""
        t, settled = float(of.t[j]), float(of.settled_s[j])
        activation, rule = self.activation[row], self.rule
        concern.course = [*concern.course[1 - GROUND :], (t, chance)]
        concern.chance, concern.fix_s, concern.seen_s = chance, t, max(concern.seen_s, t)
        if chance < 0.5:
            concern.over = 0
        elif concern.over == 0:
            concern.over, concern.over_since_s = 1, t
            # By the time that it is sure, the fixes around the boundary may be forgotten.
            ground = self._ground(row, concern.duty, j, of, seen)
            inside = bool((ground.depth_m > 0).all())  # for as long as is remembered
            concern.entered_s = self._crossed(
                ground, float(ground.t[0]) if inside else concern.entered_s or t, back=False
            )
        else:
            concern.over += 1
        back = concern.broken and chance <= rule.close_at
        now_at: Ground | None = None
        if not concern.broken and chance >= rule.open_at and self._confirmed(concern, t):
            now_at = self._ground(row, concern.duty, j, of, seen)
            concern.broken = True
            concern.crossed_s = min(self._crossed(now_at, concern.entered_s, back=False), t)
        if concern.breach is not None:
            concern.breach.deepest_m = max(concern.breach.deepest_m, depth)
        holds = self.duties.holds(activation, concern.duty, t)
        if concern.broken and holds and concern.breach is None and not back:
            now_at = now_at or self._ground(row, concern.duty, j, of, seen)
            since = self.duties.held_since(activation, concern.duty, concern.crossed_s, t)
            yield self._open(
                activation, concern, now_at, since, settled, bool(of.late[j]), edge=since > concern.crossed_s
            )
            concern.breach.deepest_m = depth  # type: ignore[attr-defined]
        elif back:
            concern.broken = False
            if concern.breach is not None:
                now_at = self._ground(row, concern.duty, j, of, seen)
                breach, concern.breach = concern.breach, None
                breach.late = breach.late or bool(of.late[j])
                none = self._was_none(now_at, breach)
                home = self._crossed(now_at, t, back=True)
                yield self.teller.closed(
                    activation, concern, breach, now_at, home, settled, "thrown" if none else "", corrected=none
                )

    def _confirmed(self, concern: Concern, t: float) -> bool:
        confirm = self.reference.fence(concern.duty).properties.confirm
        return confirm is None or (concern.over >= confirm.fixes and t - concern.over_since_s >= confirm.span_s)

    def _open(
        self,
        activation: int,
        concern: Concern,
        ground: Ground,
        since_s: float,
        settled_s: float,
        late: bool,
        edge: bool,
    ) -> Emission:
        breach_id = self.teller.breach_id(activation, concern.duty, settled_s)
        concern.breach = Breach(breach_id, since_s, settled_s, 0.0, late)
        return self.teller.opened(activation, concern, ground, edge)

    def _ground(self, row: int, duty: int, j: int, of: Judged, seen: Sightings) -> Ground:
        """The last fixes up to sighting `j`, with what the likeliest hypothesis makes of them."""
        t, lat, lon, accuracy = self.tracker.recent(row)
        bits = int(seen.thrown[j, int(seen.weight[j].argmax())])
        upto = int(np.searchsorted(t, of.t[j], "right"))
        fixes = slice(max(upto - GROUND, 0), upto)
        t, lat, lon, accuracy = t[fixes], lat[fixes], lon[fixes], accuracy[fixes]
        depth = self.reference.depth_m(lat, lon, np.full(len(t), duty))
        thrown = np.array([bool(bits >> (len(t) - 1 - n) & 1) for n in range(len(t))], np.bool_)
        return Ground(t, lat, lon, accuracy, depth, thrown)

    def _crossed(self, ground: Ground, otherwise_s: float, back: bool) -> float:
        believed = ~ground.thrown
        if not believed.any():
            return otherwise_s
        crossed, place = crossing_time(ground.t[believed], ground.depth_m[believed], back=back)
        return crossed if place >= 0 else otherwise_s

    def _was_none(self, ground: Ground, breach: Breach) -> bool:
        """Whether all fixes that made the breach are now held for thrown."""
        if not len(ground.t) or breach.occurred_s < ground.t[0]:
            return False
        deep = ground.depth_m > self.rule.tolerance_m
        return bool(deep.any() and ground.thrown[deep].all())

    # edges

    def edges(self, row: int, concern: Concern, until_s: float, settled_s: float) -> Iterator[Emission]:
        """Judge the edges of a concern's duty up to `until_s`."""
        activation = self.activation[row]
        lost = self._lost(activation, concern)
        if lost is not None and concern.breach is not None:
            breach, concern.breach = concern.breach, None
            none = lost[1] == "fence" and lost[0] <= breach.occurred_s
            yield self.teller.closed(activation, concern, breach, None, lost[0], settled_s, lost[1], corrected=none)
        while (edge := self.duties.next_edge(activation, concern.duty, concern.seen_s)) and edge.at_s <= until_s:
            concern.seen_s = edge.at_s
            detected = max(min(settled_s, edge.at_s + self.grace_s), edge.at_s)
            holds = not edge.over and self.duties.holds(activation, concern.duty, edge.at_s)
            fresh = edge.at_s - concern.fix_s <= STALE_S
            if concern.breach is not None and not holds:
                breach, concern.breach = concern.breach, None
                none = edge.reason == "fence" and edge.at_s <= breach.occurred_s
                yield self.teller.closed(
                    activation, concern, breach, None, edge.at_s, detected, edge.reason, corrected=none
                )
            elif concern.breach is None and concern.broken and holds and fresh:
                ground = self._ground_now(row, concern.duty, edge.at_s)
                yield self._open(activation, concern, ground, edge.at_s, detected, late=False, edge=True)
            if edge.over:
                concern.broken = False

    def _lost(self, activation: int, concern: Concern) -> tuple[float, str] | None:
        """Since when and why a broken duty did not hold when last looked at: what holds was changed afterwards."""
        return None if concern.breach is None else self.duties.lost(activation, concern.duty, concern.seen_s)

    def _ground_now(self, row: int, duty: int, at_s: float) -> Ground:
        """The last fixes up to `at_s`."""
        recent = self.tracker.recent(row)
        upto = int(np.searchsorted(recent[0], at_s, "right"))
        t, lat, lon, accuracy = (column[max(upto - GROUND, 0) : upto] for column in recent)
        depth = self.reference.depth_m(lat, lon, np.full(len(t), duty))
        return Ground(t, lat, lon, accuracy, depth, np.zeros(len(t), np.bool_))

    def next_edge_s(self, row: int) -> float:
        """When the next edge of a broken duty of `row` is, seconds since 1970; inf: none."""
        activation, first = self.activation[row], NEVER
        for concern in self.concerns.get(row, {}).values():
            if self._lost(activation, concern) is not None:
                return concern.seen_s
            if concern.broken or concern.breach is not None:
                edge = self.duties.next_edge(activation, concern.duty, concern.seen_s)
                if edge is not None:
                    first = min(first, edge.at_s)
        return first


def _metres(lat0: Column, lon0: Column, lat1: Column, lon1: Column) -> Column:
    """Roughly how far places are apart."""
    east = ((lon1 - lon0 + 180.0) % 360.0 - 180.0) * np.cos(np.radians(lat0))
    return np.asarray(111_500.0 * np.hypot(lat1 - lat0, east))
