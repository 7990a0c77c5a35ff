"""Was this person asked to show its face, just now, and has it not answered yet? Challenges, in Redis.

A challenge is a nonce for one person, good once and for a few minutes. It is kept for a day after, so that a late or a
second use can be told from a made-up nonce, and so that the same check-in sent again (the answer was lost on the way)
is the same check-in. Bytes of pictures that came once are known for as long as pictures are kept.

Everything that is decided when a nonce is used is decided in one step within Redis, so that of two requests at once
one wins. Should Redis lose it all, a person asks for another challenge; replays are then still found by `verify`, which
keeps what each person has sent with its state.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from random import Random, SystemRandom
from secrets import token_urlsafe
from typing import Any

import msgspec
import redis.asyncio as redis
from redis.exceptions import RedisError

from gateway.problems import Refused
from schemas.checkin import MOVEMENTS, Movement
from schemas.ids import event_id
from schemas.message import Message, Moment, encode
from schemas.times import instant

KEPT_S = 86400
SPAN_S = 600
MOST_IN_SPAN = 60
"""Challenges of one person; who asks for more is no person, and would fill Redis."""

REDIS_TIMEOUT_S = 2.0
PROMPTS = 2


class Challenge(Message, frozen=True, kw_only=True):
    """What a person is asked to do before the camera, and until when."""

    nonce: str
    subject_id: str
    prompts: tuple[Movement, ...]
    challenged_at: Moment
    expires_at: Moment

    @property
    def checkin_id(self) -> str:
        """The id of the check-in that answers it."""
        return event_id("checkin", self.nonce)


def prompts(random: Random) -> tuple[Movement, ...]:
    """Movements in an order that nobody can foresee; a turn of the head is among them, for a picture has no depth."""
    turns: tuple[Movement, ...] = ("turn_left", "turn_right")
    others = [movement for movement in MOVEMENTS if movement not in turns]
    chosen = [random.choice(turns), *random.sample(others, PROMPTS - 1)]
    random.shuffle(chosen)
    return tuple(chosen)


# KEYS[1]: what was made of the nonce. KEYS[2..]: pictures by their SHA-256. ARGV: the digest of all that was sent, the
# check-in's id, seconds to keep the first, seconds to keep the others.
_USE = """
local used = redis.call('GET', KEYS[1])
if used then return used == ARGV[1] and 'again' or 'used' end
for i = 2, #KEYS do
  local by = redis.call('GET', KEYS[i])
  if by and by ~= ARGV[2] then return 'replayed' end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[2], 'EX', ARGV[4]) end
return 'new'
"""

_REFUSALS = {
    "unknown": (HTTPStatus.NOT_FOUND, "unknown_nonce", "there is no such challenge; ask for one and begin anew"),
    "subject": (HTTPStatus.FORBIDDEN, "wrong_subject", "this challenge is for somebody else; ask for one of your own"),
    "expired": (HTTPStatus.GONE, "expired_nonce", "the time to answer is over; ask for a new challenge"),
    "used": (HTTPStatus.CONFLICT, "used_nonce", "this challenge was answered already; ask for a new one"),
    "replayed": (HTTPStatus.CONFLICT, "replayed", "these pictures were sent before; take new ones"),
}


def _refusal(why: str) -> Refused:
    status, error, detail = _REFUSALS[why]
    return Refused(status, error, detail, field="picture" if why == "replayed" else "nonce")


class Challenges:
    """The challenges of all gateways."""

    def __init__(self, url: str, good_for_s: float, pictures_kept_s: int) -> None:
        self._redis: Any = redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, max_connections=32
        )
        self._use = self._redis.register_script(_USE)
        self._good_for_s = good_for_s
        self._pictures_kept_s = pictures_kept_s
        self._random = SystemRandom()

    async def issue(self, subject_id: str, now: datetime) -> Challenge:
        """A challenge for a person.

        Raises:
            Refused: 429, the person has asked for too many; 503, Redis is away.
        """
        challenge = Challenge(
            nonce=token_urlsafe(24),
            subject_id=subject_id,
            prompts=prompts(self._random),
            challenged_at=instant(now),
            expires_at=instant(now + timedelta(seconds=self._good_for_s)),
        )
        keys = (_nonce_key(challenge.nonce), _checkin_key(challenge.checkin_id))
        kept_s = int(self._good_for_s) + KEPT_S
        asked = f"fenceline:challenges:{sha256(subject_id.encode()).hexdigest()}"
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(asked, 0, ex=SPAN_S, nx=True).incr(asked)
                if (await pipe.execute())[-1] > MOST_IN_SPAN:
                    raise _too_many()
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(keys[0], encode(challenge), ex=kept_s).set(keys[1], subject_id, ex=kept_s)
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise _away() from error
        return challenge

    async def asked(self, nonce: str, subject_id: str) -> Challenge:
        """The challenge of a nonce, which must be this person's.

        Raises:
            Refused: 404 there is none, 403 it is another's; 503.
        """
        try:
            raw = await self._redis.get(_nonce_key(nonce))
        except (RedisError, OSError, TimeoutError) as error:
            raise _away() from error
        if raw is None:
            raise _refusal("unknown")
        challenge = msgspec.json.decode(raw, type=Challenge)
        if challenge.subject_id != subject_id:
            raise _refusal("subject")
        return challenge

    async def use(self, challenge: Challenge, shas: Sequence[str], fix: bytes, now: datetime) -> bool:
        """Answer a challenge with the pictures of these SHA-256s; False: the very same was sent before.

        Raises:
            Refused: 409 it was answered with something else, or a picture was sent before; 410 it is too late; 503.
        """
        digest = sha256("|".join([challenge.nonce, *shas]).encode() + b"|" + fix).hexdigest()
        keys = [f"{_nonce_key(challenge.nonce)}:used", *(f"fenceline:picture:{sha}" for sha in shas)]
        args: list[str | int] = [digest, challenge.checkin_id, KEPT_S, self._pictures_kept_s]
        try:
            if now > challenge.expires_at:  # only what came in time may come again
                used = await self._redis.get(keys[0])
                if used != digest.encode():
                    raise _refusal("expired" if used is None else "used")
                return False
            state = (await self._use(keys=keys, args=args)).decode()
        except (RedisError, OSError, TimeoutError) as error:
            raise _away() from error
        if state in _REFUSALS:
            raise _refusal(state)
        return bool(state == "new")

    async def whose(self, checkin_id: str) -> str:
        """The person of a check-in of the last day; empty if there was none."""
        try:
            found = await self._redis.get(_checkin_key(checkin_id))
        except (RedisError, OSError, TimeoutError) as error:
            raise _away() from error
        return found.decode() if found is not None else ""

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()


def _nonce_key(nonce: str) -> str:
    return f"fenceline:challenge:{sha256(nonce.encode()).hexdigest()}"


def _checkin_key(checkin_id: str) -> str:
    return f"fenceline:checkin:{sha256(checkin_id.encode()).hexdigest()}"


def _too_many() -> Refused:
    return Refused(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_challenges",
        f"more than {MOST_IN_SPAN} challenges in {SPAN_S // 60} minutes",
        hint="answer one that you have, or wait",
        retry_after_s=60,
    )


def _away() -> Refused:
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "challenges_away",
        "check-ins cannot be taken for the moment",
        hint="send the same again in a little while",
        retry_after_s=2,
    )
