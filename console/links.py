"""How does somebody sign in without typing a token? With a link that holds a quarter of an hour and works once.

The link's code stands in the fragment of the address, which browsers send to nobody. What it stands for, a token made
for this one person that ends with the session, lies in Redis sealed with the code.
"""

from datetime import UTC, datetime, timedelta
from secrets import choice, token_urlsafe
from typing import NamedTuple

import redis.asyncio as redis

from console.seals import name_of, new_secret, opened, seal
from fenceline.settings import Settings
from gateway.keystore import KeyStore
from pipeline.credentials import digest, token_text
from schemas.credential import Credential, Role
from schemas.times import instant

LINK_S = 900
_PREFIX = "fenceline:link:"
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Ticket(NamedTuple):
    """A link to be: `code` for the address, `credential` for its topic; `token` is told to nobody."""

    code: str
    token: str
    credential: Credential


def new_ticket(role: Role, principal: str, agency: str, lasts_s: float, device_ids: tuple[str, ...] = ()) -> Ticket:
    """A token for `principal` that ends after `lasts_s`, and a code that will stand for it."""
    token_id, secret, now = "".join(choice(_ALPHABET) for _ in range(10)), token_urlsafe(32), datetime.now(UTC)
    credential = Credential(
        token_id=token_id,
        principal=principal,
        role=role,
        agency=agency,
        device_ids=device_ids,
        secret_sha256=digest(secret),
        created_at=instant(now),
        expires_at=instant(now + timedelta(seconds=LINK_S + lasts_s)),
    )
    return Ticket(new_secret(), token_text(token_id, secret), credential)


async def put(store: "redis.Redis", ticket: Ticket) -> None:
    """Make the link work, from now for `LINK_S`.

    Raises:
        RedisError: Redis is away.
    """
    await store.set(_PREFIX + name_of(ticket.code), seal(ticket.code, ticket.token), ex=LINK_S)


async def token_behind(store: "redis.Redis", code: str) -> str | None:
    """The token that a link stands for; None when the link is over, used or made up. Does not use it up.

    Raises:
        RedisError: Redis is away.
    """
    sealed: bytes | None = await store.get(_PREFIX + name_of(code))  # type: ignore[assignment]  # we ask for bytes
    return None if sealed is None else opened(code, sealed)


async def use_up(store: "redis.Redis", code: str) -> bool:
    """Use a link up; False when someone was quicker.

    Raises:
        RedisError: Redis is away.
    """
    return bool(await store.delete(_PREFIX + name_of(code)))


def address(console_url: str, role: Role, code: str) -> str:
    """The link itself, for a desk or for a person's page."""
    page = "me" if role == "subject" else "desk"
    return f"{console_url.rstrip('/')}/{page}#in={code}"


async def make_link(
    settings: Settings, role: Role, principal: str, agency: str, url: str, device_ids: tuple[str, ...] = ()
) -> str:
    """A link for `principal`, which works from now on.

    Raises:
        RedisError: Redis is away.
        KafkaError, OSError, TimeoutError: the broker is away.
    """
    ticket = new_ticket(role, principal, agency, settings.console_session_h * 3600, device_ids)
    store = redis.from_url(settings.redis_url)
    try:
        await put(store, ticket)
        async with KeyStore(settings.broker) as keys:
            await keys.write(ticket.credential)
    finally:
        await store.aclose()
    return address(url, role, ticket.code)
