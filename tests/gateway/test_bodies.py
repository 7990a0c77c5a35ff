import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bodies import TooLarge, raw_at, read_fixes, unpacked
from schemas.message import Invalid

GOOD = {"device_id": "d", "fix_time": "2026-11-23T12:00:00Z", "lat": 1, "lon": 2}
BAD = GOOD | {"lat": 91}
LINE = json.dumps(GOOD).encode()


@given(st.binary(max_size=2000), st.sampled_from(["", "application/x-ndjson"]))
def test_any_bytes_are_read_or_named(body: bytes, content_type: str) -> None:
    """Whatever comes: fixes and what is none, nothing raised, nothing passed over in silence."""
    reading = read_fixes(body, content_type, 100)
    assert len(reading.fixes) == len(reading.places)
    assert reading.fixes or reading.unusable or json.loads(body) == []


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.booleans())
def test_good_and_bad_are_told_apart_by_place(goods: list[bool], lines: bool) -> None:
    parts = [json.dumps(GOOD if good else BAD).encode() for good in goods]
    body = b"\n".join(parts) if lines else b"[" + b",".join(parts) + b"]"
    reading = read_fixes(body, "", 100)
    assert reading.places == [place for place, good in enumerate(goods) if good]
    if len(parts) > 1 or not lines:
        assert [(one.place, one.raw) for one in reading.unusable] == [
            (place, parts[place]) for place, good in enumerate(goods) if not good
        ]
    assert all(raw_at(reading, place).strip() == parts[place] for place in reading.places)
    assert {one.device_id for one in reading.unusable} <= {"d"}


def test_an_object_over_several_lines_is_one_object() -> None:
    assert len(read_fixes(json.dumps(GOOD, indent=2).encode(), "application/x-ndjson", 1).fixes) == 1
    broken = json.dumps(BAD, indent=2).encode()
    (one,) = read_fixes(broken, "", 1).unusable
    assert (one.raw, one.why.field) == (broken, "$.lat")


def test_an_array_within_lines_is_refused_by_itself() -> None:
    reading = read_fixes(LINE + b"\n[" + LINE + b"]\n" + LINE, "", 10)
    assert reading.places == [0, 2]
    assert reading.unusable[0].place == 1


@pytest.mark.parametrize(
    "body", [b"[" + b",".join([LINE] * 11) + b"]", b"\n".join([LINE] * 11), b"[" + b"1," * 10 + b"1]"]
)
def test_more_fixes_than_allowed(body: bytes) -> None:
    with pytest.raises(TooLarge, match="11 fixes"):
        read_fixes(body, "", 10)


@given(st.binary(max_size=5000), st.integers(1, 5000))
def test_unpacking_stops_at_the_limit(body: bytes, limit_bytes: int) -> None:
    packed = gzip.compress(body)
    if len(body) <= limit_bytes:
        assert unpacked(packed, "gzip", limit_bytes) == body
    else:
        with pytest.raises(TooLarge):
            unpacked(packed, "gzip", limit_bytes)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", ""]))
def test_no_packed_bytes_do_harm(body: bytes, encoding: str) -> None:
    try:
        assert len(unpacked(body, encoding, 1000)) <= 1000
    except Invalid:
        assert encoding or body.startswith(b"\x1f\x8b")  # what looks packed is unpacked, whatever it is said to be


def test_gzip_in_several_members_and_deflate() -> None:
    assert unpacked(gzip.compress(b"ab") + gzip.compress(b"cd") + b"\0\0", "x-gzip", 10) == b"abcd"
    assert unpacked(zlib.compress(b"abc"), "DEFLATE", 10) == b"abc"
    with pytest.raises(TooLarge):
        unpacked(gzip.compress(b"a" * 6) * 2, "gzip", 10)
    with pytest.raises(Invalid, match="cut short"):
        unpacked(gzip.compress(b"abc")[:-1], "gzip", 10)
    with pytest.raises(Invalid, match="Content-Encoding"):
        unpacked(b"", "zstd", 10)
