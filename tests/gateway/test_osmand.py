import pytest

from gateway.osmand import MPS_PER_KNOT, fix_of_json, fix_of_parameters, locations_of
from schemas.fix import Fix
from schemas.message import Invalid
from schemas.times import from_epoch

GOOD = {"id": "d", "lat": "31.2", "lon": "121.4", "timestamp": "1763899200"}
LOCATION = {"timestamp": "2025-11-23T12:00:00Z", "coords": {"latitude": 31.2, "longitude": 121.4}}


def test_every_parameter_that_is_used() -> None:
    full = GOOD | {
        **{"speed": "10", "bearing": "359.9", "altitude": "12.5", "accuracy": "7", "hdop": "2", "batt": "41.5"},
        **{"charge": "true", "sat": "9", "alarm": "sos,tampering,odd", "mock": "true", "cell": "460,1,22,333,-70"},
        **{"driverUniqueId": "x", "wifi": "a,b"},
    }
    assert fix_of_parameters(full, "d") == Fix(
        device_id="d",
        fix_time=from_epoch(1_763_899_200),
        lat=31.2,
        lon=121.4,
        accuracy_m=7.0,
        speed_mps=10 * MPS_PER_KNOT,
        course_deg=359.9,
        altitude_m=12.5,
        battery_pct=41.5,
        charging=True,
        satellites=9,
        alarms=("sos", "tamper", "odd"),
        mock=True,
        carrier="460-1",
        cell_id="22-333",
    )


@pytest.mark.parametrize(
    "text",
    [
        "1763899200",
        "1763899200000",
        "1763899200.0",
        "2025-11-23T12:00:00Z",
        "2025-11-23T20:00:00.000+08:00",
        "2025-11-23 12:00:00",
    ],
)
def test_a_time_in_each_spelling(text: str) -> None:
    fix = fix_of_parameters(GOOD | {"timestamp": text}, "d")
    assert fix is not None
    assert fix.fix_time == from_epoch(1_763_899_200)


def test_location_in_one_parameter_and_accuracy_from_hdop() -> None:
    """Five metres of range error for each unit of dilution, when the receiver gives no accuracy."""
    fix = fix_of_parameters({"location": "31.2,121.4", "timestamp": "1", "hdop": "1.5"}, "d")
    assert fix is not None
    assert (fix.lat, fix.lon, fix.accuracy_m) == (31.2, 121.4, 7.5)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lat": "91"}, "$.lat"),
        ({"lat": "nan"}, "$.lat"),
        ({"lat": "1_0"}, "$.lat"),
        ({"lat": "٣"}, "$.lat"),
        ({"lat": ""}, "$.lat"),
        ({"lon": "1e999"}, "$.lon"),
        ({"lon": "inf"}, "$.lon"),
        ({"timestamp": ""}, "$.timestamp"),
        ({"timestamp": "-5"}, "$.timestamp"),
        ({"timestamp": "9" * 30}, "$.timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "$.timestamp"),
    ],
)
def test_what_a_position_needs_is_named(change: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        fix_of_parameters(GOOD | change, "d")
    assert caught.value.field == field


@pytest.mark.parametrize(
    "given", [{"id": "d"}, {"deviceid": "d", "batt": "3"}, GOOD | {"valid": "false"}, GOOD | {"valid": "0"}]
)
def test_a_heartbeat_or_an_invalid_position_is_no_fix(given: dict[str, str]) -> None:
    assert fix_of_parameters(given, "d") is None


def test_parameters_of_something_else_are_refused() -> None:
    with pytest.raises(Invalid):
        fix_of_parameters({"hello": "world"}, "d")


def test_json_of_the_app() -> None:
    """Speed in m/s here, the battery from 0 to 1, -1 for unknown."""
    location = LOCATION | {
        "coords": LOCATION["coords"] | {"speed": -1, "heading": 12, "altitude": 3, "accuracy": 5},  # type: ignore[operator]
        "battery": {"level": 0.07, "is_charging": False},
        "mock": True,
        "extras": {"alarm": "lowBattery"},
    }
    fix = fix_of_json(location, "d")
    assert fix is not None
    assert (fix.speed_mps, fix.course_deg, fix.accuracy_m, fix.battery_pct) == (None, 12.0, 5.0, 7.0)
    assert (fix.charging, fix.mock, fix.alarms) == (False, True, ("low_battery",))


def test_what_the_app_saved_up_comes_as_several_locations() -> None:
    assert locations_of({"device_id": "d", "location": [LOCATION, LOCATION]}) == [LOCATION, LOCATION]
    assert locations_of({"device_id": "d", "location": LOCATION}) == [LOCATION]
    assert locations_of({"device_id": "d"}) == []


@pytest.mark.parametrize(
    ("location", "field"),
    [
        (3, "$.location"),
        ({"coords": 3}, "$.location.coords"),
        ({"coords": {"latitude": 1}}, "$.location.coords"),
        ({"coords": {"latitude": 1, "longitude": 2}}, "$.location"),
        (LOCATION | {"timestamp": "soon"}, "$.location.timestamp"),
        (LOCATION | {"coords": {"latitude": 91, "longitude": 2}}, "$.location.coords.latitude"),
    ],
)
def test_bad_json_is_named(location: object, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        fix_of_json(location, "d")
    assert caught.value.field == field


@pytest.mark.parametrize("payload", [None, [], {}, {"x": 1}])
def test_json_of_something_else_is_refused(payload: object) -> None:
    with pytest.raises(Invalid):
        locations_of(payload)
