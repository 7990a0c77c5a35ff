"""How often is a device heard? The rows of `pipeline.silence`, and the period learnt from the gaps between hearings.

The expected period is the gap that 95 % of those seen stayed within, from a histogram with buckets a factor of 1.41
apart that forgets by halves: a memory of 100 to 200 hearings in 35 bytes. The kernels are compiled by numba and take
hearings one after another, so nothing depends on how they were batched.
"""

from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

BUCKETS = 35
"""Of gaps: from 1 s, each 1.41 times as wide as the last, to a day and a half."""

QUANTILE = 0.95
FIRST_ESTIMATE, ESTIMATE_EVERY, FORGET_AT = 8, 32, 192  # the last below 256, so that a byte holds any count
NEVER_MS = int(np.iinfo(np.int64).max)

EDGES_MS = np.floor(1000 * 2 ** (np.arange(BUCKETS) / 2)).astype(np.int64)
"""The longest gap in each bucket, milliseconds."""

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

SELDOM = ("silent_since_ms", "return_ms", "rough_ms")
"""Fields that are 0 for a device that was never silent."""


class Columns(NamedTuple):
    """Fields of the rows that the kernel reads and writes; `apart` (rows,): those that it leaves alone."""

    apart: Any
    heard_ms: Any
    due_ms: Any
    until_ms: Any
    patience_ms: Any
    fixed_ms: Any
    silent_since_ms: Any
    rough_ms: Any
    hearings: Any
    gaps_known: Any
    damping: Any
    gaps: Any


def columns(rows: Any, apart: NDArray[np.bool_]) -> Columns:
    """Views of `rows` of `ROW`."""
    return Columns(apart, *(rows[name] for name in Columns._fields[1:]))


class SilenceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a device counts as silent; part of the rules that a supervisor may draft."""

    factor: Annotated[float, msgspec.Meta(gt=1, le=100)] = 3.0
    shortest_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 120.0
    longest_s: Annotated[float, msgspec.Meta(gt=0, le=604800)] = 21_600.0
    default_period_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 300.0
    calm_s: Annotated[float, msgspec.Meta(ge=0, le=604800)] = 3600.0
    most_damping: Annotated[int, msgspec.Meta(ge=0, le=6)] = 3
    hold_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 20.0

    def array(self) -> NDArray[np.float64]:
        """As the kernels read it: factor, then shortest, longest, default and calm in milliseconds."""
        return np.array([self.factor, *(1000 * s for s in (
            self.shortest_s, self.longest_s, self.default_period_s, self.calm_s))])  # fmt: skip


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def bucket_of(gap_ms: int) -> int:
    """The histogram's bucket for a gap: the first whose `EDGES_MS` is not below it."""
    return min(int(np.searchsorted(EDGES_MS, gap_ms)), BUCKETS - 1)


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def period_of(fixed_ms: int, gaps: Any, rule: Any) -> float:
    """How far apart hearings are expected, milliseconds: as told, as learnt from `gaps` (BUCKETS,), or the default."""
    if fixed_ms > 0:
        return float(fixed_ms)
    total = 0
    for k in range(BUCKETS):
        total += gaps[k]
    if total < FIRST_ESTIMATE:
        return float(rule[3])
    seen = 0
    for k in range(BUCKETS):
        seen += gaps[k]
        if seen >= QUANTILE * total:
            return float(EDGES_MS[k])
    return float(EDGES_MS[BUCKETS - 1])


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def patience_of(period_ms: float, rule: Any) -> int:
    """How long after a hearing a device of that period is due, milliseconds."""
    return int(min(max(rule[0] * period_ms, rule[1]), rule[2]))


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def learn(s: Columns, r: int, gap_ms: int, rule: Any) -> None:
    """Take in a gap of row `r`; now and then settle anew how long to wait, and forget what is old."""
    s.gaps[r, bucket_of(gap_ms)] += 1
    s.gaps_known[r] += 1
    if s.gaps_known[r] == FIRST_ESTIMATE or s.gaps_known[r] % ESTIMATE_EVERY == 0:
        s.patience_ms[r] = patience_of(period_of(s.fixed_ms[r], s.gaps[r], rule), rule)
        if s.gaps_known[r] >= FORGET_AT:
            s.gaps_known[r] = FORGET_AT // 2
            for k in range(BUCKETS):
                s.gaps[r, k] //= 2


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def hear(s: Columns, slots: Any, at_ms: Any, rule: Any, left: Any) -> None:
    """Take hearings (n,) in the order of their arrival, as far as they say no more than "heard again".

    The others are marked in `left` (n,), and so is all that comes after them of their rows.
    """
    for i in range(len(slots)):
        r = slots[i]
        gap = at_ms[i] - s.heard_ms[r]
        if s.apart[r]:
            left[i] = True
        elif gap <= 0:
            continue
        elif s.silent_since_ms[r] != 0 or gap > min(s.patience_ms[r] << s.damping[r], int(rule[2])):
            left[i] = s.apart[r] = True
        else:
            if s.hearings[r] != 0:
                learn(s, r, gap, rule)
            s.hearings[r] += 1
            if s.damping[r] != 0:
                if gap > s.patience_ms[r]:
                    s.rough_ms[r] = at_ms[i]
                elif at_ms[i] - s.rough_ms[r] > rule[4]:
                    s.damping[r] = 0
            s.heard_ms[r] = at_ms[i]
            due = at_ms[i] + min(s.patience_ms[r] << s.damping[r], int(rule[2]))
            s.due_ms[r] = due if due < s.until_ms[r] else NEVER_MS
