"""What do fixes in order mean for the duties of their activations? Breaches and passages, over columns.

The tracker moves all devices on; only fixes that come near a boundary are looked at further. For these: which duties
may concern them, how deep each hypothesis lies, and from that the chance that a duty is broken. Objects begin where
the chance reaches a half, and end where the duty is plainly kept again.
"""

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences import motion
from fences.evidence import VerdictRule, crossing_time
from fences.room import lengthen
from fences.tracker import MotionModel, Sightings, Tracker
from pipeline.breaches import Ground, Teller
from pipeline.duties import NEVER, STALE_S, Breach, Concern, Duties
from pipeline.edits import Edits
from pipeline.nearby import Depths, Kept, Nearby, Pairs, metres
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


class Judgement:
    """The verdicts on a core's activations. `activation[row]`: which one a row is about."""

    def __init__(self, reference: Reference, model: MotionModel, rule: VerdictRule, rule_version: str) -> None:
        self.reference, self.rule, self.rule_version = reference, rule, rule_version
        self.duties = Duties(reference)
        self.teller = Teller(reference, rule_version)
        self.tracker = Tracker(model, rule.tolerance_m + MARGIN_M, SIGMAS)
        self.activation = array("q")
        self.nearby = Nearby(reference)
        self._edits = Edits(reference)
        self._calm: dict[int, float] = {}  # until when no edge of a row's concerns comes, as known at `_calm_as_of`
        self._calm_as_of = 0
        self._stamp = np.zeros(0, np.int32)
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
            lengthen(self, "_stamp", len(self.tracker.rows))
            self.nearby.reserve(len(self.tracker.rows))

    def slots(self, rows: Numbers) -> Numbers:
        """The activations of `rows`, by slot."""
        return np.asarray(np.frombuffer(self.activation, np.int64)[rows])

    def renew(self, row: int) -> None:
        """Remember nothing of `row` that could be known anew: its state was replaced."""
        self.nearby.forget(row)
        self._calm.pop(row, None)

    def catch_up(self) -> None:
        """Look anew at those whom an edit of the reference may concern."""
        self._edits.catch_up(self.tracker.rows, self.activation, self.nearby)

    def judge_round(self, fixes: Judged) -> list[Told]:
        """What follows from one of `rounds`."""
        told: list[Told] = []
        self.catch_up()
        seen = self.tracker.advance(fixes.rows, fixes.t, fixes.lat, fixes.lon, fixes.accuracy_m)
        self.shown += len(seen.at)
        if not len(seen.at):
            return told
        columns: list[Any] = [column[seen.at] for column in fixes]
        of = Judged(*columns)
        best = seen.weight.argmax(axis=1)
        self._stamp[of.rows] = np.arange(len(of.rows))
        last = self._stamp[of.rows] == np.arange(len(of.rows))
        pairs = self._pairs(of, seen, best, last)
        stirred = np.zeros(len(of.rows), np.bool_)
        stirred[pairs.of[pairs.chance >= 0.5]] = True
        for j in self._remarkable(of.rows, stirred):
            told += self._consider(j, of, seen, pairs, last=bool(last[j]))
        told += [Told(int(of.place[j]), one) for j, one in passages(self, of, seen, best, pairs.clear_m)]
        self._settle(of, seen, best, pairs, last)
        return told

    def _remarkable(self, rows: Numbers, stirred: NDArray[np.bool_]) -> Iterator[int]:
        """The sightings at which something may change, in order: none of a row before its first."""
        watched = self.tracker.rows["watched"]
        awake = watched[rows] != 0  # all with concerns, and some more
        awake[stirred] = True
        if not awake.all() and stirred.any():
            awake |= np.isin(rows, rows[stirred])
        each = np.flatnonzero(awake)
        for j, row, now in zip(each.tolist(), rows[each].tolist(), stirred[each].tolist(), strict=True):
            if now or row in self.concerns:
                yield j

    # which duties, how deep

    def _pairs(self, of: Judged, seen: Sightings, best: Numbers, last: NDArray[np.bool_]) -> Pairs:
        each = np.arange(len(of.rows))
        lat, lon = seen.lat[each, best], seen.lon[each, best]
        known = self.reference.activations
        agency = known.agency[self.slots(of.rows)].astype(np.int64)
        apart = np.where(seen.weight > 0, metres(lat[:, None], lon[:, None], seen.lat, seen.lon), 0.0)
        spread = (apart + np.where(seen.weight > 0, SIGMAS * seen.sigma_m, 0.0)).max(axis=1)
        within = self.nearby.look_up(of.rows, agency, lat, lon, spread + MARGIN_M, REACH_M, self._always)
        pairs = self.nearby.pairs(
            of.rows,
            of.t,
            seen,
            best,
            REACH_M + spread,
            self._kept(of.rows, last),
            self.rule.tolerance_m,
            self._eased_by(of, seen),
        )
        np.minimum(pairs.clear_m, np.minimum(within, REACH_M), out=pairs.clear_m)
        return pairs

    def _kept(self, rows: Numbers, last: NDArray[np.bool_]) -> Kept:
        """The duties of concerns, and all of rows seen more than once: what concerns them at first stays so."""
        whole = np.isin(rows, rows[~last]) if not last.all() else ~last
        sizes, duties = np.zeros(len(rows) + 1, np.int64), list[int]()
        watched = np.flatnonzero(self.tracker.rows["watched"][rows])
        for j, row in zip(watched.tolist(), rows[watched].tolist(), strict=True):
            mine = self.concerns.get(row)
            if mine:
                duties += mine
                sizes[j + 1] = len(mine)
        return Kept(whole, np.cumsum(sizes), np.array(duties, np.int64))

    def _always(self, row: int) -> list[int]:
        """The duties of a row wherever it is, and those that it gives reason to look at."""
        return self.reference.fixed_duties(self.activation[row]) + list(self.concerns.get(row, ()))

    def _eased_by(self, of: Judged, seen: Sightings) -> Any:
        """What eases depths of duties to stay in where leave opens a region: out of both. None: nobody is on leave."""
        on_leave = self._edits.on_leave(self.slots(of.rows))
        if not on_leave.any():
            return None

        def eased(found: Depths, of_pair: Numbers, duty: Numbers) -> Column:
            j, depth = of_pair[found.pair], found.depth_m
            mine = np.flatnonzero(on_leave[j])
            rows, duties = of.rows[j], duty[found.pair]
            for row, one in dict.fromkeys(zip(rows[mine].tolist(), duties[mine].tolist(), strict=True)):
                properties = self.reference.fence(one).properties
                if properties.rule != "stay_in":
                    continue
                those = mine[(rows[mine] == row) & (duties[mine] == one)]
                subject_id = self.duties.subject(self.activation[row])
                a, b = j[those], found.k[those]
                away = self.reference.leaves.distance_m(
                    subject_id, properties.fence_id, seen.lat[a, b], seen.lon[a, b], of.t[a]
                )
                # a leave to be anywhere eases the duty itself; here only regions do
                depth[those] = np.where(np.isneginf(away), depth[those], np.minimum(depth[those], away))
            return depth

        return eased

    def _settle(self, of: Judged, seen: Sightings, best: Numbers, pairs: Pairs, last: NDArray[np.bool_]) -> None:
        """Remember for each row seen how far the nearest boundary is, and watch those with concerns."""
        at = np.flatnonzero(last)
        rows = of.rows[at]
        watched = self._edits.on_leave(self.slots(rows))
        if self.concerns:
            concerns = self.concerns
            watched |= np.fromiter((row in concerns for row in rows.tolist()), np.bool_, len(rows))
        self.tracker.rows["watched"][rows] = watched
        self.tracker.settle_all(rows, seen.lat[at, best[at]], seen.lon[at, best[at]], pairs.clear_m[at])

    # verdicts

    def _consider(self, j: int, of: Judged, seen: Sightings, pairs: Pairs, last: bool) -> Iterator[Told]:
        row, t = int(of.rows[j]), float(of.t[j])
        place, settled = int(of.place[j]), float(of.settled_s[j])
        concerns = self.concerns.setdefault(row, {})
        if concerns and not self._is_calm(row, concerns, t):
            for duty in list(concerns):
                for emission in self.edges(row, concerns[duty], t, settled):
                    yield Told(place, emission)
            self._calm.pop(row, None)
        begin, end = int(pairs.span[j]), int(pairs.span[j + 1])
        duties, chances = pairs.duty[begin:end].tolist(), pairs.chance[begin:end].tolist()
        for p, (duty, chance) in enumerate(zip(duties, chances, strict=True), begin):
            concern = concerns.get(duty)
            if concern is None:
                if chance < 0.5:
                    continue
                concern = concerns[duty] = Concern(duty=duty, seen_s=t, course=[])
                self._calm.pop(row, None)
            for emission in self._weigh(row, concern, chance, float(pairs.depth_m[p]), j, of, seen):
                yield Told(place, emission)
            if not concern.broken and (chance <= self.rule.close_at or not self._alive(concern, t)):
                concerns.pop(duty, None)
        if not concerns:
            self.concerns.pop(row, None)
            self._calm.pop(row, None)

    def _is_calm(self, row: int, concerns: dict[int, Concern], t: float) -> bool:
        """Whether judging the edges of the row's concerns up to `t` would say nothing."""
        if self._calm_as_of != len(self.reference.edits):
            self._calm.clear()
            self._calm_as_of = len(self.reference.edits)
        until = self._calm.get(row)
        if until is None:
            until = self._calm[row] = self._calm_until(row, concerns)
        return t < until

    def _calm_until(self, row: int, concerns: dict[int, Concern]) -> float:
        activation, first = self.activation[row], NEVER
        for concern in concerns.values():
            if self._lost(activation, concern) is not None:
                return -NEVER
            edge = self.duties.next_edge(activation, concern.duty, concern.seen_s)
            if edge is not None:
                first = min(first, edge.at_s)
        return first

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
        is_sure = chance >= 0.5 and concern.breach is None and chance >= self.opens_at(row, t)
        if not concern.broken and is_sure and self._confirmed(concern, t):
            now_at = self._ground(row, concern.duty, j, of, seen)
            concern.broken = True
            concern.crossed_s = min(self._crossed(now_at, concern.entered_s, back=False), t)
        if concern.breach is not None:
            concern.breach.deepest_m = max(concern.breach.deepest_m, depth)
        if concern.broken and is_sure and self.duties.holds(activation, concern.duty, t):
            now_at = now_at or self._ground(row, concern.duty, j, of, seen)
            since = self.duties.held_since(activation, concern.duty, concern.crossed_s, t)
            yield self._open(
                activation, concern, now_at, since, settled, bool(of.late[j]), edge=since > concern.crossed_s
            )
            concern.breach.deepest_m = depth  # type: ignore[union-attr]
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

    def opens_at(self, row: int, t: float) -> float:
        """From which chance on a breach of the row opens, by how often it has reported up to `t`."""
        times = self.tracker.times(row)
        times = times[: bisect_right(times, t)][-GROUND:]
        return self.rule.opens_at(median([b - a for a, b in pairwise(times)]) if len(times) > 1 else 0.0)

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
        depth = self.reference.depths_m(lat, lon, duty)
        thrown = (bits >> np.arange(len(t) - 1, -1, -1) & 1).astype(np.bool_)
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
            elif (
                concern.breach is None
                and concern.broken
                and holds
                and fresh
                and concern.chance >= self.opens_at(row, concern.fix_s)
            ):
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
        depth = self.reference.depths_m(lat, lon, duty)
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
