"""`fenceline link` says what it lacks before it makes anything."""

import pytest
from click.testing import CliRunner

from console.links import address, new_ticket
from console.seals import new_secret, opened, seal
from fenceline.cli import main
from pipeline.credentials import Keyring
from schemas.message import encode


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--principal", "chen", "--agency", "a"], "FENCELINE_CONSOLE_URL"),
        (["--principal", "chen", "--url", "http://desk"], "--agency"),
        (["--role", "device", "--principal", "d1", "--url", "http://desk"], "--role"),
        (["--url", "http://desk"], "--principal"),
    ],
)
def test_what_is_missing_is_asked_for(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(main, ["link", *arguments])
    assert done.exit_code == 2
    assert says in done.output


def test_a_link_stands_for_a_token_that_ends_with_the_session() -> None:
    ticket = new_ticket("officer", "chen", "a", 3600.0)
    assert ticket.credential.expires_at is not None
    assert (ticket.credential.expires_at - ticket.credential.created_at).total_seconds() == 3600 + 900
    ring = Keyring()
    ring.learn(ticket.credential.token_id.encode(), encode(ticket.credential))
    assert ring.check(ticket.token, ticket.credential.created_at).principal == "chen"
    assert ticket.token not in address("http://desk/", "officer", ticket.code)
    assert address("http://desk/", "officer", "c") == "http://desk/desk#in=c"
    assert address("http://desk", "subject", "c") == "http://desk/me#in=c"


def test_what_is_sealed_opens_with_its_own_secret_only() -> None:
    mine, other = new_secret(), new_secret()
    sealed = seal(mine, "a token")
    assert b"token" not in sealed
    assert opened(mine, sealed) == "a token"
    for secret, raw in ((other, sealed), (mine, sealed[:-1] + bytes([sealed[-1] ^ 1]))):
        with pytest.raises(ValueError, match="another secret, or changed"):
            opened(secret, raw)
