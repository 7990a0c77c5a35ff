"""How does the console write to the broker? One producer; what is not acknowledged in time was not written."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from console.problems import away, broker_away
from schemas.message import Message, encode

SRC = b"console"


class Pen:
    """Writes records. `within_s`: how long the broker has for each."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._producer: AIOKafkaProducer | None = None

    def take(self, producer: AIOKafkaProducer) -> None:
        """Write through `producer`, which has been started; it is ours to stop."""
        self._producer = producer

    async def write(
        self, topic: str, key: str, message: Message | None, record_id: str, kind: str = "", **headers: str
    ) -> Any:
        """Write one record (`message` None: its key is withdrawn); returns its place when the broker has it.

        Raises:
            Refused: 503, it is not known to have it. It may all the same: what is sent again has the same id.
        """
        if self._producer is None:
            raise away("starting", "the console is starting")
        named = kind or ("" if message is None else type(message).__name__)
        told = [("id", record_id.encode()), ("src", SRC), ("type", named.encode())]
        told += [(name, value.encode()) for name, value in headers.items()]
        value = None if message is None else encode(message)
        try:
            async with asyncio.timeout(self._within_s):
                return await self._producer.send_and_wait(topic, value, key=key.encode(), headers=told)
        except (KafkaError, OSError, TimeoutError) as error:
            raise broker_away() from error

    async def close(self) -> None:
        """Let go of the broker."""
        if self._producer is not None:
            await self._producer.stop()
