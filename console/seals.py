"""How is a token kept for whoever showed it? Sealed with a secret that only they hold; at rest it opens to nobody.

A session keeps the token that began it, because check-ins are passed on to the gateway under it; a sign-in link keeps
the token it stands for. Both lie in Redis sealed with AES-GCM under a key made from the cookie's, or the link's, own
256 random bits, and under the SHA-256 of these: a copy of Redis signs nobody in.
"""

import hmac
from hashlib import sha256
from secrets import token_bytes, token_urlsafe

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECRET_BYTES = 32
_NONCE_BYTES = 12


def new_secret() -> str:
    """A secret for a cookie or a link: 43 characters, safe in both."""
    return token_urlsafe(SECRET_BYTES)


def name_of(secret: str) -> str:
    """Under which name what is sealed with `secret` lies."""
    return sha256(secret.encode()).hexdigest()


def seal(secret: str, text: str) -> bytes:
    """`text`, to be opened with `secret` only."""
    nonce = token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret)).encrypt(nonce, text.encode(), None)


def opened(secret: str, sealed: bytes) -> str:
    """What `seal` was given.

    Raises:
        ValueError: sealed with another secret, or changed.
    """
    try:
        return AESGCM(_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
    except InvalidTag as error:
        raise ValueError("this was sealed with another secret, or changed") from error


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"fenceline seal", "sha256")
