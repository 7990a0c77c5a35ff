"""People at home, and their devices' reports: some go out now and then, none of it random beyond what is drawn."""

import asyncio
import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RADIUS_M = 200
REACH_M = 350
METRES_PER_DEGREE = 111_200.0


def partition_of(key: str, partitions: int) -> int:
    """Where Kafka's default partitioner puts `key`."""
    place: int = (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
    return place


def home(number: int) -> tuple[float, float]:
    """Latitude and longitude of the home of person `number`."""
    return 30 + (number % 100) * 0.02, 110 + (number // 100) * 0.02


def reference_of(number: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(topic, key, value) of what must be known of person `number`: a circle to stay in, and who wears what."""
    lat, lon = home(number)
    yield "fences", f"f{number}", {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [lon, lat]},
        "properties": {
            "fence_id": f"f{number}", "version": 1, "name": f"home {number}", "rule": "stay_in",
            "subjects": [f"s{number}"], "datum": "wgs84", "buffer_m": RADIUS_M, "agency": "a",
            "effective_from": "2025-01-01T00:00:00Z",
        },
    }  # fmt: skip
    yield "subjects", f"s{number}", {"subject_id": f"s{number}", "agency": "a"}
    yield "activations", f"a{number}", {
        "activation_id": f"a{number}", "device_id": f"d{number}", "subject_id": f"s{number}", "order_id": "o",
        "agency": "a", "starts_at": "2025-01-01T00:00:00Z",
    }  # fmt: skip


async def introduce(broker: str, people: int, partitions: int) -> None:
    """Write what must be known of `people`, activations by device."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", linger_ms=20)
    await producer.start()
    try:
        waiting = []
        for number in range(people):
            for topic, key, value in reference_of(number):
                place = partition_of(value["device_id"], partitions) if topic == "activations" else None
                waiting.append(
                    await producer.send(topic, json.dumps(value).encode(), key=key.encode(), partition=place)
                )
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


def fix(number: int, step: int, chance: random.Random) -> dict[str, Any]:
    """The report of person `number` after `step` steps of 10 s: out and back again, with a receiver's errors."""
    lat, lon = home(number)
    away_m = REACH_M * max(0.0, math.sin(step / 9 + number)) + chance.gauss(0, 4)
    return {
        "device_id": f"d{number}",
        "fix_time": (BEGIN + timedelta(seconds=10 * step)).isoformat(),
        "lat": lat + away_m / METRES_PER_DEGREE,
        "lon": lon,
        "accuracy_m": 8.0,
    }
