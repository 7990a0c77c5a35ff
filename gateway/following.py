"""How is a whole topic followed? Every partition, from the start or from a moment, for as long as the process runs.

No group: each process reads all of it. Whatever goes wrong, it is read again a little later; what was learnt stays.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer

log = structlog.get_logger()

PAUSE_S = 1.0
QUIET_MS = 200


class TopicFollower:
    """Hands each record of `topic` to `take`, again after a fault. `since`: from when on; absent: from the start."""

    def __init__(
        self, broker: str, topic: str, take: Callable[[Any], None], since: Callable[[], datetime] | None = None
    ) -> None:
        self._broker = broker
        self._topic = topic
        self._take = take
        self._since = since
        self._task: asyncio.Task[None] | None = None
        self.caught_up = asyncio.Event()

    def start(self) -> None:
        """Begin to read; `caught_up` is set when the end has been reached once."""
        self._task = asyncio.create_task(self.follow())

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def follow(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read()
            except Exception as error:  # whatever it is: without this task nothing new would be heard of
                log.warning(f"{self._topic}_unread", error=type(error).__name__, detail=str(error)[:200])
            await asyncio.sleep(PAUSE_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            self._topic,
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
                raise ValueError(f"topic {self._topic} does not exist yet; run `fenceline topics create`")
            ends = await consumer.end_offsets(partitions)
            if self._since is not None:
                since_ms = int(self._since().timestamp() * 1000)
                for place, at in (await consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))).items():
                    if at is not None:
                        consumer.seek(place, at.offset)
            while True:
                found = await consumer.getmany(timeout_ms=QUIET_MS)
                for records in found.values():
                    for record in records:
                        self._take(record)
                if not found and not self.caught_up.is_set():
                    reached = [(await consumer.position(one)) >= ends[one] for one in partitions]
                    if all(reached):
                        self.caught_up.set()
                        log.info(f"{self._topic}_read")
        finally:
            await consumer.stop()
