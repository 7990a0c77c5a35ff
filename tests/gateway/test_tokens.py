from base64 import b64encode
from http import HTTPStatus

import pytest

from gateway.problems import Refused
from gateway.tokens import NotCovered, Shown, admitted, device_of, refusal_of, shown_in
from pipeline.credentials import Keyring, digest
from schemas.credential import Credential
from schemas.message import Invalid, encode
from schemas.times import from_epoch

NOW = from_epoch(1_000_000)


def _credential(*device_ids: str, **fields: object) -> Credential:
    given = {"token_id": "abcd", "principal": "p", "role": "device", "secret_sha256": digest("s" * 20)} | fields
    return Credential(**given, device_ids=device_ids, created_at=from_epoch(0))  # type: ignore[arg-type]


def _basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "in_url", "shown"),
    [
        ({"authorization": "Bearer t"}, "", Shown("t")),
        ({"authorization": "bearer  t "}, "u", Shown("t")),
        (_basic("li", "t"), "", Shown("t", "li")),
        (_basic("t", ""), "", Shown("t")),
        (_basic("li", "a:b"), "", Shown("a:b", "li")),
        ({"authorization": "Basic %%%"}, "u", Shown("u")),
        ({"authorization": "Basic /w=="}, "", Shown("")),
        ({"authorization": "Digest x"}, "u", Shown("u")),
        ({}, "u", Shown("u")),
        ({}, "", Shown("")),
    ],
)
def test_where_a_token_may_stand(headers: dict[str, str], in_url: str, shown: Shown) -> None:
    assert shown_in(headers, in_url) == shown


def test_only_senders_may_send() -> None:
    ring = Keyring()
    ring.learn(b"abcd", encode(_credential("d", role="officer")))
    with pytest.raises(Refused) as caught:
        admitted(ring, Shown("fl_abcd_" + "s" * 20), {"device"}, NOW)
    assert caught.value.status is HTTPStatus.FORBIDDEN


def test_a_device_is_who_its_token_says() -> None:
    one, several, fleet = _credential("a"), _credential("a", "b"), _credential("*")
    assert device_of(one, []) == device_of(one, [None, ""], "li") == device_of(one, ["a"]) == "a"
    assert device_of(several, ["b"], "a") == device_of(fleet, ["b"]) == "b"
    assert device_of(several, [], "b") == "b"
    for credential, claims in ((one, ["b"]), (several, ["c"]), (one, ["a", "b"])):
        with pytest.raises(NotCovered):
            device_of(credential, claims)
    for login in ("", "li"):
        with pytest.raises(Invalid, match="names none"):
            device_of(several, [], login)


def test_refusals_have_their_status() -> None:
    assert refusal_of(NotCovered("d")).status is HTTPStatus.FORBIDDEN
    assert refusal_of(Invalid("x", "$.lat")).status is HTTPStatus.BAD_REQUEST
