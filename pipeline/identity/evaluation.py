"""How often is the comparison wrong on these pairs? Rates with intervals, the curve behind them, and a calibration.

A pair that cannot be compared (no face, several, too blurred) counts as a failure to acquire and not as an error. What
is neither a match nor none is undetermined, and counted apart. Intervals are Wilson's, at 95 %: right also for few
pairs and for rates of nought. They take pairs as independent; many pairs of few people deserve wider ones.
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import msgspec

from pipeline.identity.calibration import Calibration, Point, check

Z = NormalDist().inv_cdf(0.975)
CALIBRATION_RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
LEAST_FOR_CALIBRATION = 300
"""Pairs of each kind; with fewer the rates that thresholds are set by cannot be seen at all."""


class Scored(NamedTuple):
    """A pair: whether it is one person, the distance (None: it could not be compared), and its group."""

    same: bool
    distance: float | None
    group: str = ""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """`count` of `of`, as a rate with its interval; all None where there was nothing to count."""

    count: int
    of: int
    rate: float | None
    low: float | None
    high: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of pairs at a threshold. `fmr`: of different people, taken for one; `fnmr`: of one person, not matched;
    `false_no_match`: of one person, said to be another, which is the error that costs somebody most."""

    pairs: int
    compared: int
    fmr: Share
    fnmr: Share
    false_no_match: Share
    undetermined: Share
    failure_to_acquire: Share


def share(count: int, of: int) -> Share:
    """A rate with Wilson's interval."""
    if not of:
        return Share(count=count, of=of, rate=None, low=None, high=None)
    rate = count / of
    middle = (rate + Z * Z / (2 * of)) / (1 + Z * Z / of)
    reach = Z / (1 + Z * Z / of) * sqrt(rate * (1 - rate) / of + Z * Z / (4 * of * of))
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return Share(count=count, of=of, rate=round(rate, 6), low=round(low, 6) if count else 0.0, high=round(high, 6))


def report(pairs: Sequence[Scored], match: float, no_match: float) -> Report:
    """Count `pairs`, matched at or below `match`, other people above `no_match`."""
    same = [one.distance for one in pairs if one.same and one.distance is not None]
    other = [one.distance for one in pairs if not one.same and one.distance is not None]
    every = [*same, *other]
    return Report(
        pairs=len(pairs),
        compared=len(every),
        fmr=share(sum(distance <= match for distance in other), len(other)),
        fnmr=share(sum(distance > match for distance in same), len(same)),
        false_no_match=share(sum(distance > no_match for distance in same), len(same)),
        undetermined=share(sum(match < distance <= no_match for distance in every), len(every)),
        failure_to_acquire=share(len(pairs) - len(every), len(pairs)),
    )


def by_group(pairs: Sequence[Scored], match: float, no_match: float) -> dict[str, Report]:
    """A report for each group that is named."""
    names = sorted({one.group for one in pairs if one.group})
    return {name: report([one for one in pairs if one.group == name], match, no_match) for name in names}


class CurvePoint(NamedTuple):
    """The rates if a match were what is at or below `distance`."""

    distance: float
    fmr: float
    fnmr: float


def curve(pairs: Iterable[Scored]) -> tuple[CurvePoint, ...]:
    """The rates at every distance that occurs, rising; empty without pairs of both kinds."""
    compared = sorted((one.distance, one.same) for one in pairs if one.distance is not None)
    same = sum(is_same for _, is_same in compared)
    other = len(compared) - same
    if not same or not other:
        return ()
    points: list[CurvePoint] = []
    matched = falsely = 0
    for place, (distance, is_same) in enumerate(compared):
        matched, falsely = matched + is_same, falsely + (not is_same)
        if place + 1 == len(compared) or compared[place + 1][0] > distance:
            points.append(CurvePoint(distance, falsely / other, 1 - matched / same))
    return tuple(points)


def calibrated(pairs: Sequence[Scored], model: str, metric: str, source: str) -> Calibration:
    """A calibration from `pairs`: the distances at which other people begin to match at certain rates.

    Raises:
        Invalid: the rates do not move with the distance: the model does not tell these people apart.
        ValueError: too few pairs for it.
    """
    same = sorted(one.distance for one in pairs if one.same and one.distance is not None)
    other = sorted(one.distance for one in pairs if not one.same and one.distance is not None)
    if min(len(same), len(other)) < LEAST_FOR_CALIBRATION:
        raise ValueError(
            f"{len(same)} pairs of one person and {len(other)} of different people could be compared; a calibration "
            f"needs {LEAST_FOR_CALIBRATION} of each"
        )
    points: list[Point] = []
    for rate in CALIBRATION_RATES:
        place = round(rate * len(other)) - 1
        if place < 0:
            continue
        distance = other[place]
        missed = sum(one > distance for one in same)
        fnmr = max(missed, 0.5) / (len(same) + 1)  # none seen is not none at all
        if not points or (distance > points[-1].distance and fnmr < points[-1].fnmr):
            fmr = min((place + 1) / len(other), 0.5)
            points.append(Point(distance=distance, fmr=fmr, fnmr=min(fnmr, 0.99)))
    if len(points) < 2:
        raise ValueError("the pairs show the rates at one distance only: one person's are all nearer than others'")
    return check(Calibration(model=model, metric=metric, points=tuple(points), source=source))
