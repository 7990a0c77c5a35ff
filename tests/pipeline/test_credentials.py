import pytest

from pipeline.credentials import Denied, Keyring, covers, digest, only_device, token_text
from schemas.credential import Credential
from schemas.message import Invalid, encode
from schemas.times import from_epoch

SECRET = "s" * 40
NOW = from_epoch(1_000_000)


def _credential(**fields: object) -> Credential:
    given = {"token_id": "abcd", "principal": "li", "role": "device", "device_ids": ("d",)} | fields
    return Credential(secret_sha256=digest(SECRET), created_at=from_epoch(0), **given)  # type: ignore[arg-type]


def _ring(*credentials: Credential) -> Keyring:
    ring = Keyring()
    for one in credentials:
        ring.learn(one.token_id.encode(), encode(one))
    return ring


def test_a_right_token_gives_its_credential() -> None:
    assert _ring(_credential()).check(token_text("abcd", SECRET), NOW) == _credential()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing"),
        ("abcd", "malformed"),
        ("fl_abcd_short", "malformed"),
        ("fl_ABCD_" + SECRET, "malformed"),
        ("fl_abcd_" + SECRET + "é", "malformed"),
        (" fl_abcd_" + SECRET, "malformed"),
        ("fl_abcd_" + "t" * 40, "unknown"),
        ("fl_efgh_" + SECRET, "unknown"),
        ("fl_efgh_" + "0" * 64, "unknown"),
    ],
)
def test_a_wrong_token_is_denied(text: str, reason: str) -> None:
    with pytest.raises(Denied) as caught:
        _ring(_credential()).check(text, NOW)
    assert (caught.value.reason, caught.value.credential) == (reason, None)


def test_what_a_session_began_with_holds_until_it_ends() -> None:
    ring = _ring(_credential(expires_at=from_epoch(NOW.timestamp() + 1)))
    assert ring.holding("abcd", NOW).principal == "li"
    for token_id, at_s, reason in (("abcd", 2, "expired"), ("efgh", 0, "unknown")):
        with pytest.raises(Denied) as caught:
            ring.holding(token_id, from_epoch(NOW.timestamp() + at_s))
        assert caught.value.reason == reason


@pytest.mark.parametrize(("field", "reason"), [("expires_at", "expired"), ("revoked_at", "revoked")])
def test_a_token_ends_at_its_moment(field: str, reason: str) -> None:
    """Its holder is known all the same, so that what it sends can be kept."""
    ring = _ring(_credential(**{field: NOW}))
    assert ring.check(token_text("abcd", SECRET), from_epoch(999_999))
    with pytest.raises(Denied) as caught:
        ring.check(token_text("abcd", SECRET), NOW)
    assert caught.value.reason == reason
    assert caught.value.credential is not None


def test_the_latest_record_of_a_token_holds() -> None:
    ring = _ring(_credential(), _credential(revoked_at=NOW))
    assert len(ring) == 1
    with pytest.raises(Denied):
        ring.check(token_text("abcd", SECRET), NOW)
    ring.learn(b"abcd", None)
    assert ring.all() == []


@pytest.mark.parametrize("value", [b"", b"{", b"{}", b"null", encode(_credential(token_id="efgh"))])
def test_an_unusable_record_changes_nothing(value: bytes) -> None:
    ring = _ring(_credential())
    with pytest.raises(Invalid):
        ring.learn(b"abcd", value)
    assert ring.all() == [_credential()]


def test_which_devices_a_token_covers() -> None:
    assert covers(_credential(), "d")
    assert not covers(_credential(), "D")
    assert not covers(_credential(device_ids=()), "d")
    assert covers(_credential(device_ids=("*",)), "anything")
    assert only_device(_credential()) == "d"
    assert only_device(_credential(device_ids=("*",))) is only_device(_credential(device_ids=("a", "b"))) is None


def test_a_name_checked_elsewhere_is_vouched_for_by_id_or_principal() -> None:
    """For MQTT: any of the principal's tokens that holds and covers the device."""
    ring = _ring(_credential(revoked_at=NOW), _credential(token_id="efgh", device_ids=("e",)))
    assert ring.vouched("li", "d", NOW) is None
    assert ring.vouched("abcd", "d", NOW) is None
    found = ring.vouched("li", "e", NOW)
    assert found is not None
    assert found == ring.vouched("efgh", "e", NOW)
    assert ring.vouched("nobody", "e", NOW) is None


def test_a_token_that_changes_hands_leaves_its_old_principal() -> None:
    ring = _ring(_credential(), _credential(principal="wu"))
    assert ring.vouched("li", "d", NOW) is None
    assert ring.vouched("wu", "d", NOW) is not None
