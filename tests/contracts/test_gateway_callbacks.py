"""Twilio's status callbacks at the gateway: let in by their signature alone, and reported once the broker has them."""

from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest
from twilio.request_validator import RequestValidator

from fenceline.settings import Settings
from gateway.callbacks import callback_routes
from tests.support.site import Site, running_site

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC = "https://in.fenceline.example"
QUERY = urlencode({"n": "note-1", "a": "try-1", "s": "s-17"})
FORM = {"MessageSid": "SM" + "a" * 32, "MessageStatus": "delivered", "AccountSid": "AC" + "b" * 32}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = {"TWILIO_AUTH_TOKEN": TOKEN, "GATEWAY_URL": f"{PUBLIC}/"}
    with running_site(tmp_path_factory.mktemp("site"), settings) as running:
        yield running


def call(site: Site, form: dict[str, str], query: str = QUERY, token: str = TOKEN) -> httpx.Response:
    """Call as Twilio does, which knows only the public address."""
    signature = RequestValidator(token).compute_signature(f"{PUBLIC}/v1/callbacks/twilio?{query}", form)
    return site.client.post(
        f"/v1/callbacks/twilio?{query}", data=form, headers={"X-Twilio-Signature": signature, "host": "in.example"}
    )


def test_a_signed_callback_is_a_report_and_a_repeated_one_the_same_report(site: Site) -> None:
    assert [call(site, FORM).status_code, call(site, FORM).status_code] == [204, 204]
    told = [one.value for one in site.read("notification-reports") if one.value["notification_id"] == "note-1"]
    assert len({one["report_id"] for one in told}) == 1
    assert (told[0]["outcome"], told[0]["subject_id"], told[0]["attempt_id"]) == ("delivered", "s-17", "try-1")


def test_what_twilio_did_not_sign_is_refused(site: Site) -> None:
    """Another account's token, a changed field, no signature at all."""
    before = len(site.read("notification-reports"))
    assert call(site, FORM, token="f" * 32).status_code == 403
    signature = RequestValidator(TOKEN).compute_signature(f"{PUBLIC}/v1/callbacks/twilio?{QUERY}", FORM)
    changed = FORM | {"MessageStatus": "failed"}
    headers = {"X-Twilio-Signature": signature}
    assert site.client.post(f"/v1/callbacks/twilio?{QUERY}", data=changed, headers=headers).status_code == 403
    assert site.client.post(f"/v1/callbacks/twilio?{QUERY}", data=FORM).status_code == 403
    assert len(site.read("notification-reports")) == before


@pytest.mark.parametrize(
    ("form", "query", "status", "field"),
    [
        (FORM | {"MessageStatus": "eaten"}, QUERY, 400, "MessageStatus"),
        (FORM, "a=try-1", 400, "n"),
        ({"MessageSid": "SM1"}, QUERY, 400, "MessageStatus"),
    ],
)
def test_a_signed_callback_that_says_nothing_names_what_is_wrong(
    site: Site, form: dict[str, str], query: str, status: int, field: str
) -> None:
    answer = call(site, form, query)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_a_callback_far_too_long_is_cut_off(site: Site) -> None:
    answer = site.client.post(f"/v1/callbacks/twilio?{QUERY}", content=b"a=" + b"x" * 100_000)
    assert answer.status_code == 413


def test_no_route_without_an_account() -> None:
    """A gateway that sends no SMS answers such calls like any unknown address."""
    assert callback_routes(Settings(gateway_url=PUBLIC)) == []
    assert callback_routes(Settings(twilio_auth_token=TOKEN)) == []
