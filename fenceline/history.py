"""What do topics hold of a time gone by? Their records in bulk, from one moment to another."""

from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents.reader import LogReader, record_of
from gateway.frames import partition_of
from pipeline.step import Record
from schemas.fix import Fix, decode_fixes_apart
from schemas.incident import Incident
from schemas.message import Invalid, decode
from schemas.reference import Fence, Subject
from schemas.topics import FENCES, FIXES, INCIDENTS, SUBJECTS

SLACK = timedelta(minutes=5)
"""Broker's clocks and ours may differ by this; records are read so much earlier and then told by their own times."""


async def records(
    broker: str, topic: str, since: datetime | None = None, only: Collection[int] | None = None
) -> AsyncIterator[list[Record]]:
    """The records of `topic` (of its partitions `only`, if given) from `since` on to its end, in chunks.

    Raises:
        KafkaError: the broker is away.
    """
    async with LogReader(broker) as reader:
        places = [place for place in await reader.partitions_of(topic) if only is None or place.partition in only]
        start = await reader.starts(places)
        if since is not None:
            start |= await _offsets_at(broker, places, since - SLACK)
        async for chunk in reader.read(start):
            for raw in chunk.values():
                yield [record_of(one) for one in raw]


async def _offsets_at(broker: str, places: list[TopicPartition], at: datetime) -> dict[TopicPartition, int]:
    """Where each partition's first record of `at` or later stands, as far as the broker can tell."""
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(places)
        with suppress(KafkaError, NotImplementedError):
            found: dict[TopicPartition, Any] = await consumer.offsets_for_times(
                dict.fromkeys(places, int(at.timestamp() * 1000))
            )
            ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
            return {place: known.offset if known else ends[place] for place, known in found.items()}
        return {}
    finally:
        await consumer.stop()


async def find_incident(broker: str, incident_id: str, since: datetime | None = None) -> Incident | None:
    """The incident of that id as it was last said; None if the topic does not have it.

    Raises:
        KafkaError: the broker is away.
    """
    found = None
    wanted = incident_id.encode()
    async for chunk in records(broker, INCIDENTS.name, since):
        for record in chunk:
            if wanted in record.value:  # most are not it, and need no decoding
                with suppress(Invalid):
                    incident = decode(record.value, Incident)
                    found = incident if incident.incident_id == incident_id else found
    return found


async def find_fence(broker: str, fence_id: str, version: int) -> Fence | None:
    """That version of the fence; None if the topic no longer has it."""
    found = None
    async for chunk in records(broker, FENCES.name):
        for record in chunk:
            if record.key == fence_id.encode():
                with suppress(Invalid):
                    fence = decode(record.value, Fence)
                    found = fence if fence.properties.version == version else found
    return found


async def find_subject(broker: str, subject_id: str) -> Subject | None:
    """The person as last said; None if unknown."""
    found = None
    async for chunk in records(broker, SUBJECTS.name):
        for record in chunk:
            if record.key == subject_id.encode():
                with suppress(Invalid):
                    found = decode(record.value, Subject) if record.value else None
    return found


async def find_track(broker: str, device_id: str, since: datetime, until: datetime) -> list[Fix]:
    """The device's fixes of that time, by time, as far as they had been delivered a day after it."""
    async with LogReader(broker) as reader:
        partitions = len(await reader.partitions_of(FIXES.name))
    track: dict[datetime, Fix] = {}
    async for chunk in records(broker, FIXES.name, since, {partition_of(device_id, partitions)}):
        for record in chunk:
            if device_id.encode() not in record.value:
                continue
            with suppress(Invalid):
                for fix in decode_fixes_apart(record.value)[0]:
                    if fix.device_id == device_id and since <= fix.fix_time <= until:
                        track[fix.fix_time] = fix
    return [track[at] for at in sorted(track)]
