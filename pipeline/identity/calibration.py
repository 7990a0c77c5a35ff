"""How often is a model wrong at a distance? From measured points to the distance for a stated rate.

False matches (FMR: other people taken for the person) and false non-matches (FNMR: the person not recognised) are known
at a few distances. Between and beyond them the rates are read off straight lines on a probit scale, on which distances
of unrelated faces come close to one line: as if they were normally distributed.

**Dlib's points** come from two published sources. The precision and recall of `face_recognition` (this network, aligned
as here) at several distances, over all 81,875,206 pairs of 12,797 photographs of 5,467 people, by J. Grimes
(jackgrimes.net/projects/face_recognition); and the number of same-person pairs in Labeled Faces in the Wild, 242,257
among 13,233 photographs, taken in proportion: 226,600. From these, FMR = TP (1 - precision) / precision / impostor
pairs. The rates agree with the 99.38 % that the model's author states for the distance 0.6. Precision is published with
two digits, so FMR is good to about a tenth at 0.5 and above, and to a third at 0.45; below that it is extrapolated.
The photographs are of public figures, of whom few are from Asia: `docs/identity.md` says what this means.
"""

from bisect import bisect_left
from statistics import NormalDist
from typing import Annotated

import msgspec

from schemas.message import Invalid, Message

_NORMAL = NormalDist()
LEAST_RATE, MOST_RATE = 1e-7, 0.5

Rate = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class Point(Message, frozen=True, kw_only=True):
    """What was measured at a distance: rates of false matches at or below it, of false non-matches above it."""

    distance: Annotated[float, msgspec.Meta(ge=0)]
    fmr: Rate
    fnmr: Rate


class Calibration(Message, frozen=True, kw_only=True):
    """A model's rates by distance; `source` says whose pairs. Points by rising distance, at least two."""

    model: str
    metric: str
    points: Annotated[tuple[Point, ...], msgspec.Meta(min_length=2)]
    source: str


DLIB = Calibration(
    model="Dlib",
    metric="euclidean",
    points=(
        Point(distance=0.45, fmr=3.3e-5, fnmr=0.41),
        Point(distance=0.50, fmr=2.3e-4, fnmr=0.16),
        Point(distance=0.55, fmr=1.1e-3, fnmr=0.04),
        Point(distance=0.60, fmr=5.3e-3, fnmr=0.01),
    ),
    source="LFW, all pairs of 12,797 photographs; J. Grimes",
)

CALIBRATIONS: dict[str, Calibration] = {"Dlib": DLIB}
"""Models whose rates are known. Others need a file made with `fenceline identity evaluate --calibrate`."""


def check(calibration: Calibration) -> Calibration:
    """`calibration`, if its points make sense.

    Raises:
        Invalid: distances that do not rise, or rates that do not move with them.
    """
    for place, (one, two) in enumerate(zip(calibration.points, calibration.points[1:], strict=False)):
        if two.distance <= one.distance:
            raise Invalid("distances must rise from point to point", f"$.points[{place + 1}].distance")
        if two.fmr <= one.fmr or two.fnmr >= one.fnmr:
            raise Invalid("with the distance, fmr must rise and fnmr must fall", f"$.points[{place + 1}]")
    return calibration


def _probit(rate: float) -> float:
    return _NORMAL.inv_cdf(rate)


def _read(at: float, xs: list[float], ys: list[float]) -> float:
    """The y at `at` on the line through the two nearest of the points (xs rising)."""
    place = min(max(bisect_left(xs, at), 1), len(xs) - 1)
    x0, x1, y0, y1 = xs[place - 1], xs[place], ys[place - 1], ys[place]
    return y0 + (y1 - y0) * (at - x0) / (x1 - x0)


def distance_for_fmr(calibration: Calibration, fmr: float) -> float:
    """The distance at or below which pairs of different people fall with the rate `fmr`."""
    points = calibration.points
    rate = min(max(fmr, LEAST_RATE), MOST_RATE)
    return max(0.0, _read(_probit(rate), [_probit(p.fmr) for p in points], [p.distance for p in points]))


def distance_for_fnmr(calibration: Calibration, fnmr: float) -> float:
    """The distance above which pairs of one person fall with the rate `fnmr`."""
    points = calibration.points
    rate = min(max(fnmr, LEAST_RATE), MOST_RATE)
    return max(0.0, _read(-_probit(rate), [-_probit(p.fnmr) for p in points], [p.distance for p in points]))


def fmr_at(calibration: Calibration, distance: float) -> float:
    """How often different people come as near as `distance`."""
    points = calibration.points
    return _NORMAL.cdf(_read(distance, [p.distance for p in points], [_probit(p.fmr) for p in points]))
