"""How does it go out? Emissions as records with their headers, acknowledged by all replicas, in order, or not at all.

The producer is idempotent where the broker can (Apache Kafka), so a retry after a lost answer does not write twice.
Such a producer never gives a batch up; we do, when the lease on our partitions runs out: the connection is then closed
for good and a new producer begun, so that nothing of what we gave up goes out later, when another worker owns the
partition.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, NodeNotReadyError, UnknownError
from aiokafka.protocol.produce import ProduceRequest

from pipeline.step import Emission
from schemas.message import encode
from schemas.times import instant

ACK_TIMEOUT_S = 8.0
LINGER_MS = 2
BATCH_BYTES = 512 * 1024
REQUEST_BYTES = 1_000_000
AT_ONCE = 5_000

Entry = tuple[bytes, bytes | None, list[tuple[str, bytes]]]

log = structlog.get_logger()


class NotSent(Exception):
    """The broker did not acknowledge in time; some of it may be on its topic."""


def _now() -> datetime:
    return datetime.now(UTC)


class Sender:
    """The one producer of a worker. `remaining_s`: how long our partitions are still ours for certain."""

    def __init__(self, broker: str, remaining_s: Callable[[], float], now: Callable[[], datetime] = _now) -> None:
        self._broker = broker
        self._remaining_s = remaining_s
        self._now = now
        self._producer: AIOKafkaProducer | None = None
        self.sent = 0

    async def start(self) -> None:
        """Connect; raises KafkaError if the broker is away."""
        complaints = logging.getLogger("aiokafka.producer.sender")
        complaints.disabled = True  # about what is mended here
        try:
            self._producer = await self._started(idempotent=True)
        except UnknownError:  # how the embedded broker says that it has no idempotent producers
            self._producer = await self._started(idempotent=False)
        finally:
            complaints.disabled = False

    async def _started(self, idempotent: bool) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._broker,
            client_id="fenceline-worker",
            acks="all",
            enable_idempotence=idempotent,
            linger_ms=LINGER_MS,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=int(ACK_TIMEOUT_S * 1000),
        )
        self._guard(producer)
        try:
            await producer.start()
        except BaseException:
            await _cut(producer)
            raise
        return producer

    def _guard(self, producer: AIOKafkaProducer) -> None:
        """Look at the lease once more right before records go out.

        Between our own look and that moment the producer collects, waits for acknowledgements and is scheduled: long
        enough for a process that is frozen there to send, when it wakes up, what another worker has said meanwhile.
        """
        go = producer.client.send

        async def send(node_id: int, request: Any, **options: Any) -> Any:
            if isinstance(request, ProduceRequest) and self._remaining_s() <= 0:
                raise NodeNotReadyError("our hold on the partitions may have lapsed")
            return await go(node_id, request, **options)

        producer.client.send = send

    async def stop(self) -> None:
        """Disconnect; everything acknowledged is out, nothing else is worth waiting for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _cut(producer)

    async def send(self, emissions: Sequence[tuple[str, Emission]]) -> None:
        """Send emissions, each with its `src`, and wait until the broker has them all.

        Raises:
            NotSent: it has not, for as long as we may wait.
        """
        for begin in range(0, len(emissions), AT_ONCE):
            part = emissions[begin : begin + AT_ONCE]
            now = self._now()
            await self._acknowledged(
                [(e.topic, e.key.encode(), _value(e.message, now), _headers(e, src)) for src, e in part]
            )
            self.sent += len(part)

    async def _acknowledged(self, records: list[tuple[str, bytes, bytes | None, list[tuple[str, bytes]]]]) -> None:
        async def go(producer: AIOKafkaProducer) -> None:
            waiting = []
            for topic, key, value, headers in records:
                try:
                    waiting.append(await producer.send(topic, value, key=key, headers=headers))
                except MessageSizeTooLargeError:
                    # It would be refused for ever; the stream must go on.
                    log.error("too large to send, left out", topic=topic, bytes=len(value or b""))
            await asyncio.gather(*waiting)

        await self._within(go)

    async def append(self, topic: str, partition: int, entries: Iterable[Entry]) -> int:
        """Write `entries` (key, value, headers) to one partition, in order; the offset of the last, -1 if none.

        Raises:
            NotSent: the broker has not taken them all, for as long as we may wait.
        """
        last = -1

        async def go(producer: AIOKafkaProducer) -> None:
            nonlocal last
            stamp = int(time.time() * 1000)
            batch = producer.create_batch()
            waiting: Any = None
            for key, value, headers in entries:
                if batch.append(timestamp=stamp, key=key, value=value, headers=headers) is None:
                    batch.close()
                    waiting = await producer.send_batch(batch, topic, partition=partition)
                    batch = producer.create_batch()
                    batch.append(timestamp=stamp, key=key, value=value, headers=headers)
            if batch.record_count():
                count = batch.record_count()
                batch.close()
                waiting = await producer.send_batch(batch, topic, partition=partition)
                last = (await waiting).offset + count - 1

        await self._within(go)
        return last

    async def _within(self, go: Callable[[AIOKafkaProducer], Any]) -> None:
        timeout_s = min(ACK_TIMEOUT_S, self._remaining_s())
        if timeout_s <= 0:
            raise NotSent("our hold on the partitions may have lapsed")
        try:
            if self._producer is None:
                await self.start()
            async with asyncio.timeout(timeout_s):
                await go(self._producer)
        except (TimeoutError, KafkaError, OSError) as error:
            await self.stop()
            raise NotSent(f"not acknowledged within {timeout_s:.1f} s: {type(error).__name__} {error}") from error


async def _cut(producer: AIOKafkaProducer) -> None:
    """End `producer` at once, with what it still holds. Its own stop() would wait until that is delivered."""
    producer._closed = True
    task = producer._sender.sender_task
    await producer.client.close()
    if task is not None:
        task.cancel()
        with suppress(asyncio.CancelledError, KafkaError, TimeoutError):
            await asyncio.wait_for(task, 2.0)


def _value(message: Any, now: datetime) -> bytes | None:
    if message is None or isinstance(message, bytes):
        return message
    if hasattr(message, "emitted_at"):
        message = msgspec.structs.replace(message, emitted_at=instant(now))
    return encode(message)


def _headers(emission: Emission, src: str) -> list[tuple[str, bytes]]:
    kind = type(emission.message).__name__
    return [("id", emission.id.encode()), ("src", src.encode()), ("type", kind.encode())]
