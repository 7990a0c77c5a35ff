"""Which fences are there, when did each version hold, and how far is a place from them? The live collection.

Every version of a fence that is put in gets a slot, a number under which columns hold its shape, rule and times. A fix
is judged by the version in force at its own time, so superseded versions stay until `forget_before`. The index proposes
slots near places, `signed_distance_m` disposes. Nothing here knows whom a fence is for, or who was where.

Versions follow one another in the order they are put in (the order of the log, each record once): each holds from its
own time on and overrides whatever was to hold then. So what a compacted log still holds gives the same latest state.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fences.boundary import Boundaries
from fences.crossing import passages
from fences.index import BoxIndex, around
from fences.nearest import Outlines
from fences.shape import Shape, compile_shape
from fences.survey import compile_shapes
from schemas.message import Invalid, encode
from schemas.reference import Fence

Column = NDArray[np.float64]
Slots = NDArray[np.int64]
Rows = NDArray[np.intp]

STAY_IN, KEEP_OUT = 0, 1
_RULES: dict[Literal["stay_in", "keep_out"], int] = {"stay_in": STAY_IN, "keep_out": KEEP_OUT}


class Atlas:
    """Fences by slot. Columns to read (never write): `fences[slot]` (without its coordinates, which take ten times
    the room of the shape, and without the names of its subjects), `shapes[slot]` (both None when forgotten), `rule`
    (`STAY_IN` or `KEEP_OUT`), `t_from` and `t_until` (seconds since 1970; in force from, until before).

    `edition` grows with every edit; `edited_since` names the slots, so that whoever remembers candidates can catch up.
    """

    def __init__(self) -> None:
        self.fences: list[Fence | None] = []
        self.shapes: list[Shape | None] = []
        self.rule = np.zeros(16, np.int8)
        self.t_from = np.full(16, np.inf)
        self.t_until = np.full(16, -np.inf)
        self._told: list[bytes] = []  # digest of the whole fence, to know it again
        self._slots_of: dict[str, list[int]] = {}
        self._free: list[int] = []
        self._index = BoxIndex()
        self._boundaries = Boundaries()
        self._edits: list[int] = []

    def __len__(self) -> int:
        """How many versions are held."""
        return len(self.fences) - len(self._free)

    @property
    def edition(self) -> int:
        """How many edits there have been."""
        return len(self._edits)

    def edited_since(self, edition: int) -> list[int]:
        """The slots that were put in, ended or forgotten since `edition`, in order; one may come twice."""
        return self._edits[edition:]

    def put(self, fence: Fence, at: float = -np.inf) -> int:
        """Let `fence` hold from its `effective_from`, else from `at` (seconds since 1970); returns its slot.

        What was to hold from then on under the same `fence_id` is superseded. The same version again, unchanged and
        in force, changes nothing.

        Raises:
            Invalid: the geometry draws no fence; nothing is changed.
        """
        return self._put(fence, at, None)

    def put_many(self, fences: Sequence[tuple[Fence, float]]) -> list[int | Invalid]:
        """As `put` for each pair of a fence and its `at` in order, much quicker; returns slots, or why not."""
        slots: list[int | Invalid] = []
        for (fence, at), shape in zip(fences, compile_shapes([fence for fence, _ in fences]), strict=True):
            slots.append(shape if isinstance(shape, Invalid) else self._put(fence, at, shape))
        return slots

    def _put(self, fence: Fence, at: float, shape: Shape | None) -> int:
        effective = fence.properties.effective_from
        t_from = at if effective is None else effective.timestamp()
        held = self._slots_of.get(fence.properties.fence_id, [])
        told = blake2b(encode(fence), digest_size=16).digest()
        for slot in held:
            if self._told[slot] == told and self.t_from[slot] <= t_from < self.t_until[slot] == np.inf:
                return slot
        shape = compile_shape(fence) if shape is None else shape
        self._end(held, t_from)
        slot = self._free.pop() if self._free else self._new_slot()
        properties = fence.properties
        if properties.subjects is not None:
            properties = msgspec.structs.replace(properties, subjects=())
        bare = msgspec.structs.replace(fence, geometry={"type": fence.geometry["type"]}, properties=properties)
        self.fences[slot], self.shapes[slot], self._told[slot] = bare, shape, told
        self.rule[slot] = _RULES[fence.properties.rule]
        self.t_from[slot], self.t_until[slot] = t_from, np.inf
        self._slots_of.setdefault(fence.properties.fence_id, []).append(slot)
        self._index.put(slot, shape.bounds)
        self._boundaries.put(slot, shape)
        self._edits.append(slot)
        return slot

    def remove(self, fence_id: str, at: float) -> list[int]:
        """Let no version of `fence_id` hold from `at` (seconds since 1970) on; returns the slots that this ended."""
        return self._end(self._slots_of.get(fence_id, []), at)

    def _end(self, slots: list[int], at: float) -> list[int]:
        ended = [slot for slot in slots if self.t_until[slot] > at]
        for slot in ended:
            self.t_until[slot] = max(at, self.t_from[slot])
        self._edits.extend(ended)
        return ended

    def _new_slot(self) -> int:
        slot = len(self.fences)
        self.fences.append(None)
        self.shapes.append(None)
        self._told.append(b"")
        if slot == len(self.rule):
            self.rule = np.concatenate([self.rule, np.zeros(slot, np.int8)])
            self.t_from = np.concatenate([self.t_from, np.full(slot, np.inf)])
            self.t_until = np.concatenate([self.t_until, np.full(slot, -np.inf)])
        return slot

    def forget_before(self, t: float) -> list[int]:
        """Drop versions that held only before `t` (seconds since 1970); returns their slots, which are used again."""
        ended = np.flatnonzero(self.t_until[: len(self.fences)] <= t).tolist()
        dropped = [slot for slot in ended if self.fences[slot] is not None]
        for slot in dropped:
            fence = self.fences[slot]
            assert fence is not None  # noqa: S101  # for the type checker: just looked
            slots = self._slots_of[fence.properties.fence_id]
            slots.remove(slot)
            if not slots:
                del self._slots_of[fence.properties.fence_id]
            self.fences[slot] = self.shapes[slot] = None
            self.t_from[slot], self.t_until[slot] = np.inf, -np.inf
            self._index.drop(slot)
            self._boundaries.drop(slot)
        self._free.extend(dropped)
        self._edits.extend(dropped)
        return dropped

    def versions(self, fence_id: str) -> list[int]:
        """The slots of `fence_id`'s versions in the order they were put in."""
        return list(self._slots_of.get(fence_id, []))

    def in_force(self, slots: Slots, t: ArrayLike) -> NDArray[np.bool_]:
        """Which of the versions in `slots` hold at `t` (seconds since 1970; one, or one each)."""
        return (self.t_from[slots] <= t) & (t < self.t_until[slots])

    def candidates(self, lat: Column, lon: Column, margin_m: Column | float = 0.0) -> tuple[Rows, Slots]:
        """All pairs of a place (row number) and a slot that may be within `margin_m` of it, by bounding boxes.

        Every version, whatever its time; in order of row, then slot.
        """
        if np.ndim(margin_m) == 0 and margin_m == 0:
            return self._index.near(lat, lon, lat, lon)
        return self._index.near(*around(lat, lon, margin_m))

    def candidates_between(
        self, lat0: Column, lon0: Column, lat1: Column, lon1: Column, margin_m: Column | float = 0.0
    ) -> tuple[Rows, Slots]:
        """As `candidates`, for the straight ways between pairs of places."""
        east = lon0 + ((lon1 - lon0 + 180) % 360 - 180)
        # A geodesic rises poleward of the straight line in degrees, by up to span^2 sin(2 lat) / 16.
        span = np.radians(east - lon0)
        rise = np.where(np.abs(span) < 1, np.degrees(span * span / 12), 180.0)
        boxes = [around(lat, lon, margin_m) for lat, lon in ((lat0, lon0), (lat1, east))]
        south, west = np.minimum(boxes[0][0], boxes[1][0]) - rise, np.minimum(boxes[0][1], boxes[1][1])
        north, east = np.maximum(boxes[0][2], boxes[1][2]) + rise, np.maximum(boxes[0][3], boxes[1][3])
        return self._index.near(south, west, north, east)

    def signed_distance_m(self, lat: Column, lon: Column, slots: Slots) -> Column:
        """Metres from each place to the boundary of the fence in its slot, negative inside; see `Boundaries`."""
        return self._boundaries.signed_distance_m(lat, lon, slots)

    def outlines(self, slots: Slots) -> tuple[Outlines, Column]:
        """For compiled loops: what `fences.nearest` reads, `slots` included as far as it can; and the slots' bounds."""
        return self._boundaries.outlines(slots), self._boundaries.bounds

    def may_meet(self, lat0: Column, lon0: Column, lat1: Column, lon1: Column, slots: Slots) -> NDArray[np.bool_]:
        """Which of the straight ways between pairs of places may touch the fence in their slot; False is sure.

        Quick, and for whole batches: who gets True asks `crossings`.
        """
        return self._boundaries.may_meet(lat0, lon0, lat1, lon1, slots)

    def clearance_m(self, lat: Column, lon: Column, reach_m: float) -> Column:
        """How far each place at least is from every boundary of every version, at most `reach_m`."""
        rows, slots = self.candidates(lat, lon, reach_m)
        clear = np.full(len(lat), float(reach_m))
        np.minimum.at(clear, rows, np.abs(self.signed_distance_m(lat[rows], lon[rows], slots)))
        return clear

    def crossings(self, lat0: float, lon0: float, lat1: float, lon1: float, slot: int) -> list[tuple[float, float]]:
        """Where the straight way from one place to the other is inside the fence: fractions (in, out) of the way."""

        def measure(lat: Column, lon: Column) -> Column:
            return self.signed_distance_m(lat, lon, np.full(len(lat), slot))

        return passages(lat0, lon0, lat1, lon1, measure)
