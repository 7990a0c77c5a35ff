"""How are topics read in bulk, beside Faust? From given offsets to the end of the log, in chunks, without a group."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.step import Record

CHUNK_RECORDS = 4_000
FETCH_BYTES = 32 * 1024 * 1024
PARTITION_FETCH_BYTES = 4 * 1024 * 1024
FETCH_WAIT_MS = 100
POLL_MS = 200
STUCK_S = 30.0

Chunk = dict[TopicPartition, list[Any]]


class LogStuck(KafkaError):  # type: ignore[misc]  # aiokafka ships no types
    """The broker said that there is more, and did not give it."""


def record_of(raw: Any) -> Record:
    """aiokafka's record as ours; a tombstone's value is empty."""
    return Record(raw.topic, raw.partition, raw.offset, raw.key or b"", raw.value or b"", raw.timestamp / 1000)


async def stopped(consumer: AIOKafkaConsumer) -> None:
    """Stop `consumer`. One that was given partitions a moment ago would raise CancelledError from its own stop()."""
    await asyncio.sleep(0)  # its tasks must have begun before they can be cancelled
    with suppress(KafkaError, OSError):
        await consumer.stop()


class LogReader:
    """A consumer of no group, for reading whole stretches of topics; to be used as a context manager."""

    def __init__(self, broker: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=broker,
            client_id="fenceline-reader",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            request_timeout_ms=10_000,
        )
        self.unfinished: set[TopicPartition] = set()

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
        except BaseException:
            await self._consumer.stop()
            raise
        await asyncio.sleep(0)  # a stop() before aiokafka's own tasks have begun would raise CancelledError
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await stopped(self._consumer)

    async def partitions_of(self, topic: str) -> list[TopicPartition]:
        """All partitions of `topic`.

        Raises:
            KafkaError: there is no such topic, or the broker is away.
        """
        # The consumer's own partitions_for_topic() knows only topics that it has been assigned.
        known = await self._consumer._client._wait_on_metadata(topic)
        return [TopicPartition(topic, number) for number in sorted(known)]

    async def ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset after the last record of each; the embedded broker may name a lower one."""
        found: dict[TopicPartition, int] = await self._consumer.end_offsets(list(partitions)) if partitions else {}
        return found

    async def starts(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The offset of the first record that each still has."""
        found: dict[TopicPartition, int] = (
            await self._consumer.beginning_offsets(list(partitions)) if partitions else {}
        )
        return found

    async def read(self, start: Mapping[TopicPartition, int]) -> AsyncIterator[Chunk]:
        """All records from the offsets in `start` to the end of the log as it is when that is reached.

        The end is where both the broker's answer to "which is the last" and the high watermark that comes with the
        records have been reached: the embedded broker's first answer is too low.

        Raises:
            KafkaError: the broker is away, or has stopped giving (`LogStuck`).
        """
        if not start:
            return
        consumer = self._consumer
        ends = await self.ends(start)
        consumer.assign(list(start))
        for partition, offset in start.items():
            consumer.seek(partition, offset)
        open_ = self.unfinished = set(start)
        loop = asyncio.get_running_loop()
        moved_at = loop.time()
        while open_:
            chunk: Chunk = await consumer.getmany(timeout_ms=POLL_MS, max_records=CHUNK_RECORDS)
            if chunk:
                moved_at = loop.time()
                yield chunk
                moved_at = loop.time()  # the time that it took to judge is not the broker's
            for partition in list(open_):
                high = consumer.highwater(partition)
                if high is not None and await consumer.position(partition) >= max(ends[partition], high):
                    open_.discard(partition)
                    consumer.pause(partition)
            if open_ and loop.time() - moved_at > STUCK_S:
                raise LogStuck(f"no more came of {sorted(open_)} for {STUCK_S:g} s, before their end")
