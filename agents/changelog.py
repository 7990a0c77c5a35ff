"""How is state remembered? Entries that changed, then a marker that says which input they include.

One compacted topic per agent, one partition per partition of its input. A checkpoint writes, in this order:

1. for each changed key its state; for a forgotten key an empty value; each with the header `at`, the positions it
   includes;
2. the marker, under `MARKER_KEY`: from here on, recovery reads the input from these positions;
3. a tombstone for each forgotten key.

It is written in pieces, and records are judged in between, so entries may be newer than the marker, as they are after a
crash before 2: their `at` tells the core which records to skip for that key. A crash before 3 leaves empty values,
which say "forgotten as of" just the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog
from aiokafka import TopicPartition

from agents.reader import LogReader
from agents.sender import Entry
from pipeline.step import Change
from schemas.message import Message, Moment, decode, encode

MARKER_KEY = b"\x00checkpoint"
GENERATION = ""
"""The name under which positions tell their generation; no topic has it."""

log = structlog.get_logger()

Positions = Mapping[str, int]
"""For each input topic the offset of the last record that is included, -1 for none."""


class Marker(Message, frozen=True, kw_only=True):
    """A complete checkpoint. `clock_s`: the newest time of a record that it includes, seconds since 1970.

    `outputs`: for each output topic the offset, by partition, from which on there may be emissions not included here.
    `generation`: counts how often the input was begun anew, because its topic was made anew.
    """

    positions: dict[str, int]
    clock_s: float = 0.0
    outputs: dict[str, list[int]] = {}
    written_at: Moment
    worker: str = ""
    generation: int = 0

    def at(self) -> dict[str, int]:
        """The positions, comparable across generations."""
        return {GENERATION: self.generation, **self.positions}


class Saved(NamedTuple):
    """What a changelog partition holds. `entries`: key to (state, positions where newer than the marker)."""

    marker: Marker | None
    entries: dict[bytes, tuple[bytes, Positions]]
    end: int


def checkpoint(
    changed: Iterable[Sequence[Change]], marker: Marker, positions: Callable[[], Positions]
) -> Iterator[list[Entry]]:
    """The records of a checkpoint in pieces, each of the moment in which it is drawn; the last completes it.

    `marker`: of the moment in which the first is drawn. `positions`: those of the present moment.
    """
    forgotten: list[bytes] = []
    for piece in changed:
        at = _header({**marker.at(), **positions()})
        yield [(key, b"" if value is None else value, at) for key, value in piece]
        forgotten += [key for key, value in piece if value is None]
    at = _header(marker.at())
    yield [(MARKER_KEY, encode(marker), at), *((key, None, at) for key in forgotten)]


def _header(at: Positions) -> list[tuple[str, bytes]]:
    return [("at", msgspec.json.encode(at))]


async def load(reader: LogReader, topic: str, partitions: Iterable[int]) -> dict[int, Saved]:
    """The latest state in the changelog's `partitions`.

    Raises:
        KafkaError: the broker is away or the topic is missing.
    """
    found = {number: _Loading() for number in partitions}
    starts = await reader.starts([TopicPartition(topic, number) for number in found])
    async for chunk in reader.read(starts):
        for partition, records in chunk.items():
            found[partition.partition].take(records)
    return {number: loading.saved() for number, loading in found.items()}


class _Loading:
    """A changelog partition while it is read."""

    def __init__(self) -> None:
        self.marker: Marker | None = None
        self.entries: dict[bytes, tuple[bytes, bytes]] = {}
        self.end = 0

    def take(self, records: Iterable[object]) -> None:
        entries = self.entries
        for record in records:
            key, value, headers = record.key, record.value, record.headers  # type: ignore[attr-defined]
            at = headers[0][1] if headers else b"{}"
            if key == MARKER_KEY:
                marker = decode(value, Marker)
                if self.marker is None or not _older(marker.at(), self.marker.at()):
                    self.marker = marker
            elif value is None:
                entries.pop(key, None)
            elif (known := entries.get(key)) is None or known[1] == at or not _older(_read(at), _read(known[1])):
                # Older than what is there: written late by a worker that had lost the partition.
                entries[key] = (value, at)
            self.end = record.offset + 1  # type: ignore[attr-defined]

    def saved(self) -> Saved:
        base = {} if self.marker is None else self.marker.at()
        seen: dict[bytes, Positions] = {}
        entries: dict[bytes, tuple[bytes, Positions]] = {}
        for key, (value, at) in self.entries.items():
            if at not in seen:
                positions = _read(at)
                seen[at] = positions if _older(base, positions) else {}
            entries[key] = (value, seen[at])
        self.entries = {}
        return Saved(self.marker, entries, self.end)


def _read(at: bytes) -> dict[str, int]:
    return msgspec.json.decode(at, type=dict[str, int])


def _older(one: Positions, other: Positions) -> bool:
    if one.get(GENERATION, 0) != other.get(GENERATION, 0):
        return one.get(GENERATION, 0) < other.get(GENERATION, 0)
    return any(offset < other.get(topic, -1) for topic, offset in one.items()) or (not one and bool(other))
