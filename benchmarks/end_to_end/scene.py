"""What is watched: fences to keep out of, devices that walk, and their reports as frames, made once and sent again."""

import json
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.support.homes import METRES_PER_DEGREE, partition_of

STAMP = b"2000-00-00T00:00:00.000Z"
"""Stands in prepared frames for the moment of sending."""

FRAME = 100
LAPS = 4
STEP_M = 20.0
EXPECTED_PERIOD_S = 20.0
SPAN_DEG = 2.0
EVERY, BELOW_M, CROSSING_STEP_M = 200, 290.0, 60.0
"""Of so many devices one crosses the edge of a fence, from so far below its middle, so deep that there is no doubt."""
LAT, LON = 30.0, 110.0


class Scene(NamedTuple):
    """`devices` go STEP_M between reports, LAPS there and back, among `fences` of about 300 m radius."""

    devices: int
    fences: int
    vertices: int
    partitions: int


def fence(scene: Scene, number: int) -> dict[str, Any]:
    """GeoJSON of fence `number`: a rough disc, forbidden for all under the agency."""
    chance = random.Random(number)
    lat, lon = _somewhere(chance)
    squeeze = math.cos(math.radians(lat))
    ring = []
    for corner in range(scene.vertices):
        turn, reach_m = 2 * math.pi * corner / scene.vertices, 300 * (0.7 + 0.3 * chance.random())
        reach = reach_m / METRES_PER_DEGREE
        ring.append([round(lon + reach * math.cos(turn) / squeeze, 7), round(lat + reach * math.sin(turn), 7)])
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        "properties": {
            "fence_id": f"w{number}", "rule": "keep_out", "datum": "wgs84", "agency": "a",
            "effective_from": "2025-01-01T00:00:00Z",
        },
    }  # fmt: skip


def _somewhere(chance: random.Random) -> tuple[float, float]:
    return LAT + chance.random() * SPAN_DEG, LON + chance.random() * SPAN_DEG


def _start(scene: Scene, device: int, chance: random.Random) -> tuple[float, float]:
    """Where a device's walk begins: anywhere, or, of every `EVERY`th, below the southern edge of a fence, over which it
    goes."""
    if device % EVERY:
        return _somewhere(chance)
    lat, lon = _somewhere(random.Random(device // EVERY % scene.fences))
    return lat - BELOW_M / METRES_PER_DEGREE, lon


def _step_m(device: int) -> float:
    return STEP_M if device % EVERY else CROSSING_STEP_M


def reference(scene: Scene) -> Iterator[tuple[str, str, bytes, int | None]]:
    """(topic, key, value, partition) of all that our worker must know."""
    for number in range(scene.fences):
        yield "fences", f"w{number}", json.dumps(fence(scene, number)).encode(), None
    for number in range(scene.devices):
        activation = {
            "activation_id": f"a{number}", "device_id": f"d{number}", "subject_id": f"s{number}", "order_id": "o",
            "agency": "a", "starts_at": "2025-01-01T00:00:00Z", "expected_period_s": EXPECTED_PERIOD_S,
        }  # fmt: skip
        value = json.dumps(activation).encode()
        yield "activations", f"a{number}", value, partition_of(f"d{number}", scene.partitions)


def laps(scene: Scene, devices: int) -> Iterator[list[tuple[int, bytes, int]]]:
    """Each lap's frames as (partition, frame, fixes) for the first `devices`, FRAME of them in a frame.

    A frame's fixes stand on lines of their own. After the last lap comes the first again.
    """
    chance = random.Random(7)
    places = [_start(scene, number, chance) for number in range(devices)]
    by_partition: dict[int, list[int]] = {}
    for number in range(devices):
        by_partition.setdefault(partition_of(f"d{number}", scene.partitions), []).append(number)
    batches = [
        (partition, numbers[begin : begin + FRAME])
        for partition, numbers in by_partition.items()
        for begin in range(0, len(numbers), FRAME)
    ]
    chance.shuffle(batches)
    stamp = STAMP.decode()
    for lap in range(2 * LAPS):
        # each eighth of them is at another step of the way there and back, so that at all times some cross over
        steps = [(LAPS - abs((lap + n) % (2 * LAPS) - LAPS)) / METRES_PER_DEGREE for n in range(2 * LAPS)]
        frames = []
        for partition, numbers in batches:
            at = [places[n][0] + _step_m(n) * steps[n // EVERY % (2 * LAPS)] for n in numbers]
            fixes = [
                f'{{"device_id":"d{n}","fix_time":"{stamp}","lat":{lat:.6f},'
                f'"lon":{places[n][1]:.6f},"accuracy_m":8.0,"speed_mps":1.2,"battery_pct":80}}'
                for n, lat in zip(numbers, at, strict=True)
            ]
            frames.append((partition, ("[" + ",\n".join(fixes) + "]").encode(), len(numbers)))
        yield frames


def stamped(frame: bytes, at: datetime | None = None) -> bytes:
    """`frame` with all its fixes as of now."""
    moment = at or datetime.now(UTC)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return frame.replace(STAMP, text.encode())


def singles(frame: bytes) -> list[bytes]:
    """The fixes of a frame, each as a value of its own."""
    return frame[1:-1].split(b",\n")
