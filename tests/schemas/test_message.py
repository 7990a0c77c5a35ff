"""Messages are read strictly, written the same way every time, and refused with the field's name."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fix import Fix, decode_fixes, decode_fixes_apart, normalised
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import Invalid, decode, encode, to_builtins
from schemas.reference import Fence
from schemas.times import Instant, from_epoch, instant, parse, written

GOOD = {"device_id": "d1", "fix_time": "2026-11-23T09:30:00.125Z", "lat": 30.25, "lon": 120.15}


def raw(**changes: object) -> bytes:
    return msgspec.json.encode({**GOOD, **changes})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lat": 91}, "$.lat"),
        ({"lat": -90.0001}, "$.lat"),
        ({"lon": 180.1}, "$.lon"),
        ({"lat": "30.25"}, "$.lat"),
        ({"lat": None}, "$.lat"),
        ({"fix_time": "yesterday"}, "$.fix_time"),
        ({"fix_time": "2026-11-23T09:30:00"}, "$.fix_time"),
        ({"fix_time": 1763890200}, "$.fix_time"),
        ({"device_id": ""}, "$.device_id"),
        ({"device_id": "x" * 129}, "$.device_id"),
        ({"accuracy_m": -1}, "$.accuracy_m"),
        ({"datum": "wgs72"}, "$.datum"),
        ({"alarms": "sos"}, "$.alarms"),
        ({"satellites": 1.5}, "$.satellites"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        decode_fixes(raw(**changes))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[",
        b"null",
        b"17",
        b'"x"',
        b"\xff\xfe",
        b"[17]",
        b"{}",
        b'{"lat":NaN}',
        b'{"lat":Infinity}',
        b"\x00",
    ],
)
def test_what_is_not_a_fix_is_refused_not_raised_through(body: bytes) -> None:
    with pytest.raises(Invalid):
        decode_fixes(body)


def test_a_number_too_great_for_a_float_is_refused() -> None:
    with pytest.raises(Invalid):
        decode_fixes(raw().replace(b"30.25", b"1e999"))


@pytest.mark.parametrize("name", ["device_id", "fix_time", "lat", "lon"])
def test_a_missing_required_field_is_named(name: str) -> None:
    body = msgspec.json.encode({key: value for key, value in GOOD.items() if key != name})
    with pytest.raises(Invalid, match=name):
        decode_fixes(body)


def test_unknown_fields_are_ignored() -> None:
    (fix,) = decode_fixes(raw(colour="red", nested={"a": [1]}))
    assert fix.lat == GOOD["lat"]


def test_a_bad_fix_in_a_frame_is_named_by_its_place() -> None:
    with pytest.raises(Invalid) as refusal:
        decode_fixes(b"[" + raw() + b"," + raw(lat=91) + b"]")
    assert refusal.value.field == "$[1].lat"


def test_a_bad_fix_in_a_frame_costs_only_itself() -> None:
    good, bad = decode_fixes_apart(b"[" + raw() + b"," + raw(lat=91) + b"," + raw(device_id="d2") + b"]")
    assert [fix.device_id for fix in good] == ["d1", "d2"]
    assert [(place, why.field) for place, _, why in bad] == [(1, "$.lat")]
    assert bad[0][1] == raw(lat=91)


def test_times_are_written_in_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 23, 17, 30, 0, 125999, timezone(timedelta(hours=8)))
    assert str(instant(moment)) == "2026-11-23T09:30:00.125Z"
    fix = Fix(device_id="d", fix_time=moment, lat=0.0, lon=0.0)
    assert b'"2026-11-23T09:30:00.125Z"' in encode(normalised(fix))


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        instant(datetime(2026, 1, 1))


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_a_written_time_reads_back_the_same(moment: datetime) -> None:
    at = instant(moment)
    assert parse(str(at)) == at
    assert timedelta(0) <= moment - at < timedelta(milliseconds=1)
    assert from_epoch(at.timestamp()) == at
    assert written(at.timestamp()) == str(at)


def test_a_message_reads_back_as_it_was_written() -> None:
    at = from_epoch(1_763_890_200.5)
    incident = Incident(
        incident_id=event_id("x"),
        type="breach.opened",
        subject_id="s",
        occurred_at=at,
        detected_at=at,
        evidence={"fixes": [{"lat": 1.5}]},
    )
    again = decode(encode(incident), Incident)
    assert again == incident
    assert type(again.occurred_at) is Instant
    assert encode(again) == encode(incident)
    assert to_builtins(incident)["occurred_at"] == "2025-11-23T09:30:00.500Z"


def test_ids_depend_on_where_the_parts_end() -> None:
    assert event_id("ab", "c") != event_id("a", "bc")
    assert event_id("ab", "c") == event_id("ab", "c")


def test_a_fence_without_a_datum_is_refused() -> None:
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [0, 0]},
        "properties": {"fence_id": "f", "rule": "stay_in", "buffer_m": 10},
    }
    with pytest.raises(Invalid, match="datum"):
        decode(msgspec.json.encode(feature), Fence)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    try:
        decode_fixes(body)
    except Invalid as refusal:
        assert refusal.reason
