"""Who is signed in? Sessions in Redis: they end after idle minutes, after hours in any case, and with their token.

Redis forgets an idle session by itself; each request that a person makes puts its end off, up to the end that it was
given when it began. Whether the token behind it still holds is asked of the topic `credentials` at every request, so
that a revocation ends all sessions within seconds.
"""

import asyncio
from datetime import datetime, timedelta
from secrets import token_urlsafe
from weakref import WeakValueDictionary

import redis.asyncio as redis

from console.seals import name_of, new_secret, opened, seal
from schemas.message import Id, Message, Moment, decode, encode
from schemas.times import instant

_PREFIX = "fenceline:session:"


class Session(Message, frozen=True, kw_only=True):
    """A session as Redis keeps it. `sealed`: the token it began with."""

    token_id: Id
    csrf: str
    began_at: Moment
    ends_at: Moment
    sealed: bytes


class Sessions:
    """All sessions. `idle_s`: how long one lives unused; `longest_s`: how long at most."""

    def __init__(self, store: "redis.Redis", idle_s: float, longest_s: float) -> None:
        self._store = store
        self.idle_s = idle_s
        self._longest_s = longest_s
        self._over: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    async def begin(self, token: str, token_id: str, now: datetime) -> tuple[str, Session]:
        """A session of whoever showed `token`, and the secret for the cookie.

        Raises:
            RedisError: Redis is away.
        """
        secret = new_secret()
        session = Session(
            token_id=token_id,
            csrf=token_urlsafe(24),
            began_at=instant(now),
            ends_at=instant(now + timedelta(seconds=self._longest_s)),
            sealed=seal(secret, token),
        )
        await self._store.set(_PREFIX + name_of(secret), encode(session), px=self._left_ms(session, now))
        return secret, session

    async def find(self, secret: str, now: datetime, *, use: bool = True) -> Session | None:
        """The session of a cookie, None when there is none (any more). `use`: a person did something; it lives on.

        Raises:
            RedisError: Redis is away.
        """
        key = _PREFIX + name_of(secret)
        found: bytes | None = await self._store.get(key)  # type: ignore[assignment]  # we ask for bytes
        if found is None:
            return None
        session = decode(found, Session)
        left_ms = self._left_ms(session, now)
        if left_ms <= 0:
            return None
        if use:
            await self._store.pexpire(key, left_ms)
        return session

    async def end(self, secret: str) -> None:
        """End a session.

        Raises:
            RedisError: Redis is away.
        """
        await self._store.delete(_PREFIX + name_of(secret))
        if (over := self._over.get(name_of(secret))) is not None:
            over.set()

    def over(self, secret: str) -> asyncio.Event:
        """Set once the session is ended through this console; of others and of time one hears by asking."""
        name = name_of(secret)
        event = self._over.get(name)
        if event is None:
            event = self._over[name] = asyncio.Event()
        return event

    def _left_ms(self, session: Session, now: datetime) -> int:
        return int(min(self.idle_s, (session.ends_at - now).total_seconds()) * 1000)


def token_of(session: Session, secret: str) -> str:
    """The token that the session began with.

    Raises:
        ValueError: the session is of another cookie.
    """
    return opened(secret, session.sealed)
