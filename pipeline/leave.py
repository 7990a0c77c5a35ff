"""Was the person allowed to be elsewhere? Leaves, what they open and for how long, and which breaches they undo.

An approved leave opens its `region` (absent: anywhere) from `starts_at` up to, not including, `ends_at`, for the
`stay_in` duties of its `fences` (absent: all). A `keep_out` duty is never lifted. Only the latest word counts, also for
the past: approved afterwards, a leave undoes the breaches that began while it ran. Withdrawn, it holds up to then: who
went by it was allowed to.

Distances are metres, negative inside.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences.boundary import Boundaries
from fences.shape import compile_geometry
from schemas.message import Invalid
from schemas.reference import Leave

Column = NDArray[np.float64]


class Permit(msgspec.Struct, frozen=True):
    """A leave as far as it was granted: it holds from `t_from` until before `t_until`, seconds since 1970."""

    leave: Leave
    t_from: float
    t_until: float

    def covers(self, fence_id: str, at_s: float) -> bool:
        """Whether the `stay_in` duty of `fence_id` is eased at `at_s`."""
        return self.t_from <= at_s < self.t_until and (self.leave.fences is None or fence_id in self.leave.fences)


def granted(leave: Leave, at_s: float, before: Permit | None) -> Permit | None:
    """What `leave`, said at `at_s`, leaves of the right given `before`; None: none was ever given."""
    if leave.state == "approved":
        return Permit(leave, leave.starts_at.timestamp(), leave.ends_at.timestamp())
    if before is None:
        if leave.state != "ended":
            return None
        return Permit(leave, leave.starts_at.timestamp(), leave.ends_at.timestamp())
    return Permit(before.leave, before.t_from, min(before.t_until, at_s)) if at_s > before.t_from else None


class Turn(NamedTuple):
    """A leave starts or ends at `at_s`."""

    at_s: float
    starts: bool
    permit: Permit


class LeaveBook:
    """All leaves that were granted, by person. `edition` grows with each change."""

    def __init__(self) -> None:
        self._permits: dict[str, Permit] = {}
        self._of: dict[str, set[str]] = {}
        self._area = Boundaries()
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self.edition = 0

    def learn(self, leave: Leave, at_s: float) -> None:
        """Take in what was said of a leave at `at_s`.

        Raises:
            Invalid: a region that has no shape, or an end that is not after the start. What was known stays.
        """
        check(leave)
        before = self._permits.get(leave.leave_id)
        permit = granted(leave, at_s, before)
        if permit == before:
            return
        self.edition += 1
        if before is not None:
            self._drop(before)
        if permit is not None:
            self._permits[leave.leave_id] = permit
            self._of.setdefault(permit.leave.subject_id, set()).add(leave.leave_id)
            if permit.leave.region is not None:
                slot = self._free.pop() if self._free else len(self._slots)
                self._slots[leave.leave_id] = slot
                self._area.put(slot, compile_geometry(permit.leave.region, permit.leave.region_datum, field="$.region"))

    def _drop(self, permit: Permit) -> None:
        leave_id = permit.leave.leave_id
        del self._permits[leave_id]
        self._of[permit.leave.subject_id].discard(leave_id)
        slot = self._slots.pop(leave_id, None)
        if slot is not None:
            self._area.drop(slot)
            self._free.append(slot)

    def __contains__(self, subject_id: str) -> bool:
        """Whether any leave was granted to this person: the quick answer, which is mostly no."""
        return bool(self._of.get(subject_id))

    def permits(self, subject_id: str) -> list[Permit]:
        """The person's leaves, by start."""
        found = [self._permits[leave_id] for leave_id in self._of.get(subject_id, ())]
        return sorted(found, key=lambda permit: (permit.t_from, permit.leave.leave_id))

    def distance_m(self, subject_id: str, fence_id: str, lat: Column, lon: Column, times_s: Column) -> Column:
        """How far outside of where leave allowed it each place (n,) was at its time: -inf anywhere, +inf nowhere."""
        away = np.full(len(lat), np.inf)
        for permit in self.permits(subject_id):
            rows = np.flatnonzero((times_s >= permit.t_from) & (times_s < permit.t_until))
            if not len(rows) or not permit.covers(fence_id, float(times_s[rows[0]])):
                continue
            slot = self._slots.get(permit.leave.leave_id)
            if slot is None:
                away[rows] = -np.inf
            else:
                measured = self._area.signed_distance_m(lat[rows], lon[rows], np.full(len(rows), slot))
                away[rows] = np.minimum(away[rows], measured)
        return away

    def anywhere(self, subject_id: str, fence_id: str, at_s: float) -> Permit | None:
        """The leave under which it did not matter at `at_s` where the person was, if there was one."""
        for permit in self.permits(subject_id):
            if permit.leave.region is None and permit.covers(fence_id, at_s):
                return permit
        return None

    def next_turn(self, subject_id: str, after_s: float) -> Turn | None:
        """The next start or end later than `after_s` of any of the person's leaves."""
        turns = [
            turn
            for permit in self.permits(subject_id)
            for turn in (Turn(permit.t_from, True, permit), Turn(permit.t_until, False, permit))
            if turn.at_s > after_s
        ]
        return min(turns, key=lambda turn: (turn.at_s, turn.starts, turn.permit.leave.leave_id), default=None)


def check(leave: Leave) -> None:
    """Nothing if `leave` can be used.

    Raises:
        Invalid: its end is not after its start, or its region has no shape.
    """
    if leave.ends_at <= leave.starts_at:
        raise Invalid("a leave must end after it starts", "$.ends_at")
    if leave.region is not None:
        compile_geometry(leave.region, leave.region_datum, field="$.region")


class Stray(NamedTuple):
    """A breach, as its incidents told it. `places`: (lat, lon, accuracy_m) of the fixes that opened it."""

    breach_id: str
    fence_id: str
    opened_at: datetime
    places: tuple[tuple[float, float, float], ...]


def excusing(stray: Stray, permits: Iterable[Permit]) -> Permit | None:
    """The leave under which a breach of a `stay_in` duty was none: one that ran when it began, and allowed the place.

    A leave with a region excuses only where the incident says where it was, and where every fix it rests on lies in
    the region or no farther out than its accuracy.
    """
    holding = (permit for permit in permits if permit.covers(stray.fence_id, stray.opened_at.timestamp()))
    return next((permit for permit in holding if _allowed(permit.leave, stray)), None)


def _allowed(leave: Leave, stray: Stray) -> bool:
    if leave.region is None:
        return True
    if not stray.places:
        return False
    area = Boundaries()
    area.put(0, compile_geometry(leave.region, leave.region_datum, field="$.region"))
    lat, lon, accuracy_m = np.array(stray.places, np.float64).T
    return bool((area.signed_distance_m(lat, lon, np.zeros(len(lat), np.int64)) <= accuracy_m).all())
