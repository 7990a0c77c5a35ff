"""Which fences are there, and which were there before? The topic `fences`, read to its end and followed."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer

from schemas.message import Invalid, decode
from schemas.reference import Fence
from schemas.times import Instant, from_epoch
from schemas.topics import FENCES

log = structlog.get_logger()

PAUSE_S = 1.0
QUIET_MS = 200


class Edition(NamedTuple):
    """What was said of a fence, and when; `fence` None: it was withdrawn."""

    said_at: Instant
    fence: Fence | None


class Shelf:
    """All editions of all fences that the topic still holds, the latest last."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._by_id: dict[str, list[Edition]] = {}
        self._task: asyncio.Task[None] | None = None
        self.caught_up = asyncio.Event()
        self.writing = asyncio.Lock()
        """Held while the next version of a fence is chosen and written."""

    def latest(self, fence_id: str) -> Fence | None:
        """The fence in force; None: unknown or withdrawn."""
        editions = self._by_id.get(fence_id)
        return editions[-1].fence if editions else None

    def editions(self, fence_id: str) -> list[Edition]:
        """All that was said of a fence, oldest first."""
        return list(self._by_id.get(fence_id, ()))

    def version(self, fence_id: str, version: int) -> Fence | None:
        """That version of a fence, as far as it is kept."""
        for edition in reversed(self._by_id.get(fence_id, ())):
            if edition.fence is not None and edition.fence.properties.version == version:
                return edition.fence
        return None

    def highest(self, fence_id: str) -> int:
        """The highest version ever said; 0: none."""
        return max((one.fence.properties.version for one in self._by_id.get(fence_id, ()) if one.fence), default=0)

    def learn(self, fence_id: str, fence: Fence | None, at: datetime) -> None:
        """Take in what was said; the same again is nothing new."""
        editions = self._by_id.setdefault(fence_id, [])
        if not editions and fence is None:
            del self._by_id[fence_id]
        elif not editions or editions[-1].fence != fence:
            editions.append(Edition(from_epoch(at.timestamp()), fence))

    def start(self) -> None:
        """Begin to read; `caught_up` is set when the end has been reached once."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except Exception as error:  # whatever it is: without this task no new fence would be heard of
                log.warning("fences_unread", error=type(error).__name__, detail=str(error)[:200])
            await asyncio.sleep(PAUSE_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            FENCES.name,
            bootstrap_servers=self._broker,
            group_id=None,  # every partition is ours
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=QUIET_MS,
        )
        await consumer.start()
        try:
            partitions = consumer.assignment()
            if not partitions:
                raise ValueError(f"topic {FENCES.name} does not exist yet; run `fenceline topics create`")
            ends = await consumer.end_offsets(partitions)
            while True:
                found = await consumer.getmany(timeout_ms=QUIET_MS)
                for records in found.values():
                    for record in records:
                        self._take(record.key or b"", record.value, record.timestamp)
                if not found and not self.caught_up.is_set():
                    at = [(await consumer.position(one)) >= ends[one] for one in partitions]
                    if all(at):
                        self.caught_up.set()
        finally:
            await consumer.stop()

    def _take(self, key: bytes, value: bytes | None, timestamp_ms: int) -> None:
        with suppress(Invalid):  # the worker says on fences.rejected what is wrong with it
            fence_id = key.decode("utf-8", "replace")
            self.learn(fence_id, decode(value, Fence) if value else None, from_epoch(timestamp_ms / 1000))
