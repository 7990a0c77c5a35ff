"""How often is a device heard? The rows of `pipeline.silence`, hearings in order, and the period learnt from them.

The expected period is the gap that 95 % of those seen stayed within, from a histogram with buckets a factor of 1.41
apart that forgets by halves: a memory of 100 to 200 hearings in 35 bytes, and the same whatever the batches were.
"""

from bisect import bisect_left
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

BUCKETS = 35
"""Of gaps: from 1 s, each 1.41 times as wide as the last, to a day and a half."""

QUANTILE = 0.95
FIRST_ESTIMATE, ESTIMATE_EVERY, FORGET_AT = 8, 32, 192  # the last below 256, so that a byte holds any count
NEVER_MS = np.iinfo(np.int64).max
_FULL_ROW = 1 << 40  # ms; more than any batch spans, so that rows of different activations keep apart

EDGES_MS = np.floor(1000 * 2 ** (np.arange(BUCKETS) / 2)).astype(np.int64)
"""The longest gap in each bucket, milliseconds."""

_EDGES = EDGES_MS.tolist()

Ms = NDArray[np.int64]
Rows = NDArray[np.intp]

ROW = np.dtype(
    [
        ("heard_ms", "i8"),  # last hearing; before the first, when listening began
        ("due_ms", "i8"),  # silent if not heard until then; NEVER_MS while silent or not listened to
        ("until_ms", "i8"),  # listened to until then
        ("patience_ms", "i8"),  # how long after a hearing it is due, without damping
        ("fixed_ms", "i8"),  # the configured period, 0 when learnt
        ("silent_since_ms", "i8"),  # 0: not silent
        ("return_ms", "i8"),  # first hearing of a return that is not yet sure, 0: none
        ("rough_ms", "i8"),  # the last return, or gap that only damping let pass; 0: none
        ("hearings", "u4"),
        ("gaps_known", "u2"),
        ("damping", "u1"),
        ("gaps", "u1", (BUCKETS,)),
    ]
)
"""An activation's state; its bytes are what the changelog keeps."""


class SilenceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a device counts as silent; part of the rules that a supervisor may draft."""

    factor: Annotated[float, msgspec.Meta(gt=1, le=100)] = 3.0
    shortest_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 120.0
    longest_s: Annotated[float, msgspec.Meta(gt=0, le=604800)] = 21_600.0
    default_period_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 300.0
    calm_s: Annotated[float, msgspec.Meta(ge=0, le=604800)] = 3600.0
    most_damping: Annotated[int, msgspec.Meta(ge=0, le=6)] = 3
    hold_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 20.0


class Heard(NamedTuple):
    """Hearings by row and, within a row, as they came."""

    order: Rows
    slot: Rows
    at: Ms  # the newest so far
    gap: Ms  # since the one before
    new: NDArray[np.bool_]
    group: Rows  # (n,) which activation of the batch
    first: Rows  # (g,) where each activation's begin


def bucket_of(gaps_ms: Ms) -> NDArray[np.intp]:
    """The histogram's bucket for gaps (n,) in milliseconds: the first whose `EDGES_MS` is not below them."""
    return np.minimum(np.searchsorted(EDGES_MS, gaps_ms), BUCKETS - 1)


def sort_hearings(rows: Any, slots: Rows, heard_ms: Ms) -> Heard:
    """Hearings (n,) in the order of their arrival, by row of `rows`."""
    order = np.argsort(slots, kind="stable")
    slot = slots[order]
    starts = np.append(True, slot[1:] != slot[:-1])
    first, group = np.flatnonzero(starts), np.cumsum(starts) - 1
    known = rows["heard_ms"][slot[first]]
    at = _newest_so_far(heard_ms[order], group, known)
    before = np.roll(at, 1)
    before[first] = known
    gap = at - before
    return Heard(order, slot, at, gap, gap > 0, group, first)


def _newest_so_far(at: Ms, group: NDArray[np.intp], known: Ms) -> Ms:
    base = int(at.min())
    lifted = np.maximum(at, known[group]) - base + group * _FULL_ROW
    return np.asarray(np.maximum.accumulate(lifted) - group * _FULL_ROW + base)


def unsteady(rows: Any, heard: Heard) -> NDArray[np.bool_]:
    """For each activation in the batch (g,): whether a gap is too long, or what is too long may change in it."""
    count = np.add.reduceat(heard.new.astype(np.int64), heard.first)
    known = rows["gaps_known"][heard.slot[heard.first]].astype(np.int64)
    crosses = (known // ESTIMATE_EVERY != (known + count) // ESTIMATE_EVERY) | (known < FIRST_ESTIMATE)
    late = np.logical_or.reduceat(heard.gap > rows["patience_ms"][heard.slot], heard.first)
    return np.asarray(late | (crosses & (count > 1)))  # one alone is learnt from by column


def learn_all(rows: Any, slot: Rows, gap_ms: Ms, rule: SilenceRule) -> None:
    """Take in gaps (n,) of rows that `unsteady` does not name."""
    bucket = bucket_of(gap_ms)
    if (np.diff(slot) > 0).all():  # each once, as in most batches: several times as fast
        rows["gaps"][slot, bucket] += 1
        rows["gaps_known"][slot] += 1
        rows["hearings"][slot] += 1
    else:
        np.add.at(rows["gaps"], (slot, bucket), 1)
        np.add.at(rows["gaps_known"], slot, 1)
        np.add.at(rows["hearings"], slot, 1)
    known = rows["gaps_known"][slot]
    estimate(rows, slot[(known % ESTIMATE_EVERY == 0) | (known == FIRST_ESTIMATE)], rule)


def learn_one(rows: Any, row: int, gap_ms: int, rule: SilenceRule) -> None:
    """Take in one gap of `row`."""
    state = rows[row]
    state["gaps"][min(bisect_left(_EDGES, gap_ms), BUCKETS - 1)] += 1
    state["gaps_known"] += 1
    if state["gaps_known"] % ESTIMATE_EVERY == 0 or state["gaps_known"] == FIRST_ESTIMATE:
        estimate(rows, np.array([row]), rule)


def estimate(rows: Any, of: Rows, rule: SilenceRule) -> None:
    """Settle how long to wait for the rows `of`, and let them forget what is old."""
    if not len(of):
        return
    patience = rule.factor * period_ms(rows, of, rule)
    rows["patience_ms"][of] = np.clip(patience, rule.shortest_s * 1000, rule.longest_s * 1000)
    full = of[rows["gaps_known"][of] >= FORGET_AT]
    rows["gaps"][full] //= 2
    rows["gaps_known"][full] = FORGET_AT // 2


def period_ms(rows: Any, of: Rows, rule: SilenceRule) -> NDArray[np.float64]:
    """How far apart the hearings of the rows `of` are expected, milliseconds: told, learnt, or the default."""
    seen = np.cumsum(rows["gaps"][of], axis=1, dtype=np.int64)
    total = seen[:, -1:]
    learnt = EDGES_MS[np.argmax(seen >= QUANTILE * total, axis=1)]
    period = np.where(total[:, 0] < FIRST_ESTIMATE, rule.default_period_s * 1000, learnt)
    fixed = rows["fixed_ms"][of]
    return np.where(fixed > 0, fixed, period)
