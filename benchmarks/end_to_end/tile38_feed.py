"""Fixes from Kafka asked of Tile38 over its own protocol, pipelined; a hit is sent on.

``python -m benchmarks.end_to_end.tile38_feed BROKER FENCES.geojson TOPIC PROGRAM``; TOPIC holds frames or single fixes.
"""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.fence_lookup.server import PIPELINE, command, reply, running

GROUP = "tile38-feed"


class Place(msgspec.Struct):
    device_id: str
    fix_time: str
    lat: float
    lon: float


DECODE = msgspec.json.Decoder(list[Place] | Place).decode


def ask(connection: Any, stream: Any, places: list[Place]) -> list[tuple[Place, str]]:
    """Every place with every fence that it is in."""
    hits = []
    pending = iter(places)
    while some := list(islice(pending, PIPELINE)):
        connection.sendall(
            b"".join(
                command("INTERSECTS", "fences", "LIMIT", "1000", "IDS", "OBJECT",
                        f'{{"type":"Point","coordinates":[{place.lon!r},{place.lat!r}]}}')
                for place in some
            )
        )  # fmt: skip
        for place in some:
            hits += [(place, name) for name in reply(stream)[1]]
    return hits


async def feed(broker: str, topic: str, connection: Any, stream: Any) -> None:
    """Go on until ended."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=broker, group_id=GROUP, auto_offset_reset="earliest", auto_commit_interval_ms=500
    )
    producer = AIOKafkaProducer(bootstrap_servers=broker, linger_ms=5)
    await consumer.start()
    await producer.start()
    while True:
        chunk = await consumer.getmany(timeout_ms=200, max_records=500)
        values = [DECODE(record.value) for records in chunk.values() for record in records]
        places = [place for value in values for place in (value if isinstance(value, list) else [value])]
        for place, name in ask(connection, stream, places):
            hit = {"device_id": place.device_id, "at": place.fix_time, "fence": name}
            await producer.send("hits", json.dumps(hit).encode())


def main() -> None:
    broker, fences, topic, program = sys.argv[1:5]
    with running(program) as connection, connection.makefile("rb") as stream:
        for feature in json.loads(Path(fences).read_text())["features"]:
            name = feature["properties"]["fence_id"]
            connection.sendall(command("SET", "fences", name, "OBJECT", json.dumps(feature["geometry"])))
            reply(stream)
        uvloop.run(feed(broker, topic, connection, stream))


if __name__ == "__main__":
    main()
