"""Which boxes are near a place? The index of an atlas: a packed R-tree, with a small one before it for live edits.

Packed trees (shapely's STRtree) answer a batch in bulk and are built at a quarter of a microsecond a box, but cannot be
changed. So new boxes go into a second, small tree, packed anew at the first question after an edit, and both are packed
into one when the small one has outgrown its share: an edit costs 0.1 ms, now and then a full packing (25 ms for 100,000
boxes). `docs/decisions/0011-packed-trees.md` has the measurements, also of rtree.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from fences import plane

Slots = NDArray[np.int64]
Rows = NDArray[np.intp]
Column = NDArray[np.float64]

_SMALL = 512


class BoxIndex:
    """Boxes in degrees under slot numbers; a slot may be taken out and put in again."""

    def __init__(self) -> None:
        self._boxes: dict[int, tuple[float, float, float, float]] = {}
        self._fresh: dict[int, None] = {}  # in order of arrival, not yet in the large tree
        self._large = _Packed.of({})
        self._small = _Packed.of({})
        self._gone = 0
        self._dirty = False

    def put(self, slot: int, south: float, west: float, north: float, east: float) -> None:
        """Index the box under `slot`; `west` or `east` may lie beyond 180."""
        self._boxes[slot] = (south, west, north, east)
        self._fresh[slot] = None
        self._dirty = True

    def drop(self, slot: int) -> None:
        """Propose `slot` no more."""
        del self._boxes[slot]
        self._dirty = True
        if slot in self._fresh:
            del self._fresh[slot]
        else:
            self._gone += 1
            self._large.hide(slot)

    def _pack(self) -> None:
        self._dirty = False
        known = len(self._boxes) - len(self._fresh)
        if len(self._fresh) + self._gone > max(_SMALL, known // 64):
            self._large, self._small = _Packed.of(self._boxes), _Packed.of({})
            self._fresh, self._gone = {}, 0
        else:
            self._small = _Packed.of({slot: self._boxes[slot] for slot in self._fresh})

    def near(
        self, south: Column, west: Column, north: Column, east: Column, *, points: bool = False
    ) -> tuple[Rows, Slots]:
        """All pairs of a row and a slot whose boxes meet, in order of row and slot; a pair comes once.

        `points`: each row's box is a single place (quicker). `west` or `east` may lie beyond 180.
        """
        if self._dirty:
            self._pack()
        rows = np.arange(len(south), dtype=np.intp)
        # A box over the antimeridian is asked for a second time on the other side.
        over_west, over_east = np.flatnonzero(west < -180), np.flatnonzero(east > 180)
        if len(over_west) or len(over_east):
            rows = np.concatenate([rows, over_west, over_east])
            turn = np.repeat([0.0, 360.0, -360.0], [len(south), len(over_west), len(over_east)])
            south, west, north, east = south[rows], west[rows] + turn, north[rows], east[rows] + turn
        boxes = shapely.points(west, south) if points else shapely.box(west, south, east, north)
        found = [tree.query(boxes) for tree in (self._large, self._small) if tree.slots.size]
        if not found:
            return np.empty(0, np.intp), np.empty(0, np.int64)
        row = rows[np.concatenate([asked for asked, _ in found])]
        slot = np.concatenate([answer for _, answer in found])
        # One order, whatever the trees' own: what follows must not depend on when they were packed.
        width = int(slot.max(initial=0)) + 1
        pair = row * width + slot
        pair.sort(kind="stable")
        if len(over_west) or len(over_east) or self._large.doubled or self._small.doubled:
            pair = np.unique(pair)
        return pair // width, pair % width


class _Packed:
    """A packed tree over boxes; those beyond the antimeridian stand in it twice."""

    def __init__(self, slots: Slots, tree: Any, doubled: bool) -> None:
        self.slots = slots
        self.doubled = doubled
        self._tree = tree
        self._hidden: set[int] = set()

    @classmethod
    def of(cls, boxes: dict[int, tuple[float, float, float, float]]) -> "_Packed":
        slots = np.fromiter(boxes, np.int64, len(boxes))
        sides = np.array(list(boxes.values()), np.float64).reshape(-1, 4)
        over_west, over_east = np.flatnonzero(sides[:, 1] < -180), np.flatnonzero(sides[:, 3] > 180)
        turn = np.repeat([0.0, 360.0, -360.0], [len(slots), len(over_west), len(over_east)])
        pick = np.concatenate([np.arange(len(slots)), over_west, over_east])
        south, west, north, east = sides[pick].T
        tree = shapely.STRtree(shapely.box(west + turn, south, east + turn, north))
        return cls(slots[pick], tree, len(pick) > len(slots))

    def hide(self, slot: int) -> None:
        self._hidden.add(slot)

    def query(self, boxes: Any) -> tuple[Rows, Slots]:
        row, place = self._tree.query(boxes)
        slot = self.slots[place]
        if self._hidden:
            shown = ~np.isin(slot, np.fromiter(self._hidden, np.int64, len(self._hidden)))
            row, slot = row[shown], slot[shown]
        return row, slot


def around(lat: Column, lon: Column, margin_m: Column | float) -> tuple[Column, Column, Column, Column]:
    """(south, west, north, east) of everything within `margin_m` of places, degrees, a little too wide."""
    reach_lat, reach_lon = plane.reach_deg(lat, margin_m)
    # around a pole or past half a turn: all longitudes, without asking twice
    wide = reach_lon >= 180
    west, east = np.where(wide, -180.0, lon - reach_lon), np.where(wide, 180.0, lon + reach_lon)
    return lat - reach_lat, west, lat + reach_lat, east
