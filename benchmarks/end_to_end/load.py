"""The producer, as a program: reports at a steady rate, as frames or one by one, and how many the broker took.

``python -m benchmarks.end_to_end.load JSON`` with broker, topic, scene, rate (fixes a second), seconds and singles
prints one JSON line when it has begun and one when it has ended.
"""

import asyncio
import json
import sys
import time
from itertools import cycle
from typing import Any

import uvloop
from aiokafka import AIOKafkaProducer

from benchmarks.end_to_end.scene import FRAME, Scene, laps, singles, stamped
from benchmarks.end_to_end.scene import PERIOD_S as DEVICE_PERIOD_S

PERIOD_S = 0.02


async def run(broker: str, topic: str, scene: Scene, rate: float, seconds: float, by_one: bool) -> dict[str, Any]:
    """Send `rate` fixes a second for `seconds`; what was sent and how long it took until acknowledged."""
    devices = min(scene.devices, max(FRAME, int(rate * DEVICE_PERIOD_S)))
    prepared = [frame for lap in laps(scene, devices) for frame in lap]
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    print(json.dumps({"began": time.time()}), flush=True)
    supply = cycle(prepared)
    began = time.perf_counter()
    fixes, waiting, sending = 0, set[Any](), None
    while (elapsed := time.perf_counter() - began) < seconds:
        while fixes < elapsed * rate:
            partition, frame, count = next(supply)
            value = stamped(frame)
            if by_one:
                sending = await _batch(producer, topic, partition, singles(value))
            else:
                sending = await producer.send(topic, value, partition=partition)
            waiting.add(sending)
            sending.add_done_callback(waiting.discard)
            fixes += count
        await asyncio.sleep(PERIOD_S)
    await producer.flush()
    took_s = time.perf_counter() - began
    await producer.stop()
    return {"fixes": fixes, "seconds": round(took_s, 3), "fixes_per_s": round(fixes / took_s), "ended": time.time()}


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
    print(
        json.dumps(
            uvloop.run(
                run(wanted["broker"], wanted["topic"], scene, wanted["rate"], wanted["seconds"], wanted["singles"])
            )
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
