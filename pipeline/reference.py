"""What is known before a fix is judged: fences, activations, subjects, leaves, outages, from compacted topics.

Two atlases: of fences for the subjects they name (`own`), found by subject, and of fences for all under an agency
(`wide`), found by place. A duty is named by a number: 2 x slot in `own`, or 2 x slot + 1 in `wide`.

An open world (`Reference(open_world=True)`, for a file of fixes without subjects) takes each unknown device for its
own subject, active throughout; agencies do not matter, and a fence that names subjects concerns those devices, or any
device that no fence names.
"""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fences.atlas import STAY_IN, Atlas
from fences.schedule import CompiledSchedule, compile_schedule
from pipeline.activations import Activations
from pipeline.editlog import EditLog
from pipeline.leave import LeaveBook
from pipeline.outage import Outages
from pipeline.roster import Roster
from schemas.message import Invalid, decode
from schemas.outage import Outage
from schemas.reference import Activation, Fence, Leave, Subject
from schemas.times import from_epoch

Column = NDArray[np.float64]
Duties = NDArray[np.int64]
WIDE = 1


class Reference:
    """Knowledge shared by the cores of a worker. `edits` names what changed, in order: ("fence", duty) or
    ("activation", slot) or ("leaves", 0); whoever remembers anything catches up from where it was."""

    def __init__(self, *, open_world: bool = False) -> None:
        self.open_world = open_world
        self.own, self.wide = Atlas(), Atlas()
        self.activations = Activations()
        self.leaves = LeaveBook()
        self.outages = Outages()
        self.edits = EditLog()
        self._own_of = Roster()
        self._stay_of: dict[str, list[int]] = {}  # agency: duties to stay in
        self._schedules: dict[int, CompiledSchedule] = {}
        self._wide_agency = np.zeros(16, np.int32)
        self.has_zones = False
        """Whether there ever was a fence to keep out of."""

    def learn(self, topic: str, key: bytes, value: bytes | None, at: datetime) -> Invalid | None:
        """Take in a reference record, written at `at` (None: its key is withdrawn); what is wrong with it, if any."""
        try:
            if topic == "fences":
                self._learn_fence(key, value, at)
            elif topic == "activations":
                self._learn_activation(key, value, at)
            elif topic == "subjects":
                self._learn_subject(key, value)
            elif topic == "leaves":
                self._learn_leave(key, value, at)
            elif topic == "outages":
                self._learn_outage(value)
            else:
                return Invalid(f"{topic} is no reference topic")
        except (Invalid, UnicodeDecodeError) as why:
            return why if isinstance(why, Invalid) else Invalid("the record's key is not UTF-8")
        return None

    # fences

    def put_fence(self, fence: Fence, at: float = -np.inf) -> int:
        """Let `fence` hold from its `effective_from`, else from `at` (seconds since 1970); returns its duty.

        Raises:
            Invalid: it draws no fence, or its schedule cannot be read; nothing is changed.
        """
        properties = fence.properties
        schedule = None if properties.schedule is None else compile_schedule(properties.schedule)
        wide = properties.subjects is None
        atlas, other = (self.wide, self.own) if wide else (self.own, self.wide)
        edition, other_edition = atlas.edition, other.edition
        slot = atlas.put(fence, at)
        duty = 2 * slot + wide
        if atlas.edition == edition:
            return duty  # as it was
        other.remove(properties.fence_id, float(atlas.t_from[slot]))
        if schedule is not None:
            self._schedules[duty] = schedule
        self.has_zones |= properties.rule == "keep_out"
        if wide:
            if slot >= len(self._wide_agency):
                self._wide_agency = np.concatenate([self._wide_agency, np.zeros(slot + 1, np.int32)])
            self._wide_agency[slot] = self.activations.agencies.number(properties.agency)
            if properties.rule == "stay_in":
                self._stay_of.setdefault("" if self.open_world else properties.agency, []).append(duty)
        for subject_id in dict.fromkeys(properties.subjects or ()):
            self._own_of.add(self.activations.subjects.number(subject_id), duty)
        self.edits.extend(("fence", 2 * one + wide) for one in atlas.edited_since(edition))
        self.edits.extend(("fence", 2 * one + (not wide)) for one in other.edited_since(other_edition))
        return duty

    def _learn_fence(self, key: bytes, value: bytes | None, at: datetime) -> None:
        if value is None:
            for kind, atlas in ((0, self.own), (WIDE, self.wide)):
                ended = atlas.remove(key.decode(), at.timestamp())
                self.edits.extend(("fence", 2 * slot + kind) for slot in ended)
            return
        fence = decode(value, Fence)
        if key and key.decode() != fence.properties.fence_id:
            raise Invalid(f"the record's key is {key.decode()!r}; it must be the fence_id", "$.properties.fence_id")
        self.put_fence(fence, at.timestamp())

    def fence(self, duty: int) -> Fence:
        """The fence of `duty`."""
        fence = self.atlas(duty).fences[duty >> 1]
        assert fence is not None  # noqa: S101  # duties in use are not forgotten
        return fence

    def atlas(self, duty: int) -> Atlas:
        """The atlas that holds `duty`."""
        return self.wide if duty & WIDE else self.own

    def span(self, duty: int) -> tuple[float, float]:
        """From when until before when the version behind `duty` holds, seconds since 1970."""
        atlas, slot = self.atlas(duty), duty >> 1
        return float(atlas.t_from[slot]), float(atlas.t_until[slot])

    def schedule(self, duty: int) -> CompiledSchedule | None:
        """When `duty` holds, None: always."""
        return self._schedules.get(duty)

    def fixed_duties(self, activation: int) -> list[int]:
        """The duties that concern an activation wherever it is: fences that name its subject, and those of its agency
        to stay in. Every version, whatever its time."""
        known = self.activations
        own = self._own_of.of(int(known.subject[activation]))
        if self.open_world:
            return (own or self._own_of.all()) + self._stay_of.get("", [])
        return own + self._stay_of.get(known.agencies[known.agency[activation]], []) if self._stay_of else own

    def zones_near(self, agency: Duties, lat: Column, lon: Column, reach_m: Column) -> tuple[Duties, Duties]:
        """All pairs of a place (row number) and a duty to keep out of, of the agency (number, one each), that may be
        within `reach_m`."""
        rows, slots = self.wide.candidates(lat, lon, reach_m)
        return self._zones_of(agency, rows, slots)

    def zones_between(
        self, agency: Duties, lat0: Column, lon0: Column, lat1: Column, lon1: Column
    ) -> tuple[Duties, Duties]:
        """As `zones_near`, for the straight ways between pairs of places."""
        rows, slots = self.wide.candidates_between(lat0, lon0, lat1, lon1)
        return self._zones_of(agency, rows, slots)

    def _zones_of(self, agency: Duties, rows: Any, slots: Duties) -> tuple[Duties, Duties]:
        mine = self.wide.rule[slots] != STAY_IN
        if not self.open_world:
            mine &= self._wide_agency[slots] == agency[rows]
        return rows[mine], 2 * slots[mine] + WIDE

    def depth_m(self, lat: Column, lon: Column, duties: Duties) -> Column:
        """How deep each place is on the forbidden side of the boundary of its duty, metres; below 0: on the allowed."""
        depth = np.empty(len(duties))
        wide = (duties & WIDE).astype(np.bool_)
        for atlas, those in ((self.own, ~wide), (self.wide, wide)):
            if those.any():
                slots = duties[those] >> 1
                away = atlas.signed_distance_m(lat[those], lon[those], slots)
                depth[those] = np.where(atlas.rule[slots] == STAY_IN, away, -away)
        return depth

    def depths_m(self, lat: Column, lon: Column, duty: int) -> Column:
        """`depth_m` of places (n,) for one duty."""
        atlas, slot = self.atlas(duty), duty >> 1
        away = atlas.signed_distance_m(lat, lon, np.full(len(lat), slot))
        return away if atlas.rule[slot] == STAY_IN else -away

    def in_force(self, duties: Duties, t: Column) -> NDArray[np.bool_]:
        """Which of the duties' versions hold at their times `t`."""
        holds = np.empty(len(duties), np.bool_)
        wide = (duties & WIDE).astype(np.bool_)
        for atlas, those in ((self.own, ~wide), (self.wide, wide)):
            if those.any():
                holds[those] = atlas.in_force(duties[those] >> 1, t[those])
        return holds

    def ends(self, duties: Duties) -> Column:
        """Before when each of the duties' versions holds, seconds since 1970."""
        slots, wide = duties >> 1, (duties & WIDE).astype(np.bool_)
        own = self.own.t_until[np.where(wide, 0, slots)]
        return np.where(wide, self.wide.t_until[np.where(wide, slots, 0)], own)

    # people

    def _learn_activation(self, key: bytes, value: bytes | None, at: datetime) -> None:
        if value is None:
            slot = self.activations.end(key.decode(), at)
        else:
            activation = decode(value, Activation)
            if key and key.decode() != activation.activation_id:
                raise Invalid(f"the record's key is {key.decode()!r}; it must be the activation_id", "$.activation_id")
            slot = self.activations.learn(activation)
        if slot >= 0:
            self.edits.append(("activation", slot))

    def _learn_subject(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            decode(value, Subject)  # checked, not kept: where somebody is does not depend on it

    def _learn_leave(self, key: bytes, value: bytes | None, at: datetime) -> None:
        if value is None:
            return  # what was granted stays known until it is over
        edition = self.leaves.edition
        self.leaves.learn(decode(value, Leave), at.timestamp())
        if self.leaves.edition != edition:
            self.edits.append(("leaves", 0))

    def _learn_outage(self, value: bytes | None) -> None:
        if value is not None:
            self.outages.learn(decode(value, Outage))

    def introduce(self, device_id: str) -> int:
        """The activation of an unknown device in an open world: its own subject, throughout."""
        activation = Activation(
            activation_id=device_id,
            device_id=device_id,
            subject_id=device_id,
            order_id="none",
            agency="default",
            starts_at=from_epoch(-62135596800),
        )
        return self.activations.learn(activation)
