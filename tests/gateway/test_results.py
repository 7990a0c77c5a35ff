"""What the gateway knows of results: the last of each check-in, and when each person may try again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway import results
from gateway.results import Results
from schemas.checkin import CheckinResult
from schemas.message import Invalid, convert, encode
from schemas.times import instant

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _result(name: str, second: float, **fields: Any) -> bytes:
    at = str(instant(NOON + timedelta(seconds=second)))
    given = {"result_id": name, "checkin_id": name, "subject_id": "s1", "at": at, "state": "rejected"}
    return encode(convert(given | fields, CheckinResult))


def test_the_latest_result_says_when_to_try_again_in_whatever_order_they_come() -> None:
    known = Results("nowhere:1")
    retry_at = str(instant(NOON + timedelta(seconds=35)))
    known.learn(_result("c5", 5, retry_at=retry_at))
    known.learn(_result("c4", 4))
    assert str(known.retry_at("s1")) == retry_at
    assert known.retry_at("s2") is None
    known.learn(_result("c6", 40, state="done"))
    assert known.retry_at("s1") is None
    assert known.of("c5") is not None
    assert known.of("c9") is None
    with pytest.raises(Invalid):
        known.learn(b"{}")


def test_no_more_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST", 2)
    known = Results("nowhere:1")
    for number in range(4):
        known.learn(_result(f"c{number}", number, subject_id=f"s{number}"))
    assert [known.of(f"c{number}") is not None for number in range(4)] == [False, False, True, True]
    assert len(known._of_person) == 2
