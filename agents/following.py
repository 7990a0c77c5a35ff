"""How does a projector follow topics? In a group that shares the partitions, from the offsets that Redis has.

The group only says who has which partitions; nothing is committed to it. Whatever goes wrong (the broker away, Redis
away or emptied, a partition gone to another), the follower begins anew from what Redis says.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from agents.modelstore import ModelStore, Offsets, Superseded
from agents.reader import record_of, stopped
from fenceline.settings import Settings
from pipeline.step import Record

log = structlog.get_logger()

POLL_MS = 100
PAUSE_S = 0.5
FETCH_BYTES = 4 * 1024 * 1024

Batch = dict[TopicPartition, list[Record]]


class Follower:
    """Reads `topics`, and hands on what is new to `take` (called also with nothing, when nothing came).

    `begin` is called whenever partitions were given out anew: what is remembered of others is to be forgotten.
    """

    def __init__(
        self,
        settings: Settings,
        store: ModelStore,
        group: str,
        topics: Sequence[str],
        begin: Callable[[set[TopicPartition]], Awaitable[None]],
        take: Callable[[Batch], Awaitable[None]],
        at_once: int,
    ) -> None:
        self._settings = settings
        self._store = store
        self._group = group
        self._topics = topics
        self._begin = begin
        self._take = take
        self._at_once = at_once
        self.epoch = ""
        self.at: Offsets = {}
        self.given = asyncio.Event()
        self.projected = 0
        self.lag = 0
        self._is_stale = True
        self._is_over = False

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self._follow()
            except (KafkaError, RedisError, OSError, TimeoutError) as error:
                log.warning("projecting waits", group=self._group, error=repr(error))
            self.given.clear()
            await asyncio.sleep(PAUSE_S)

    async def _follow(self) -> None:
        self.epoch = await self._store.epoch()
        self._is_stale, self._is_over = True, False
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.broker,
            group_id=self._group,
            client_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(self._settings.worker_session_timeout_s * 1000),
            heartbeat_interval_ms=int(self._settings.worker_session_timeout_s * 1000 / 3),
            fetch_max_wait_ms=POLL_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
        )
        await consumer.start()
        try:
            consumer.subscribe(list(self._topics), listener=_Listener(self, consumer))
            while True:
                try:
                    await self._once(consumer)
                except (Superseded, RedisError) as why:
                    log.info("projecting begins anew from what Redis says", group=self._group, why=repr(why))
                    await self._begin_anew(consumer)
        finally:
            await stopped(consumer)

    async def _begin_anew(self, consumer: AIOKafkaConsumer) -> None:
        """Go on from what Redis says, once it says something; we stay in the group meanwhile."""
        self.given.clear()
        while True:
            try:
                self.epoch = await self._store.epoch()
                return await self.assigned(consumer, consumer.assignment())
            except RedisError as error:
                log.warning("projecting waits", group=self._group, error=repr(error))
                await asyncio.sleep(PAUSE_S)

    async def _once(self, consumer: AIOKafkaConsumer) -> None:
        if self._is_over:
            self._is_over = False
            raise Superseded
        chunk = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._at_once)
        if self._is_stale:
            return  # read before partitions were given out anew
        batch: Batch = {}
        for place, raws in chunk.items():
            new = [record_of(raw) for raw in raws if raw.offset >= (self.at.get(place) or 0)]
            if new and place in self.at:
                batch[place] = new
        await self._take(batch)
        high = ((consumer.highwater(place), offset or 0) for place, offset in self.at.items())
        self.lag = sum(max(0, end - offset) for end, offset in high if end is not None)

    async def assigned(self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
        """Partitions were given out: read each on from where the model is."""
        given = set(places)
        self.at = await self._store.offsets(given)
        new = [place for place, offset in self.at.items() if offset is None]
        starts = await consumer.beginning_offsets(new) if new else {}
        for place, offset in self.at.items():
            consumer.seek(place, starts[place] if offset is None else offset)
        await self._begin(given)
        self._is_stale = False
        self.given.set()
        log.info("partitions given", group=self._group, partitions=len(given))

    def revoked(self) -> None:
        """All partitions are given out anew: what was read and not written is another's now."""
        self._is_stale = True

    def begin_anew(self) -> None:
        """The model was emptied: read everything again."""
        self._is_over = True

    async def write(self, reached: Mapping[TopicPartition, int], put: Callable[[Any], None]) -> None:
        """Write to the model, with the offsets up to which `reached` says it then goes.

        Raises:
            Superseded, RedisError: as `ModelStore.write`.
        """
        await self._store.write(self.epoch, self.at, reached, put)
        self.at |= reached


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, follower: Follower, consumer: AIOKafkaConsumer) -> None:
        self._follower = follower
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._follower.revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._follower.assigned(self._consumer, assigned)


def after(batch: Batch) -> dict[TopicPartition, int]:
    """The offsets after `batch`."""
    return {place: records[-1].offset + 1 for place, records in batch.items()}
