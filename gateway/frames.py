"""Which fixes travel together? Frames: JSON arrays of fixes that share a partition, in the order they came.

The partition of a device is that of Kafka's default partitioner (murmur2 of the key, sign bit off, modulo), so what
a direct producer sends keyed by `device_id` lands beside what comes through here.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

import msgspec
from aiokafka.partitioner import murmur2

MAX_FIXES = 500
MAX_BYTES = 512 * 1024

T = TypeVar("T")


@lru_cache(maxsize=200_000)
def _hash(device_id: str) -> int:
    return int(murmur2(device_id.encode())) & 0x7FFFFFFF


def partition_of(device_id: str, partitions: int) -> int:
    """The partition, of `partitions`, that Kafka's default partitioner gives the key `device_id`."""
    return _hash(device_id) % partitions


class Part(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One fix on its way: its device, its JSON, and who waits for it. A Struct: a quarter of a NamedTuple's cost."""

    device_id: str
    json: bytes
    waiter: T


class Frame(NamedTuple, Generic[T]):
    """What is sent as one message. `key`: the device when all fixes are of one, else None."""

    key: bytes | None
    value: bytes
    parts: list[Part[T]]


def frames(parts: Iterable[Part[T]]) -> Iterator[Frame[T]]:
    """`parts` of one partition as frames, order kept, each of at most MAX_FIXES fixes and MAX_BYTES bytes."""
    batch: list[Part[T]] = []
    size = 2
    for part in parts:
        grown = size + len(part.json) + 1
        if batch and (len(batch) == MAX_FIXES or grown > MAX_BYTES):
            yield _frame(batch)
            batch, grown = [], 3 + len(part.json)
        batch.append(part)
        size = grown
    if batch:
        yield _frame(batch)


def _frame(parts: list[Part[T]]) -> Frame[T]:
    first = parts[0].device_id
    key = first.encode() if all(part.device_id == first for part in parts) else None
    return Frame(key, b"[" + b",".join(part.json for part in parts) + b"]", parts)
