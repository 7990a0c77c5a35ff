"""The ways beside us: what others do with the same fixes, in the order of their arrival.

naive: a fix outside raises the alarm. accuracy_20m: the same, fixes that claim more than 20 m left out (a common
filter of tracking servers). k_of_n: four fixes in a row deeper than their claimed accuracy. All close at the first
(naive) or fourth fix on the allowed side, and take a fix older than the last for what it says, as such servers do
(k_of_n sorts it out). Tile38 is asked in `tile38.py`.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.alarm_quality.receivers import Reports
from benchmarks.alarm_quality.score import Alarm

Column = NDArray[np.float64]
FILTER_M = 20.0
FIXES = 4


def naive(fence_id: str, reports: Reports, depth_m: Column) -> list[Alarm]:
    """Alarms at each change to the forbidden side, fix by fix."""
    return _turns(fence_id, reports.t, depth_m)


def accuracy_20m(fence_id: str, reports: Reports, depth_m: Column) -> list[Alarm]:
    """As naive, over fixes that claim 20 m or better."""
    good = reports.accuracy_m <= FILTER_M
    return _turns(fence_id, reports.t[good], depth_m[good])


def k_of_n(fence_id: str, reports: Reports, depth_m: Column) -> list[Alarm]:
    """Alarms at the fourth of four fixes in a row that lie deeper than their claimed accuracy; over after four back."""
    newest = np.maximum.accumulate(reports.t)
    fresh = np.append(True, newest[1:] > newest[:-1]) & (reports.t == newest)
    t, depth, claim = reports.t[fresh], depth_m[fresh], reports.accuracy_m[fresh]
    found, over, back, broken, since = [], 0, 0, False, 0.0
    for at, deep, sure in zip(t.tolist(), depth.tolist(), claim.tolist(), strict=True):
        if deep > sure:
            since = at if over == 0 else since
            over, back = over + 1, 0
        elif deep <= 0:
            over, back = 0, back + 1
        else:
            over = 0
        if not broken and over >= FIXES:
            broken = True
            found.append(Alarm(fence_id, since, at, math.inf))
        elif broken and back >= FIXES:
            broken = False
            found[-1] = replace(found[-1], over_s=at)
    return found


def _turns(fence_id: str, t: Column, depth_m: Column) -> list[Alarm]:
    out = np.concatenate([[False], depth_m > 0])
    starts = np.flatnonzero(out[1:] & ~out[:-1])
    ends = np.append(np.flatnonzero(out[:-1] & ~out[1:]), len(t))[: len(starts)]
    until = np.append(t, math.inf)[ends]
    return [Alarm(fence_id, at, at, over) for at, over in zip(t[starts].tolist(), until.tolist(), strict=True)]


PEERS: dict[str, Callable[[str, Reports, Any], list[Alarm]]] = {
    "naive": naive,
    "accuracy_20m": accuracy_20m,
    "k_of_n": k_of_n,
}
