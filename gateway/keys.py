"""Which credentials hold? The topic `credentials`, read to its end at the start and followed from there."""

import asyncio
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer

from gateway.metrics import Metrics, Name
from pipeline.credentials import Keyring
from schemas.message import Invalid
from schemas.topics import CREDENTIALS

log = structlog.get_logger()

PAUSE_S = 1.0
QUIET_MS = 200


class KeyReader:
    """Keeps a `Keyring` as the topic has it; what it knows stays in force while the broker is away."""

    def __init__(self, broker: str, keyring: Keyring, metrics: Metrics) -> None:
        self._broker = broker
        self._keyring = keyring
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None
        self.caught_up = asyncio.Event()

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
            except Exception as error:  # whatever it is: without this task no revocation would be heard of
                log.warning("credentials_unread", error=type(error).__name__, detail=str(error)[:200])
            await asyncio.sleep(PAUSE_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            CREDENTIALS.name,
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
                raise ValueError(f"topic {CREDENTIALS.name} does not exist yet; run `fenceline topics create`")
            ends = await consumer.end_offsets(partitions)
            while True:
                found = await consumer.getmany(timeout_ms=QUIET_MS)
                for records in found.values():
                    for record in records:
                        self._learn(record.key or b"", record.value, record.offset)
                if not found and not self.caught_up.is_set():
                    at = [(await consumer.position(one)) >= ends[one] for one in partitions]
                    if all(at):
                        self.caught_up.set()
                        log.info("credentials_read", count=len(self._keyring))
        finally:
            await consumer.stop()

    def _learn(self, key: bytes, value: bytes | None, offset: int) -> None:
        try:
            self._keyring.learn(key, value)
        except Invalid as why:
            log.warning("credential_unusable", offset=offset, reason=why.reason, field=why.field)
        self._metrics.set(Name.CREDENTIALS, len(self._keyring))
