"""Is the duty broken, how sure is that, and since when? From the hypotheses of a place and its distances to a fence.

Depth is how far on the forbidden side of the boundary a place is, in metres: outside of a fence to stay in, inside of
one to keep out of. The duty counts as broken where the depth exceeds a tolerance in favour of the person. The chance
of that is the sum over the hypotheses, each a Gaussian: weight x Phi((depth - tolerance) / sigma). It says *broken*
from `open_at` on, *kept* up to `close_at`, and in between *uncertain*, which changes nothing.
"""

import math
from typing import Any

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

Column = NDArray[np.float64]
_ROOT_HALF = math.sqrt(0.5)

LOOK_S = 15.0


class VerdictRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a chance becomes a verdict.

    `tolerance_m` in favour of the person; `open_at` and `close_at` are chances that the duty is broken. `open_at` holds
    for who reports each `LOOK_S`. Who reports more often is looked at more often, and each look may err: the risk that
    is left is shared among them, from a quarter to four times of it.
    """

    tolerance_m: float = 5.0
    open_at: float = 0.993
    close_at: float = 0.05

    def opens_at(self, period_s: float) -> float:
        """From which chance on a breach of somebody who reports each `period_s` (0: not known) opens."""
        share = min(max(period_s / LOOK_S, 0.25), 4.0) if period_s > 0 else 1.0
        return 1.0 - (1.0 - self.open_at) * share


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _summed(depth_m: Any, sigma_m: Any, weight: Any, owner: Any, tolerance_m: float, broken: Any, total: Any) -> None:
    for i in range(len(owner)):
        z = (depth_m[i] - tolerance_m) / max(sigma_m[i], 0.5)
        broken[owner[i]] += weight[i] * 0.5 * math.erfc(-z * _ROOT_HALF)
        total[owner[i]] += weight[i]


def chance_broken(
    depth_m: Column, sigma_m: Column, weight: Column, owner: NDArray[np.int64], count: int, tolerance_m: float
) -> Column:
    """The chance for each of `count` owners that its duty is broken, from hypotheses (n,) and whose they are."""
    broken, total = np.zeros(count), np.zeros(count)
    _summed(depth_m, sigma_m, weight, owner, tolerance_m, broken, total)
    return np.asarray(broken / np.maximum(total, 1e-9))


def crossing_time(t: Column, depth_m: Column, *, back: bool = False) -> tuple[float, int]:
    """When the boundary was last crossed into the forbidden side (`back`: out of it), and after which fix.

    `t` (n,) seconds, `depth_m` of the fixes believed, in order. -1: no crossing among them, the time is the first's.
    """
    depth = -depth_m if back else depth_m
    turn = np.flatnonzero((depth[:-1] <= 0) & (depth[1:] > 0))
    if not turn.size:
        return float(t[0]), -1
    place = int(turn[-1])
    share = -depth[place] / (depth[place + 1] - depth[place])
    return float(t[place] + share * (t[place + 1] - t[place])), place
