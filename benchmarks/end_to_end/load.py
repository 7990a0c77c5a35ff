"""The producer, as a program: reports at the rate that it is told, as frames or one by one, without a pause.

``python -m benchmarks.end_to_end.load JSON`` with broker, topic, scene, devices and singles; then a line with a rate
(fixes a second) on its standard input whenever that is to change. It ends with its input.
"""

import asyncio
import json
import sys
import time
from itertools import cycle
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer

from benchmarks.end_to_end.scene import Scene, laps, singles, stamped

PERIOD_S, BEHIND_S = 0.02, 0.5


async def run(broker: str, topic: str, scene: Scene, devices: int, by_one: bool) -> None:
    """Send what is told on standard input."""
    prepared = [frame for lap in laps(scene, devices) for frame in lap]
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    told = Told()
    reading = asyncio.create_task(told.follow())
    supply = cycle(prepared)
    before = time.perf_counter()
    fixes = due = 0.0
    while not reading.done():
        now = time.perf_counter()
        due = min(due + (now - before) * told.rate, fixes + BEHIND_S * told.rate)  # what it cannot send is not owed
        before = now
        while fixes < due:
            partition, frame, count = next(supply)
            value = stamped(frame)
            if by_one:
                await _batch(producer, topic, partition, singles(value))
            else:
                await producer.send(topic, value, partition=partition)
            fixes += count
        await asyncio.sleep(PERIOD_S)
    await producer.stop()


class Told:
    """The rate that was told last, fixes a second."""

    def __init__(self) -> None:
        self.rate = 0.0

    async def follow(self) -> None:
        """Read rates until there are no more."""
        while line := await asyncio.to_thread(sys.stdin.readline):
            self.rate = float(line)


async def _batch(producer: AIOKafkaProducer, topic: str, partition: int, values: list[bytes]) -> Any:
    batch = producer.create_batch()
    stamp = int(time.time() * 1000)
    for value in values:
        batch.append(timestamp=stamp, key=None, value=value)
    batch.close()
    return await producer.send_batch(batch, topic, partition=partition)


def main() -> None:
    wanted = json.loads(sys.argv[1])
    scene = Scene(**wanted["scene"])
    uvloop.run(run(wanted["broker"], wanted["topic"], scene, wanted["devices"], wanted["singles"]))


if __name__ == "__main__":
    main()
