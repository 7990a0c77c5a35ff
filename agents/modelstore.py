"""How is the read model written to Redis? A batch is one transaction, and how far each partition has come is in it.

So a batch is in the model once, whatever crashes when: if the transaction was done, the offsets say so; if not, nothing
was. The offsets and the epoch are watched, so a process that lost a partition, or missed that Redis was emptied, writes
nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import uuid4

import redis.asyncio as redis
from aiokafka import TopicPartition
from redis.exceptions import WatchError

from pipeline.readmodel import layout
from pipeline.readmodel.draft import Draft, Row, Told

REDIS_TIMEOUT_S = 10.0
DROP_AT_ONCE = 500

Offsets = dict[TopicPartition, int | None]
"""The next offset to be projected of each partition; None: none was yet."""


class Superseded(Exception):
    """Another projects these partitions now, or the model was emptied: begin anew from what Redis says."""


class ModelStore:
    """The read model in the Redis at `url`."""

    def __init__(self, url: str) -> None:
        self.redis: Any = redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S, max_connections=16
        )

    async def close(self) -> None:
        """Let go of connections."""
        await self.redis.aclose()

    async def epoch(self) -> str:
        """The name of the model as it was begun; begins one if there is none."""
        await self.redis.set(layout.EPOCH, uuid4().hex, nx=True)
        return str((await self.redis.get(layout.EPOCH)).decode())

    async def offsets(self, places: Iterable[TopicPartition]) -> Offsets:
        """How far the model has come."""
        places = list(places)
        if not places:
            return {}
        found = await self.redis.mget([_offset_key(place) for place in places])
        return {place: _number(raw) for place, raw in zip(places, found, strict=True)}

    async def rows(self, rows: Iterable[Row]) -> dict[Row, bytes | None]:
        """Documents."""
        by_table: dict[str, list[str]] = defaultdict(list)
        for table, key in dict.fromkeys(rows):
            by_table[table].append(key)
        if not by_table:
            return {}
        async with self.redis.pipeline(transaction=False) as pipe:
            for table, keys in by_table.items():
                pipe.hmget(layout.table_key(table), keys)
            found = await pipe.execute()
        return {
            (table, key): raw
            for (table, keys), values in zip(by_table.items(), found, strict=True)
            for key, raw in zip(keys, values, strict=True)
        }

    async def write(
        self, epoch: str, before: Offsets, after: Mapping[TopicPartition, int], put: Callable[[Any], None]
    ) -> None:
        """Do what `put` adds to the pipeline, and move the offsets from `before` to `after`, together or not at all.

        Raises:
            Superseded: the model is no longer as `epoch` and `before` say.
            RedisError: it may have been done, or not.
        """
        places = list(after)
        keys = [layout.EPOCH, *map(_offset_key, places)]
        async with self.redis.pipeline(transaction=True) as pipe:
            await pipe.watch(*keys)
            told, *known = await pipe.mget(keys)
            if told is None or told.decode() != epoch or [before[p] for p in places] != [_number(raw) for raw in known]:
                raise Superseded
            pipe.multi()
            put(pipe)
            if places:
                pipe.mset({_offset_key(place): offset for place, offset in after.items()})
            try:
                await pipe.execute()
            except WatchError as error:
                raise Superseded from error

    async def drop(self) -> None:
        """Empty the model; whoever projects finds out and begins anew."""
        await self.redis.unlink(layout.EPOCH, layout.FILLED)
        keys: list[bytes] = []
        async for key in self.redis.scan_iter(match=f"{layout.PREFIX}*", count=1000):
            keys.append(key)
            if len(keys) == DROP_AT_ONCE:
                await self.redis.unlink(*keys)
                keys.clear()
        if keys:
            await self.redis.unlink(*keys)


def put_draft(draft: Draft, pipe: Any) -> None:
    """Add what is new in `draft` to the pipeline."""
    puts: dict[str, dict[str, bytes]] = defaultdict(dict)
    gone: dict[str, list[str]] = defaultdict(list)
    for (table, key), value in draft.puts.items():
        if value is None:
            gone[table].append(key)
        else:
            puts[table][key] = value
    for table, documents in puts.items():
        pipe.hset(layout.table_key(table), mapping=documents)
    for table, missing in gone.items():
        pipe.hdel(layout.table_key(table), *missing)
    there: dict[str, dict[str, float]] = defaultdict(dict)
    away: dict[str, list[str]] = defaultdict(list)
    for (name, member), score in draft.places.items():
        if score is None:
            away[name].append(member)
        else:
            there[name][member] = score
    for name, members in away.items():
        pipe.zrem(layout.index_key(name), *members)
    for name, scores in there.items():
        pipe.zadd(layout.index_key(name), scores)
    for told in draft.told:
        pipe.xadd(layout.CHANGES, _fields(told), maxlen=layout.CHANGES_KEPT, approximate=True)


def _fields(told: Told) -> dict[str, str]:
    fields = {"kind": told.kind, "id": told.id, "subject": told.subject_id, "to": told.to}
    return {name: value for name, value in fields.items() if value} | {"agencies": layout.JOINT.join(told.agencies)}


def _offset_key(place: TopicPartition) -> str:
    return layout.offset_key(place.topic, place.partition)


def _number(raw: bytes | None) -> int | None:
    return None if raw is None else int(raw)
