import pytest

from gateway.owntracks import NOT_POSITIONS, device_in_topic, fix_of
from schemas.fix import Fix
from schemas.message import Invalid
from schemas.times import from_epoch

GOOD = {"_type": "location", "lat": 31.2, "lon": 121.4, "tst": 1_763_899_200}


def test_every_field_that_is_used() -> None:
    full = GOOD | {
        **{"acc": 12, "vel": 36, "cog": 90, "alt": -3, "batt": 55, "bs": 3, "source": "gps", "mcc": 460, "mnc": 0},
        **{"cid": 12345, "conn": "m", "tid": "x", "t": "p", "inregions": ["home"], "created_at": 1},
    }
    assert fix_of(full, "d") == Fix(
        device_id="d",
        fix_time=from_epoch(1_763_899_200),
        lat=31.2,
        lon=121.4,
        accuracy_m=12.0,
        speed_mps=10.0,
        course_deg=90.0,
        altitude_m=-3.0,
        battery_pct=55.0,
        charging=True,
        provider="gnss",
        carrier="460-0",
        cell_id="12345",
    )


@pytest.mark.parametrize(
    "sentinel",
    [
        {"cog": -1},
        {"vel": -1},
        {"acc": -1},
        {"acc": 0},
        {"batt": -1},
        {"batt": 101},
        {"bs": 0},
        {"bs": "2"},
        {"vel": None},
        {"vel": "fast"},
        {"alt": 1e300},
        {"mcc": True, "mnc": 1},
        {"cid": -5},
        {"source": 4},
    ],
)
def test_an_unusable_measurement_costs_itself_not_the_position(sentinel: dict[str, object]) -> None:
    """iOS writes -1 for what it does not know."""
    assert fix_of(GOOD | sentinel, "d") == fix_of(GOOD, "d")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lat": 91}, "$.lat"),
        ({"lat": "north"}, "$.lat"),
        ({"lat": None}, "$.lat"),
        ({"lat": True}, "$.lat"),
        ({"lat": float("nan")}, "$.lat"),
        ({"lat": 10**400}, "$.lat"),
        ({"lon": -180.5}, "$.lon"),
        ({"tst": -1}, "$.tst"),
        ({"tst": 1e300}, "$.tst"),
        ({"tst": []}, "$.tst"),
        ({"_type": "encrypted"}, "$._type"),
        ({"_type": "other"}, "$._type"),
        ({"_type": ["location"]}, "$._type"),
    ],
)
def test_what_a_position_needs_is_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        fix_of(GOOD | change, "d")
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["lat", "lon", "tst", "_type"])
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(Invalid, match=name):
        fix_of({key: value for key, value in GOOD.items() if key != name}, "d")


@pytest.mark.parametrize("kind", NOT_POSITIONS)
def test_other_messages_carry_no_position(kind: str) -> None:
    assert fix_of({"_type": kind, "lat": 1, "lon": 2, "tst": 3}, "d") is None


@pytest.mark.parametrize("payload", [None, [], "x", 3])
def test_not_a_message(payload: object) -> None:
    with pytest.raises(Invalid):
        fix_of(payload, "d")


def test_a_topic_names_user_and_device() -> None:
    assert device_in_topic("owntracks/li/phone") == ("li", "phone")
    for wrong in ("owntracks/li", "owntracks/li/phone/event", "owntracks//phone", ""):
        with pytest.raises(Invalid):
            device_in_topic(wrong)
