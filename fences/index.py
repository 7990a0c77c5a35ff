"""Which boxes are near a place? The index of an atlas: packed R-trees for batches, a live one for edits.

Packed trees (shapely's STRtree) answer a batch in bulk and are built at a microsecond a box, but cannot be changed. So
there are three, a box stands in one of them: a large packed one; a small packed one, packed anew when a batch is asked
after edits; and for a few places asked between edits a live one (rtree), which takes a box in 20 microseconds without
packing. All are packed into the large one when they have outgrown their share of it.
`docs/decisions/0011-packed-and-live-trees.md` has the measurements.
"""

from typing import Any

import numpy as np
import rtree.index
import shapely
from numpy.typing import NDArray

from fences import plane

Slots = NDArray[np.int64]
Rows = NDArray[np.intp]
Column = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""south, west, north, east in degrees; west or east may lie beyond 180."""

_FEW = 32  # places up to which, and fresh boxes up to which, the live tree is quicker than packing (measured)
_SMALL = 512


class BoxIndex:
    """Boxes in degrees under slot numbers; a slot may be taken out and put in again."""

    def __init__(self) -> None:
        self._boxes: dict[int, Box] = {}
        self._large, self._small, self._live = _Packed({}), _Packed({}), _Live()
        self._fresh: dict[int, None] = {}  # in order of arrival: not in the large tree
        self._waiting: dict[int, None] = {}  # of these, not yet in the small or the live tree
        self._gone = 0

    def put(self, slot: int, box: Box) -> None:
        """Index `box` under `slot`."""
        self._boxes[slot] = box
        self._fresh[slot] = self._waiting[slot] = None

    def drop(self, slot: int) -> None:
        """Propose `slot` no more."""
        box = self._boxes.pop(slot)
        if slot in self._fresh:
            del self._fresh[slot]
            if slot in self._waiting:
                del self._waiting[slot]
            elif not self._live.drop(slot, box):
                self._small.hide(slot)
        else:
            self._gone += 1
            self._large.hide(slot)

    def near(self, south: Column, west: Column, north: Column, east: Column) -> tuple[Rows, Slots]:
        """All pairs of a row and a slot whose boxes meet, in order of row and slot; a pair comes once.

        A row's `west` or `east` may lie beyond 180.
        """
        few = len(south) <= _FEW
        if len(self._fresh) + self._gone > max(_SMALL, len(self._boxes) // 64):
            self._large, self._small, self._live = _Packed(self._boxes), _Packed({}), _Live()
            self._fresh, self._waiting, self._gone = {}, {}, 0
        elif (not few and (self._waiting or self._live.boxes)) or len(self._waiting) > _FEW:
            self._small, self._live = _Packed({slot: self._boxes[slot] for slot in self._fresh}), _Live()
            self._waiting = {}
        for slot in self._waiting:
            self._live.put(slot, self._boxes[slot])
        self._waiting = {}

        rows = np.arange(len(south), dtype=np.intp)
        # A box over the antimeridian is asked for a second time on the other side.
        over_west, over_east = np.flatnonzero(west < -180), np.flatnonzero(east > 180)
        twice = len(over_west) + len(over_east) > 0
        if twice:
            rows = np.concatenate([rows, over_west, over_east])
            turn = np.repeat([0.0, 360.0, -360.0], [len(south), len(over_west), len(over_east)])
            south, west, north, east = south[rows], west[rows] + turn, north[rows], east[rows] + turn
        place = south is north and west is east
        asked = shapely.points(west, south) if place else shapely.box(west, south, east, north)
        found = [tree.query(asked) for tree in (self._large, self._small) if tree.slots.size]
        found += [self._live.query(south, west, north, east)] if self._live.boxes else []
        if not found:
            return np.empty(0, np.intp), np.empty(0, np.int64)
        row = rows[np.concatenate([asker for asker, _ in found])]
        slots = np.concatenate([near for _, near in found])
        # One order, whatever the trees' own: what follows must not depend on when they were packed.
        width = int(slots.max(initial=0)) + 1
        pair = row * width + slots
        pair.sort()
        if twice or self._large.doubled or self._small.doubled or self._live.doubled:
            pair = np.unique(pair)
        return pair // width, pair % width


def _turns(box: Box) -> list[tuple[float, float, float, float]]:
    """`box` as (left, bottom, right, top), and again where what lies beyond the antimeridian is on the map."""
    south, west, north, east = box
    turns = [0.0] + [360.0] * (west < -180) + [-360.0] * (east > 180)
    return [(west + turn, south, east + turn, north) for turn in turns]


class _Packed:
    """A packed tree over boxes; those beyond the antimeridian stand in it twice."""

    def __init__(self, boxes: dict[int, Box]) -> None:
        known = np.fromiter(boxes, np.int64, len(boxes))
        south, west, north, east = np.array(list(boxes.values()), np.float64).reshape(-1, 4).T
        over_west, over_east = np.flatnonzero(west < -180), np.flatnonzero(east > 180)
        turn = np.repeat([0.0, 360.0, -360.0], [len(known), len(over_west), len(over_east)])
        pick = np.concatenate([np.arange(len(known)), over_west, over_east])
        self.slots = known[pick]
        self.doubled = len(pick) > len(known)
        self._tree = shapely.STRtree(shapely.box(west[pick] + turn, south[pick], east[pick] + turn, north[pick]))
        self._hidden: set[int] = set()

    def hide(self, slot: int) -> None:
        self._hidden.add(slot)

    def query(self, asked: Any) -> tuple[Rows, Slots]:
        row, place = self._tree.query(asked)
        slot = self.slots[place]
        if self._hidden:
            shown = ~np.isin(slot, np.fromiter(self._hidden, np.int64, len(self._hidden)))
            row, slot = row[shown], slot[shown]
        return row, slot


class _Live:
    """A tree that takes boxes in and out one by one."""

    def __init__(self) -> None:
        self.boxes: set[int] = set()
        self.doubled = False
        self._tree: Any = None

    def put(self, slot: int, box: Box) -> None:
        if self._tree is None:
            self._tree = rtree.index.Index()
        for turn in _turns(box):
            self.doubled |= slot in self.boxes
            self._tree.insert(slot, turn)
            self.boxes.add(slot)

    def drop(self, slot: int, box: Box) -> bool:
        """Take `slot` out; False if it is not here."""
        if slot not in self.boxes:
            return False
        for turn in _turns(box):
            self._tree.delete(slot, turn)
        self.boxes.remove(slot)
        return True

    def query(self, south: Column, west: Column, north: Column, east: Column) -> tuple[Rows, Slots]:
        low, high = np.stack([west, south], axis=1), np.stack([east, north], axis=1)
        slots, counts = self._tree.intersection_v(low, high)
        return np.repeat(np.arange(len(south)), counts.astype(np.intp)), slots.astype(np.int64)


def around(lat: Column, lon: Column, margin_m: Column | float) -> tuple[Column, Column, Column, Column]:
    """(south, west, north, east) of everything within `margin_m` of places, degrees, a little too wide."""
    reach_lat, reach_lon = plane.reach_deg(lat, margin_m)
    # around a pole or past half a turn: all longitudes, without asking twice
    wide = reach_lon >= 180
    west, east = np.where(wide, -180.0, lon - reach_lon), np.where(wide, 180.0, lon + reach_lon)
    return lat - reach_lat, west, lat + reach_lat, east
