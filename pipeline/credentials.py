"""May the holder of this token do what it asks? Tokens, their check, and the devices they cover."""

import re
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from typing import Literal

from schemas.credential import ANY_DEVICE, Credential
from schemas.message import Invalid, decode

_TOKEN = re.compile(r"fl_([a-z0-9]{4,32})_([A-Za-z0-9_-]{16,128})", re.ASCII)
_NOBODY = "0" * 64

Reason = Literal["missing", "malformed", "unknown", "expired", "revoked"]

_WORDS: dict[Reason, str] = {
    "missing": "no token was given",
    "malformed": "that is not a token of the form fl_<id>_<secret>",
    "unknown": "no such token",
    "expired": "the token has expired",
    "revoked": "the token was revoked",
}


class Denied(Exception):
    """The token does not admit its holder. `credential`: set when the secret was right, so the holder is known."""

    def __init__(self, reason: Reason, credential: Credential | None = None) -> None:
        super().__init__(_WORDS[reason])
        self.reason = reason
        self.credential = credential


def digest(secret: str) -> str:
    """What is kept of a secret: its SHA-256, in hexadecimal."""
    return sha256(secret.encode()).hexdigest()


def token_text(token_id: str, secret: str) -> str:
    """The token as its holder writes it."""
    return f"fl_{token_id}_{secret}"


def covers(credential: Credential, device_id: str) -> bool:
    """Whether `credential` may report for `device_id`."""
    return device_id in credential.device_ids or ANY_DEVICE in credential.device_ids


def only_device(credential: Credential) -> str | None:
    """The one device that `credential` speaks for, or None when it speaks for several, or for any."""
    ids = credential.device_ids
    return ids[0] if len(ids) == 1 and ids[0] != ANY_DEVICE else None


def standing(credential: Credential, now: datetime) -> Reason | None:
    """Why `credential` does not hold at `now`, or None when it does."""
    if credential.revoked_at is not None and credential.revoked_at <= now:
        return "revoked"
    if credential.expires_at is not None and credential.expires_at <= now:
        return "expired"
    return None


class Keyring:
    """All credentials, as the topic `credentials` tells them: the latest of each token."""

    def __init__(self) -> None:
        self._by_id: dict[str, Credential] = {}
        self._by_principal: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def learn(self, key: bytes, value: bytes | None) -> None:
        """Take in one record of the topic; None forgets the token.

        Raises:
            Invalid: not a credential, or one whose `token_id` is not the record's key. What was known stays.
        """
        token_id = key.decode("utf-8", "replace")
        credential = None if value is None else decode(value, Credential)
        if credential is not None and credential.token_id != token_id:
            raise Invalid(f"credential of {credential.token_id} under the key {token_id}", "$.token_id")
        old = self._by_id.pop(token_id, None)
        if old is not None:
            self._by_principal[old.principal].discard(token_id)
        if credential is not None:
            self._by_id[token_id] = credential
            self._by_principal.setdefault(credential.principal, set()).add(token_id)

    def check(self, text: str, now: datetime) -> Credential:
        """The credential of the token `text`, when it holds at `now`.

        Raises:
            Denied: and why. An unknown id and a wrong secret read, and take, the same.
        """
        match = _TOKEN.fullmatch(text)
        if match is None:
            raise Denied("malformed" if text else "missing")
        credential = self._by_id.get(match[1])
        expected = credential.secret_sha256 if credential else _NOBODY
        if not compare_digest(digest(match[2]), expected) or credential is None:
            raise Denied("unknown")
        reason = standing(credential, now)
        if reason is not None:
            raise Denied(reason, credential)
        return credential

    def holding(self, token_id: str, now: datetime) -> Credential:
        """The credential `token_id`, whose secret was checked when a session began, when it still holds at `now`.

        Raises:
            Denied: and why.
        """
        credential = self._by_id.get(token_id)
        if credential is None:
            raise Denied("unknown")
        reason = standing(credential, now)
        if reason is not None:
            raise Denied(reason, credential)
        return credential

    def vouched(self, name: str, device_id: str, now: datetime) -> Credential | None:
        """The credential under which `name` (a token id or a principal), checked elsewhere, may report for `device_id`.

        For MQTT, where the MQTT broker has checked the password and lets `name` publish only under its own topics.
        """
        for token_id in (name, *sorted(self._by_principal.get(name, ()))):
            credential = self._by_id.get(token_id)
            if credential and standing(credential, now) is None and covers(credential, device_id):
                return credential
        return None

    def all(self) -> list[Credential]:
        """Every credential known, by token id."""
        return [self._by_id[token_id] for token_id in sorted(self._by_id)]
