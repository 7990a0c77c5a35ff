"""`fenceline token`: who may speak to the system, and for whom."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from secrets import choice, token_urlsafe
from typing import Any, TypeVar, get_args

import click
import msgspec

from fenceline import logs
from fenceline.settings import settings
from pipeline.credentials import Keyring, digest, token_text
from schemas.credential import Credential, Role
from schemas.message import to_builtins
from schemas.times import instant, parse

T = TypeVar("T")

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # none that are mistaken for another
_SPAN = re.compile(r"(\d+)([dhm])", re.ASCII)
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class _When(click.ParamType):
    name = "WHEN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        span = _SPAN.fullmatch(value)
        try:
            return datetime.now(UTC) + timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else parse(value)
        except (ValueError, OverflowError):
            self.fail("give a span such as 90d, 12h, 30m, or a time such as 2027-01-01T00:00:00Z", param, ctx)


@click.group()
def command() -> None:
    """Issue, revoke and list tokens. They are kept, as hashes, on the topic `credentials`."""


@command.command()
@click.option("--role", type=click.Choice(get_args(Role)), required=True, help="What the holder is.")
@click.option(
    "--device", "device_ids", multiple=True, metavar="ID", help="A device it reports for; again for more; * for all."
)
@click.option("--principal", default="", metavar="NAME", help="Who holds it; default: the device.")
@click.option("--agency", default="", help="For agencies and officers: whose.")
@click.option("--expires", type=_When(), default=None, help="A span (90d, 12h) or a time; default: never.")
@click.option(
    "--rate", "fixes_per_s", type=click.FloatRange(min=0, min_open=True), default=None, help="Fixes a second."
)
def issue(
    *,
    role: Role,
    device_ids: tuple[str, ...],
    principal: str,
    agency: str,
    expires: datetime | None,
    fixes_per_s: float | None,
) -> None:
    """Make a token and print it, this once: its secret is not kept.

    Example: fenceline token issue --role device --device bracelet-17 --expires 90d
    """
    if role == "device" and not device_ids:
        raise click.UsageError("a token of role device needs --device ID (or --device '*' for a whole feed)")
    principal = principal or (device_ids[0] if device_ids else "")
    if not principal:
        raise click.UsageError(f"a token of role {role} needs --principal NAME: who holds it")
    if expires is not None and expires <= datetime.now(UTC):
        raise click.UsageError("--expires lies in the past")
    token_id = "".join(choice(_ALPHABET) for _ in range(10))
    secret = token_urlsafe(32)
    credential = Credential(
        token_id=token_id,
        principal=principal,
        role=role,
        device_ids=device_ids,
        agency=agency,
        secret_sha256=digest(secret),
        created_at=instant(datetime.now(UTC)),
        expires_at=expires and instant(expires),
        fixes_per_s=fixes_per_s,
    )
    _run(lambda store: store.write(credential))
    _say({"token": token_text(token_id, secret), **_shown(credential)})


@command.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """End a token, by its id (the middle part of fl_<id>_<secret>). Gateways refuse it within seconds."""
    wanted = token_id.split("_")[1] if token_id.startswith("fl_") and token_id.count("_") >= 1 else token_id

    async def end(store: Any) -> Credential | None:
        known: dict[str, Credential] = {one.token_id: one for one in (await store.read()).all()}
        if wanted not in known:
            return None
        ended = msgspec.structs.replace(known[wanted], revoked_at=instant(datetime.now(UTC)))
        await store.write(ended)
        return ended

    ended = _run(end)
    if ended is None:
        raise click.ClickException(f"no token {wanted!r}; `fenceline token list` shows them")
    _say(_shown(ended))


@command.command("list")
def list_() -> None:
    """Print every token's record, one JSON object a line; secrets are not known."""

    async def read(store: Any) -> Keyring:
        ring: Keyring = await store.read()
        return ring

    for credential in _run(read).all():
        _say(_shown(credential))


def _shown(credential: Credential) -> dict[str, Any]:
    return {name: value for name, value in to_builtins(credential).items() if name != "secret_sha256"}


def _say(value: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(value).decode())


def _run(work: Callable[[Any], Awaitable[T]]) -> T:
    from aiokafka.errors import KafkaError  # noqa: PLC0415  # --help need not wait for it

    from gateway.keystore import KeyStore  # noqa: PLC0415

    async def inside() -> T:
        async with KeyStore(settings().broker) as store:
            return await work(store)

    logs.configure(logging.WARNING)
    try:
        return asyncio.run(inside())
    except (KafkaError, OSError, TimeoutError) as error:
        raise click.ClickException(
            f"the broker at {settings().broker} did not answer ({type(error).__name__}); is FENCELINE_BROKER right, "
            "and does `fenceline topics create` say that the topics are there?"
        ) from error
