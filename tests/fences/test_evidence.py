"""When a chance becomes a verdict, and how the risk is shared among looks."""

from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from fences.evidence import LOOK_S, VerdictRule


def test_who_reports_four_times_as_often_is_judged_four_times_as_carefully() -> None:
    rule = VerdictRule(open_at=0.992)
    assert rule.opens_at(LOOK_S) == approx(0.992)
    assert rule.opens_at(4 * LOOK_S) == approx(0.968)
    assert rule.opens_at(LOOK_S / 4) == approx(0.998)
    assert rule.opens_at(0.0) == approx(0.992), "until it is known how often"


@given(st.floats(0, 1e6), st.floats(0.9, 0.9999))
def test_however_often_somebody_reports_the_bound_stays_between_a_quarter_and_four_times_the_risk(
    period_s: float, open_at: float
) -> None:
    risk = 1 - VerdictRule(open_at=open_at).opens_at(period_s)
    assert 0.2499 * (1 - open_at) <= risk <= 4.0001 * (1 - open_at)
