"""Was this attempt begun before? A note in Redis before anything is sent, and what came of it afterwards.

Kafka has the intent (the record in state ``sending``) and, a moment later, the report; the notes close the gap between
them. They may be lost: what is then in doubt is asked about at the far side before it is sent.
"""

import time
from typing import Any, NamedTuple

import msgspec
import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from schemas.message import decode, encode
from schemas.notification import Report

log = structlog.get_logger()

KEPT_S = 7 * 86_400
REDIS_TIMEOUT_S = 1.0


class Claim(NamedTuple):
    """What is known of an attempt. `is_ours`: nobody began it before. `report`: what came of it. `begun_s`: when it was
    begun by another; 0 where nobody knows."""

    is_ours: bool
    report: Report | None = None
    begun_s: float = 0.0


class Claims:
    """Notes on attempts, shared by all who send."""

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, max_connections=64
        )

    async def begin(self, attempt_id: str) -> Claim:
        """Note that the attempt begins now, or what is noted already. While Redis is away nothing is certain."""
        key = _key(attempt_id)
        try:
            if await self._redis.set(key, msgspec.json.encode({"begun_s": time.time()}), nx=True, ex=KEPT_S):
                return Claim(is_ours=True)
            noted = await self._redis.get(key)
        except (RedisError, OSError) as error:
            log.warning("no note of an attempt could be taken", attempt_id=attempt_id, error=type(error).__name__)
            return Claim(is_ours=False)
        if noted is None:
            return Claim(is_ours=False)
        found = msgspec.json.decode(noted)
        if "report" in found:
            return Claim(is_ours=False, report=decode(msgspec.json.encode(found["report"]), Report))
        return Claim(is_ours=False, begun_s=float(found["begun_s"]))

    async def finish(self, attempt_id: str, report: Report) -> None:
        """Note what came of it."""
        try:
            await self._redis.set(_key(attempt_id), b'{"report":' + encode(report) + b"}", ex=KEPT_S)
        except (RedisError, OSError) as error:
            log.warning("an attempt's end could not be noted", attempt_id=attempt_id, error=type(error).__name__)

    async def close(self) -> None:
        """Let go of connections."""
        await self._redis.aclose()


def _key(attempt_id: str) -> str:
    return f"fl:attempt:{attempt_id}"
