"""Rates, their intervals, and the calibration that is made of measured pairs."""

from statistics import NormalDist

import pytest

from pipeline.identity.calibration import distance_for_fmr, fmr_at
from pipeline.identity.evaluation import Scored, by_group, calibrated, curve, report, share


def _pairs(count: int) -> list[Scored]:
    """Distances at even steps of two normal distributions."""
    steps = [(place + 0.5) / count for place in range(count)]
    same = [Scored(True, NormalDist(0.4, 0.07).inv_cdf(step), "a") for step in steps]
    return same + [Scored(False, NormalDist(0.8, 0.08).inv_cdf(step), "b") for step in steps]


def test_an_interval_holds_what_is_published_for_it() -> None:
    # Wilson's interval for 0 of 10 and 5 of 10, e.g. Brown, Cai and DasGupta (2001)
    assert share(0, 10).high == pytest.approx(0.2775, abs=1e-3)
    assert (share(5, 10).low, share(5, 10).high) == pytest.approx((0.2366, 0.7634), abs=1e-3)
    assert share(0, 0).rate is None


def test_errors_are_counted_apart_from_what_could_not_be_compared() -> None:
    pairs = [Scored(True, 0.3), Scored(True, 0.58), Scored(True, 0.7), Scored(True, None), Scored(False, 0.5)]
    pairs += [Scored(False, 0.9)]
    found = report(pairs, 0.55, 0.6)
    assert (found.fmr.count, found.fmr.of) == (1, 2)
    assert (found.fnmr.count, found.fnmr.of) == (2, 3)
    assert (found.false_no_match.count, found.undetermined.count, found.failure_to_acquire.count) == (1, 1, 1)
    assert curve(pairs)[-1][1:] == (1.0, 0.0)
    assert curve([Scored(True, 0.3)]) == ()


def test_a_calibration_gives_back_the_rates_that_it_was_made_of() -> None:
    pairs = _pairs(5000)
    made = calibrated(pairs, "M", "cosine", "even steps")
    truth = NormalDist(0.8, 0.08)
    for rate in (1e-3, 1e-2, 5e-2):
        assert distance_for_fmr(made, rate) == pytest.approx(truth.inv_cdf(rate), abs=0.005)
    assert fmr_at(made, 0.6) == pytest.approx(truth.cdf(0.6), rel=0.1)
    assert set(by_group(pairs, 0.5, 0.6)) == {"a", "b"}
    with pytest.raises(ValueError, match="needs 300"):
        calibrated(_pairs(100), "M", "cosine", "few")
