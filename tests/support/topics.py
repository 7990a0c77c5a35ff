"""Topics as tests write and read them."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from agents.reader import LogReader


def write_topic(broker: str, topic: str, records: Sequence[tuple[str, bytes | None]]) -> None:
    """Write (key, value)s and wait until the broker has them."""

    async def go() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all")
        await producer.start()
        try:
            for key, value in records:
                await producer.send_and_wait(topic, value, key=key.encode())
        finally:
            await producer.stop()

    asyncio.run(go())


def read_topic(broker: str, topic: str) -> list[bytes]:
    """All values of a topic, by partition and in order."""

    async def go() -> list[bytes]:
        async with LogReader(broker) as reader:
            starts = await reader.starts(await reader.partitions_of(topic))
            return [
                record.value or b""
                async for chunk in reader.read(starts)
                for records in chunk.values()
                for record in records
            ]

    return asyncio.run(go())
