"""When does a duty hold, and what becomes of a broken one at its edges?

A `Concern` is what is remembered of one activation and one duty while it looks broken, is, or just was; there is none
for a duty that is plainly kept. A breach stands while the verdict says *broken* and the duty holds:

| verdict | the duty | breach |
| --- | --- | --- |
| becomes broken | holds | opens, at the crossing, or at the edge since which it holds if that came later |
| is broken | begins to hold (hours, a leave ends) | opens, at that edge, by timer, unless the last fix is too old |
| is broken | ends (hours, leave, fence withdrawn or changed, activation over) | closes, at that edge, for that reason |
| becomes kept | | closes, at the crossing back |
"""

from typing import NamedTuple

import msgspec

from pipeline.leave import Permit
from pipeline.reference import Reference

STALE_S = 1800.0
"""A place known for longer than this is not enough to open a breach at an edge: then silence is the matter."""

NEVER = float("inf")


class Breach(msgspec.Struct):
    """An open breach, as far as its closing needs it."""

    breach_id: str
    occurred_s: float
    detected_s: float
    deepest_m: float
    late: bool = False


class Concern(msgspec.Struct):
    """See above. `seen_s`: until when edges have been judged; `course`: the last (fix time, chance)."""

    duty: int
    seen_s: float
    broken: bool = False
    crossed_s: float = 0.0
    over: int = 0  # fixes in a row that speak for broken
    over_since_s: float = 0.0
    entered_s: float = 0.0  # when the boundary was crossed, as far as could be seen when it first looked so; 0: never
    chance: float = 0.0
    fix_s: float = 0.0
    breach: Breach | None = None
    course: list[tuple[float, float]] = []


class Edge(NamedTuple):
    """At `at_s` a duty begins to hold, or ends for `reason`; `over`: for good."""

    at_s: float
    holds: bool
    reason: str
    over: bool = False


class Duties:
    """When duties hold, from the reference."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def holds(self, activation: int, duty: int, t: float) -> bool:
        """Whether the activation has the duty at `t`, leave to be anywhere considered."""
        reference = self.reference
        t_from, t_until = reference.span(duty)
        known = reference.activations
        if not (t_from <= t < t_until and known.t_from[activation] <= t < known.t_until[activation]):
            return False
        schedule = reference.schedule(duty)
        if schedule is not None and not schedule.active(t):
            return False
        return self._anywhere(activation, duty, t) is None

    def lost(self, activation: int, duty: int, t: float) -> tuple[float, str] | None:
        """Since when, and for what reason, the duty does not hold at `t`; None: it holds."""
        if self.holds(activation, duty, t):
            return None
        until_s, over_s = self.reference.span(duty)[1], float(self.reference.activations.t_until[activation])
        permit = self._anywhere(activation, duty, t)
        if until_s <= t:
            return until_s, "fence"
        if over_s <= t:
            return over_s, "activation"
        return (t, "schedule") if permit is None else (permit.t_from, "leave")

    def _anywhere(self, activation: int, duty: int, t: float) -> Permit | None:
        reference = self.reference
        if not reference.leaves.edition:  # nobody has leave: sooner known than whose activation it is
            return None
        subject_id = self.subject(activation)
        if subject_id not in reference.leaves:
            return None
        properties = reference.fence(duty).properties
        if properties.rule != "stay_in":
            return None
        return reference.leaves.anywhere(subject_id, properties.fence_id, t)

    def subject(self, activation: int) -> str:
        """Whose activation it is."""
        known = self.reference.activations
        return known.subjects[known.subject[activation]]

    def next_edge(self, activation: int, duty: int, after_s: float) -> Edge | None:
        """The first edge of the duty later than `after_s`."""
        reference = self.reference
        edges: list[Edge] = []
        t_from = reference.span(duty)[0]
        if after_s < t_from:
            edges.append(Edge(t_from, True, "fence"))
        over = self.over(activation, duty)
        if after_s < over.at_s < NEVER:
            edges.append(over)
        schedule = reference.schedule(duty)
        if schedule is not None:
            turn = schedule.next_edge(after_s)
            if turn is not None:
                edges.append(Edge(turn.at_s, turn.on, "schedule"))
        subject_id = self.subject(activation)
        if subject_id in reference.leaves:
            leave = reference.leaves.next_turn(subject_id, after_s)
            if leave is not None:
                edges.append(Edge(leave.at_s, not leave.starts, "leave"))
        return min(edges, key=lambda edge: (edge.at_s, edge.holds, not edge.over), default=None)

    def over(self, activation: int, duty: int) -> Edge:
        """When the duty ends for good: its version, or the activation."""
        fence_s = self.reference.span(duty)[1]
        activation_s = float(self.reference.activations.t_until[activation])
        return Edge(min(fence_s, activation_s), False, "fence" if fence_s < activation_s else "activation", over=True)

    def held_since(self, activation: int, duty: int, crossed_s: float, t: float) -> float:
        """Since when the duty, which holds at `t`, has held, if that is later than `crossed_s`; else that."""
        since = max(crossed_s, self.reference.span(duty)[0], float(self.reference.activations.t_from[activation]))
        schedule = self.reference.schedule(duty)
        if schedule is not None:
            since = max([since] + [edge.at_s for edge in schedule.edges(since, t) if edge.on])
        subject_id = self.subject(activation)
        if subject_id in self.reference.leaves:
            fence_id = self.reference.fence(duty).properties.fence_id
            for permit in self.reference.leaves.permits(subject_id):
                if permit.t_until <= t and permit.covers(fence_id, since):
                    since = max(since, permit.t_until)
        return min(since, t)
