import pytest

from fenceline.conditions import BadCondition, condition

MESSAGE = {
    "type": "breach.opened",
    "confidence": 0.97,
    "late": False,
    "occurred_at": "2026-11-23T09:30:00.000Z",
    "evidence": {"distance_m": 153, "rule.name": "x"},
    "alarms": ["sos", "tamper"],
    "device": None,
}


@pytest.mark.parametrize(
    "text",
    [
        "type=breach.opened",
        "type==breach.opened",
        "type != breach.closed",
        "type=~^breach",
        "confidence>0.9",
        "confidence<=0.97",
        "late=false",
        "evidence.distance_m>=153",
        "evidence.distance_m<1000",
        "evidence.rule.name=x",
        "occurred_at>2026-11-23T17:29:59+08:00",
        "occurred_at=2026-11-23T17:30:00+08:00",
        "alarms=sos",
        "alarms=tamper",
        "device=null",
        "nothing!=1",
        "type=breach.opened ",
    ],
)
def test_a_condition_that_holds(text: str) -> None:
    assert condition(text)(MESSAGE)


@pytest.mark.parametrize(
    "text",
    [
        "type=breach",
        "confidence<0.5",
        "evidence.distance_m<99",
        "nothing=1",
        "nothing>0",
        "type.more=1",
        "alarms=jamming",
        "confidence=high",
        "occurred_at<2026-11-23T09:30:00Z",
        "late=true",
    ],
)
def test_a_condition_that_does_not_hold(text: str) -> None:
    assert not condition(text)(MESSAGE)


@pytest.mark.parametrize("text", ["", "type", "=x", "type=~[", "a b=1", "type=~("])
def test_what_is_no_condition_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(BadCondition, match=r"write FIELD=VALUE|regular expression"):
        condition(text)


def test_a_message_that_is_no_object_meets_only_not_equal() -> None:
    assert not condition("a=1")(["a"])
    assert condition("a!=1")("text")
