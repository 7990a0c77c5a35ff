"""Whose request is this? The token in it, checked; and the device it speaks for."""

import binascii
from base64 import b64decode
from collections.abc import Collection, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple

from gateway.problems import Refused, bad
from pipeline.credentials import Denied, Keyring, covers, only_device
from schemas.credential import Credential, Role
from schemas.message import Invalid

SENDERS: frozenset[Role] = frozenset({"device", "service"})
"""Roles that may report positions."""

_HINT = "ask the operator for a token: fenceline token issue --role device --device ID"


class Shown(NamedTuple):
    """What a request shows of its sender: a token, and the user name beside it (HTTP Basic) if any."""

    token: str
    user: str = ""


def shown_in(headers: Mapping[str, str], token: str = "") -> Shown:
    """The token in `headers` (Bearer, or the password of Basic), else `token`, which stood in the URL."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return Shown(value.strip())
        case "basic":
            try:
                user, _, password = b64decode(value.strip(), validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return Shown(token)
            return Shown(password or user, user if password else "")
    return Shown(token)


def admitted(keyring: Keyring, shown: Shown, roles: Collection[Role], now: datetime) -> Credential:
    """The credential of the sender.

    Raises:
        Refused: 401 without a token that holds, 403 when its role may not do this.
        Denied: the token is right, but expired or revoked; `credential` is set.
    """
    try:
        credential = keyring.check(shown.token, now)
    except Denied as denied:
        if denied.credential is not None:
            raise
        raise unauthorized(denied) from denied
    if credential.role not in roles:
        raise Refused(HTTPStatus.FORBIDDEN, "wrong_role", f"a token of role {credential.role} may not do this")
    return credential


def unauthorized(denied: Denied) -> Refused:
    """The refusal of a token that does not hold."""
    return Refused(HTTPStatus.UNAUTHORIZED, f"token_{denied.reason}", str(denied), hint=_HINT)


class NotCovered(Invalid):
    """A message of a device that the token does not cover."""

    def __init__(self, device_id: str) -> None:
        super().__init__(f"the token does not cover device {device_id!r}", "$.device_id")
        self.device_id = device_id


def refusal_of(why: Invalid) -> Refused:
    """The answer to a message that `why` speaks against: 403 for a device not covered, else 400."""
    if not isinstance(why, NotCovered):
        return bad(why)
    return Refused(
        HTTPStatus.FORBIDDEN,
        "device_not_covered",
        why.reason,
        field=why.field,
        hint="report under the device the token was issued for, or have a token issued for this one",
    )


def device_of(credential: Credential, claims: Collection[str | None], fallback: str = "") -> str:
    """The device that a message is of: the credential's own, or the one claimed if it covers several.

    `claims`: the device's names in the message. `fallback`: a name that may be another's (a login), taken only when
    the credential covers several devices and nothing else is said.

    Raises:
        NotCovered: any claim is of a device that the credential does not cover.
        Invalid: the credential covers several devices, and none is named.
    """
    named = [claim[:128] for claim in claims if claim]
    for claim in named:
        if not covers(credential, claim):
            raise NotCovered(claim)
    own = only_device(credential)
    if own is not None:
        return own
    if named:
        return named[0]
    if fallback and covers(credential, fallback):
        return fallback[:128]
    raise Invalid("the token covers several devices and the message names none", "$.device_id")
