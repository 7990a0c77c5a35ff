"""Is this the same face? Match, no match or undetermined, from distances and two stated rates of error.

- **match**: so near that other people come as near with at most the stated rate of false matches. With several
  templates the nearest one counts, and others get as many chances, so each is held to its part of the rate.
- **no_match**: so far that the person is as far with at most the stated rate of false non-matches.
- **undetermined**: in between, or nothing to go by. It is nobody's fault and never held against anyone.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

from pipeline.identity.calibration import Calibration, distance_for_fmr, distance_for_fnmr

Verdict = Literal["match", "no_match", "undetermined"]


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """The rates of error that an installation accepts, as shares of comparisons."""

    fmr: float = 1e-3
    fnmr: float = 1e-2


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """At or below `match` it is a match, above `no_match` it is none."""

    match: float
    no_match: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What a comparison came to. `distance` None: nothing could be compared. `threshold`: at or below is a match."""

    outcome: Verdict
    distance: float | None
    threshold: float | None
    no_match_above: float | None
    fmr_target: float
    why: str = ""


def thresholds(calibration: Calibration, rates: Rates, templates: int = 1) -> Thresholds:
    """The thresholds for the nearest of `templates` templates."""
    match = distance_for_fmr(calibration, rates.fmr / max(templates, 1))
    return Thresholds(match=match, no_match=max(match, distance_for_fnmr(calibration, rates.fnmr)))


def compare(distances: Sequence[Sequence[float]], calibration: Calibration | None, rates: Rates) -> Comparison:
    """Compare pictures with templates: a row a picture, a column a template.

    The middle one of the pictures' nearest distances counts, so that many pictures give nobody more chances.
    """
    nearest = [min(row) for row in distances if row]
    if not nearest:
        usual = thresholds(calibration, rates) if calibration else None
        return Comparison(
            outcome="undetermined",
            distance=None,
            threshold=round(usual.match, 4) if usual else None,
            no_match_above=round(usual.no_match, 4) if usual else None,
            fmr_target=rates.fmr,
            why="there was nothing to compare",
        )
    distance = round(median(nearest), 4)
    if calibration is None:
        return Comparison(
            outcome="undetermined",
            distance=distance,
            threshold=None,
            no_match_above=None,
            fmr_target=rates.fmr,
            why="the rates of error of this model are not known; measure them with `fenceline identity evaluate`",
        )
    limits = thresholds(calibration, rates, max(len(row) for row in distances))
    outcome: Verdict = "undetermined"
    why = "too far for a match and too near for none"
    if distance <= limits.match:
        outcome, why = "match", ""
    elif distance > limits.no_match:
        outcome, why = "no_match", "the faces are further apart than those of one person are"
    return Comparison(
        outcome=outcome,
        distance=distance,
        threshold=round(limits.match, 4),
        no_match_above=round(limits.no_match, 4),
        fmr_target=rates.fmr,
        why=why,
    )
