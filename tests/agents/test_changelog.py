from itertools import chain

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.changelog import Marker, Saved, checkpoint, load
from agents.reader import LogReader
from agents.sender import Sender
from pipeline.step import Change
from schemas.message import encode
from schemas.times import from_epoch

TOPIC = "fenceline.test.changelog"
AT = from_epoch(0)


@pytest.fixture
async def sender(broker: str):  # type: ignore[no-untyped-def]
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 2, 1)])
    await admin.close()
    sender = Sender(broker, lambda: 10.0)
    await sender.start()
    yield sender
    await sender.stop()


async def read(broker: str) -> Saved:
    async with LogReader(broker) as reader:
        return (await load(reader, TOPIC, [0]))[0]


async def save(sender: Sender, number: int, changed: list[Change], marker: Marker) -> int:
    pieces = checkpoint([changed], marker, marker.at)
    return await sender.append(TOPIC, number, chain.from_iterable(pieces))


def marker(offset: int, generation: int = 0) -> Marker:
    return Marker(positions={"in": offset}, written_at=AT, generation=generation)


async def test_a_new_changelog_holds_nothing(broker: str, sender: Sender) -> None:
    assert await read(broker) == Saved(None, {}, 0)


async def test_the_latest_state_of_each_key_comes_back_with_the_marker(broker: str, sender: Sender) -> None:
    await save(sender, 0, [(b"a", b"1"), (b"b", b"1")], marker(4))
    last = await save(sender, 0, [(b"a", b"2")], marker(9))
    saved = await read(broker)
    assert saved.marker == marker(9)
    assert saved.entries == {b"a": (b"2", {}), b"b": (b"1", {})}
    assert saved.end == last + 1


async def test_entries_of_a_checkpoint_that_was_not_finished_say_what_they_include(broker: str, sender: Sender) -> None:
    await save(sender, 0, [(b"a", b"1"), (b"b", b"1")], marker(4))
    await sender.append(TOPIC, 0, [(b"a", b"2", [("at", b'{"":0,"in":9}')])])
    saved = await read(broker)
    assert saved.marker == marker(4)
    assert saved.entries[b"a"] == (b"2", {"": 0, "in": 9})
    assert saved.entries[b"b"] == (b"1", {})


async def test_a_forgotten_key_is_gone(broker: str, sender: Sender) -> None:
    await save(sender, 0, [(b"a", b"1")], marker(4))
    await save(sender, 0, [(b"a", None)], marker(9))
    assert (await read(broker)).entries == {}


async def test_a_key_forgotten_by_a_checkpoint_that_was_not_finished_says_as_of_when(
    broker: str, sender: Sender
) -> None:
    await save(sender, 0, [(b"a", b"1")], marker(4))
    await sender.append(TOPIC, 0, [(b"a", b"", [("at", b'{"":0,"in":9}')])])
    assert (await read(broker)).entries == {b"a": (b"", {"": 0, "in": 9})}


async def test_what_a_worker_wrote_that_had_lost_the_partition_does_not_count(broker: str, sender: Sender) -> None:
    await save(sender, 0, [(b"a", b"new")], marker(9))
    await save(sender, 0, [(b"a", b"stale")], marker(4))
    saved = await read(broker)
    assert saved.marker == marker(9)
    assert saved.entries == {b"a": (b"new", {})}


async def test_after_the_input_was_made_anew_lower_positions_count(broker: str, sender: Sender) -> None:
    await save(sender, 0, [(b"a", b"old")], marker(9))
    await save(sender, 0, [(b"a", b"new")], marker(1, generation=1))
    saved = await read(broker)
    assert saved.marker == marker(1, generation=1)
    assert saved.entries == {b"a": (b"new", {})}


async def test_many_entries_come_back_whole_and_in_bulk(broker: str, sender: Sender) -> None:
    """More than fit into one batch, over which the embedded broker names a wrong end."""
    entries = [(f"key-{n}".encode(), b"x" * 100) for n in range(20_000)]
    await save(sender, 1, entries, marker(1))
    async with LogReader(broker) as reader:
        saved = (await load(reader, TOPIC, [0, 1]))[1]
        ends = await reader.ends([TopicPartition(TOPIC, 1)])
    assert len(saved.entries) == 20_000
    assert ends[TopicPartition(TOPIC, 1)] <= saved.end == 20_001


def test_a_marker_reads_the_same_in_every_version() -> None:
    assert encode(marker(4)) == b'{"positions":{"in":4},"written_at":"1970-01-01T00:00:00.000Z"}'
