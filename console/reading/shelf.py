"""How is the read model asked? Documents by id, members of indexes, in as few round trips as there are steps."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import redis.asyncio as redis
from redis.exceptions import RedisError

from console.reading.refusals import Away, Starting
from pipeline.readmodel import layout
from schemas.message import decode

T = TypeVar("T")

TIMEOUT_S = 5.0


class Shelf:
    """The read model in the Redis at `url`, for reading."""

    def __init__(self, url: str) -> None:
        self.redis: Any = redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)

    async def close(self) -> None:
        """Let go of connections."""
        await self.redis.aclose()

    async def check(self) -> None:
        """Nothing, if the model is full.

        Raises:
            Starting: it is not.
            Away: Redis does not answer.
        """
        async with answering():
            epoch, filled = await self.redis.mget(layout.EPOCH, layout.FILLED)
        if epoch is None or epoch != filled or layout.version_of(epoch.decode()) != layout.VERSION:
            raise Starting

    async def documents(self, table: str, keys: Iterable[str], kind: type[T]) -> dict[str, T]:
        """Those of `keys` that there are, in that order."""
        keys = list(dict.fromkeys(keys))
        if not keys:
            return {}
        async with answering():
            found = await self.redis.hmget(layout.table_key(table), keys)
        return {key: decode(raw, kind) for key, raw in zip(keys, found, strict=True) if raw is not None}

    async def document(self, table: str, key: str, kind: type[T]) -> T | None:
        """The document of `key`, if there is one."""
        return (await self.documents(table, (key,), kind)).get(key)

    async def all_of(self, table: str, kind: type[T]) -> dict[str, T]:
        """All documents of a (small) table."""
        async with answering():
            found = await self.redis.hgetall(layout.table_key(table))
        return {key.decode(): decode(raw, kind) for key, raw in found.items()}

    async def members(self, names: Sequence[str], limit: int = 0, *, latest: bool = False) -> list[str]:
        """Members of several indexes by their score, at most `limit` (0: all); with `latest` the highest first."""
        async with answering(), self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.zrange(layout.index_key(name), 0, limit - 1, desc=latest, withscores=True)
            found = await pipe.execute()
        merged = sorted((score, member) for one in found for member, score in one)
        merged = merged[::-1] if latest else merged
        return [member.decode() for _, member in (merged[:limit] if limit else merged)]

    async def between(self, name: str, low: float | str, high: float | str) -> list[str]:
        """Members whose score lies from `low` to `high`, by score."""
        async with answering():
            found = await self.redis.zrange(layout.index_key(name), low, high, byscore=True)
        return [member.decode() for member in found]

    async def size(self, names: Sequence[str]) -> int:
        """How many members the indexes have."""
        async with answering(), self.redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.zcard(layout.index_key(name))
            return int(sum(await pipe.execute()))

    async def agencies(self, agency: str | None) -> list[str]:
        """`agency` alone, or all."""
        return [agency] if agency is not None else await self.members([layout.AGENCIES])


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turns what goes wrong with Redis into `Away`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Away(f"Redis does not answer: {type(error).__name__}") from error
