"""How is the read model written to Redis? A batch is one transaction, and how far each partition has come is in it.

So a batch is in the model once, whatever crashes when: if the transaction was done, the offsets say so; if not, nothing
was. The offsets and the epoch are watched, so a process that lost a partition, or missed that Redis was emptied, writes
nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import redis.asyncio as redis
from aiokafka import TopicPartition
from redis.exceptions import WatchError

from pipeline.readmodel import layout
from pipeline.readmodel.draft import Draft, Row, Told
from pipeline.readmodel.positions import unpack

REDIS_TIMEOUT_S = 10.0
DROP_AT_ONCE = 500
LOCK_S = 30
LOCKED_PAUSE_S = 0.1

Offsets = dict[TopicPartition, int | None]
"""The next offset to be projected of each partition; None: none was yet."""


class Superseded(Exception):
    """Another projects these partitions now, or the model was emptied: begin anew from what Redis says."""


class Outdated(Exception):
    """The model is kept by a newer version of this program."""


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
        """The name of the model as it was begun; begins one if there is none, or only one of an older version.

        Raises:
            Outdated: it is of a newer version.
        """
        while True:
            raw = await self.redis.get(layout.EPOCH)
            if raw is None:
                await self._begin()
                continue
            epoch = str(raw.decode())
            version = layout.version_of(epoch)
            if version == layout.VERSION:
                return epoch
            if version > layout.VERSION:
                raise Outdated("a newer version of Fenceline keeps the read model: end this one")
            await self.redis.unlink(layout.EPOCH, layout.FILLED)

    async def _begin(self) -> None:
        """Sweep away what is left of the model before, and name the new one; if another is at it, wait a little.

        Nobody writes while there is no epoch. Whoever sweeps holds a lock, and deletes only while it is theirs.
        """
        mine = uuid4().hex
        if not await self.redis.set(layout.BEGINNING, mine, nx=True, ex=LOCK_S):
            await asyncio.sleep(LOCKED_PAUSE_S)
            return
        try:
            keys: list[str] = []
            async for key in self._keys(f"{layout.PREFIX}*"):
                if key not in (layout.EPOCH, layout.BEGINNING):
                    keys.append(key)
                if len(keys) == DROP_AT_ONCE:
                    await self._while_locked(mine, partial(_unlink, keys))
                    keys = []
            await self._while_locked(mine, partial(_unlink, keys))
            epoch = layout.epoch_name(uuid4().hex)
            await self._while_locked(mine, lambda pipe: pipe.set(layout.EPOCH, epoch))
        except Superseded:
            pass  # another was quicker
        finally:
            await self._unlock(mine)

    async def _unlock(self, mine: str) -> None:
        async with self.redis.pipeline(transaction=True) as pipe:
            await pipe.watch(layout.BEGINNING)
            told = await pipe.get(layout.BEGINNING)
            if told is not None and told.decode() == mine:
                pipe.multi()
                pipe.unlink(layout.BEGINNING)
                with suppress(WatchError):
                    await pipe.execute()

    async def _while_locked(self, mine: str, put: Callable[[Any], None]) -> None:
        async with self.redis.pipeline(transaction=True) as pipe:
            await pipe.watch(layout.BEGINNING, layout.EPOCH)
            told, epoch = await pipe.mget(layout.BEGINNING, layout.EPOCH)
            if told is None or told.decode() != mine or epoch is not None:
                raise Superseded
            pipe.multi()
            pipe.expire(layout.BEGINNING, LOCK_S)
            put(pipe)
            try:
                await pipe.execute()
            except WatchError as error:
                raise Superseded from error

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
        await self.epoch()

    async def older(self, index: str, until_s: float, limit: int) -> list[str]:
        """Members of an index with a score up to `until_s`, the lowest first."""
        found = await self.redis.zrangebyscore(layout.index_key(index), "-inf", until_s, 0, limit)
        return [member.decode() for member in found]

    async def sweep_timelines(self, until_s: float) -> None:
        """Let go of moments from before `until_s`."""
        async for key in self._keys(layout.index_key(layout.index(layout.TIMELINE, "*"))):
            await self.redis.zremrangebyscore(key, "-inf", until_s)

    async def sweep_positions(self, until_s: float) -> None:
        """Let go of devices that were not heard since `until_s`; their ways end by themselves."""
        old = [
            device_id
            async for device_id, raw in self.redis.hscan_iter(layout.POSITIONS, count=1000)
            if unpack(raw).t_ms < until_s * 1000
        ]
        for begin in range(0, len(old), DROP_AT_ONCE):
            await self.redis.hdel(layout.POSITIONS, *old[begin : begin + DROP_AT_ONCE])

    async def sweep_people(self) -> None:
        """Let go of the account of whoever is no longer known, once the last moment of their timeline has gone."""
        begin = layout.table_key(layout.ledger(""))
        async for key in self._keys(f"{begin}*"):
            subject_id = key.removeprefix(begin)
            timeline = layout.index_key(layout.index(layout.TIMELINE, subject_id))
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.hexists(layout.table_key("subjects"), subject_id)
                pipe.exists(timeline)
                is_known, has_moments = await pipe.execute()
            if not is_known and not has_moments:
                await self.redis.unlink(key)
                await self.redis.hdel(layout.table_key("scores"), subject_id)

    async def _keys(self, pattern: str) -> AsyncIterator[str]:
        async for key in self.redis.scan_iter(match=pattern, count=1000):
            yield key.decode()


def _unlink(keys: list[str], pipe: Any) -> None:
    if keys:
        pipe.unlink(*keys)


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
