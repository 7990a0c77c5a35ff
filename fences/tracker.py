"""The whereabouts of many devices, kept in columns and moved on in batches; what their motion is assumed to be.

`fences.motion` has the filter for one fix; here are its parameters by name, the array of states, and the hypotheses of
those fixes that come near a boundary, for `fences.evidence` to ask about fences.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fences import motion
from fences.room import lengthen, room

Column = NDArray[np.float64]
Rows = NDArray[np.int64]

_FULL = [np.arange(oldest, oldest + motion.RING) % motion.RING for oldest in range(motion.RING)]


def _places(count: int) -> Rows:
    """Where in the rings of a device the last of its `count` fixes are, oldest first."""
    return _FULL[count % motion.RING] if count >= motion.RING else np.arange(count)


class MotionModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people move and receivers err; docs/verdict.md says how each was chosen.

    Receiver: `memory_s` of its drift; `jitter_m` and `jitter_share` (of the drift) of fresh noise on each fix;
    `throw_rate` of fixes that begin a throw, `throw_stays` the chance that the next one is thrown too, `throw_m` its
    scale; `learn` how quickly the worth of claims is learnt; sizes between `least_m` and `most_m`; `default_m` where
    nothing is claimed. Person: `wander` at rest, m2/s; rests `go_s` and moves `stop_s` on average, changes between
    walking and driving after `change_s`; speed per axis and its memory for both.
    """

    memory_s: float = 60.0
    jitter_share: float = 0.15
    jitter_m: float = 1.0
    throw_rate: float = 0.01
    throw_stays: float = 0.5
    throw_m: float = 150.0
    wander: float = 0.02
    go_s: float = 3600.0
    stop_s: float = 240.0
    change_s: float = 600.0
    walk_mps: float = 1.0
    walk_s: float = 90.0
    drive_mps: float = 9.0
    drive_s: float = 45.0
    learn: float = 0.02
    first_worth: float = 1.2
    fair: float = 0.85
    least_m: float = 3.0
    most_m: float = 50.0
    default_m: float = 12.0

    def array(self, margin_m: float, sigmas: float) -> Column:
        """As the kernel reads it; a fix is near a boundary within `margin_m` and `sigmas` of its spread."""
        p = np.zeros(22)
        for name in self.__struct_fields__:
            p[getattr(motion, name.upper())] = getattr(self, name)
        p[motion.MARGIN_M], p[motion.SIGMAS] = margin_m, sigmas
        return p


class Sightings(NamedTuple):
    """The fixes (m of a batch) that come near a boundary, and their hypotheses.

    `at`: their places in the batch, rising. The others (m, K): where, spread per axis in metres, weight (0: none), and
    which of the last fixes the hypothesis holds for thrown, bit 0 the latest.
    """

    at: Rows
    lat: Column
    lon: Column
    sigma_m: Column
    weight: Column
    thrown: NDArray[np.int64]


class Tracker:
    """The states of devices, one row each. `margin_m`, `sigmas`: how near a boundary a fix must come to be shown."""

    def __init__(self, model: MotionModel | None = None, margin_m: float = 20.0, sigmas: float = 4.5) -> None:
        self.model = model or MotionModel()
        self._parameters = self.model.array(margin_m, sigmas)
        self.rows = np.zeros(0, motion.STATE)
        self._columns: Any = None
        self._rebind()

    def _rebind(self) -> None:
        self._columns = motion.Columns(*(self.rows[name] for name in motion.Columns._fields))

    def reserve(self, count: int) -> None:
        """Have at least `count` rows; new ones are empty."""
        if count > len(self.rows):
            self._columns = None
            lengthen(self, "rows", room(len(self.rows), count))
            self._rebind()

    def forget(self, row: int) -> None:
        """Let `row` be empty."""
        self.rows[row] = np.zeros((), motion.STATE)

    def dump(self, rows: Rows) -> list[bytes]:
        """What `load` takes back of rows (n,)."""
        states, size = self.rows[rows].tobytes(), motion.STATE.itemsize
        return [states[n : n + size] for n in range(0, len(states), size)]

    def load(self, rows: Rows, states: bytes) -> None:
        """Take back what `dump` gave of rows (n,), joined."""
        self.rows[rows] = np.frombuffer(states, motion.STATE)

    def advance(self, rows: Rows, t: Column, lat: Column, lon: Column, accuracy_m: Column) -> Sightings:
        """Take in fixes (n,): WGS 84, seconds since 1970, `accuracy_m` NaN or 0 where not claimed; those of a row in
        order of time."""
        n = len(rows)
        shape = (n, motion.HYPOTHESES)
        shown, used = np.zeros(n, np.bool_), np.zeros(n, np.int64)
        there_lat, there_lon, sigma, weight = (np.empty(shape) for _ in range(4))
        thrown = np.empty(shape, np.int64)
        motion.advance(
            self._columns, rows, t, lat, lon, accuracy_m, self._parameters,
            shown, used, there_lat, there_lon, sigma, weight, thrown,
        )  # fmt: skip
        at = np.flatnonzero(shown)
        return Sightings(at, there_lat[at], there_lon[at], sigma[at], weight[at], thrown[at])

    def settle(self, row: int, lat: float, lon: float, clear_m: float) -> None:
        """No boundary that matters to `row` is within `clear_m` of the place (lat, lon)."""
        state = self.rows[row]
        state["near_x"] = ((lon - state["lon0"] + 180.0) % 360.0 - 180.0) * state["east_m"]
        state["near_y"] = (lat - state["lat0"]) * state["north_m"]
        state["clear_m"] = clear_m

    def settle_all(self, rows: Rows, lat: Column, lon: Column, clear_m: Column) -> None:
        """`settle` for each of `rows` (n,), none of them twice."""
        motion.settle(self._columns, rows, lat, lon, clear_m)

    def recent(self, row: int) -> tuple[Column, Column, Column, Column]:
        """(t, lat, lon, accuracy_m) of the row's last fixes, oldest first, at most `motion.RING`."""
        columns = self._columns
        order = _places(int(columns.count[row]))
        lat, lon = columns.ring_lat[row][order] / 1e7, columns.ring_lon[row][order] / 1e7
        return columns.ring_t[row][order], lat, lon, columns.ring_acc[row][order].astype(np.float64)

    def times(self, row: int) -> list[float]:
        """The times of `recent`."""
        columns = self._columns
        return list(columns.ring_t[row][_places(int(columns.count[row]))].tolist())
