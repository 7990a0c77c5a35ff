"""The model in a real Redis: begun once, made anew when it is old, swept of what is past, never half emptied."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
from aiokafka import TopicPartition

from agents.modelstore import ModelStore, Outdated, Superseded, put_draft
from fenceline.embedded import embedded_redis
from pipeline.readmodel import layout
from pipeline.readmodel.draft import Draft
from pipeline.readmodel.positions import Position, pack

PLACE = TopicPartition("alerts", 0)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with embedded_redis() as url:
        yield url


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[ModelStore]:
    store = ModelStore(redis_url)
    await store.redis.flushall()
    yield store
    await store.close()


def draft(number: int) -> Draft:
    made = Draft({})
    made.put(("alerts", f"a{number}"), json.dumps(number).encode())
    return made


async def write(store: ModelStore, epoch: str, before: int | None, after: int) -> None:
    await store.write(epoch, {PLACE: before}, {PLACE: after}, partial(put_draft, draft(after)))


async def test_a_batch_is_written_once_and_not_over_what_another_wrote(store: ModelStore) -> None:
    epoch = await store.epoch()
    await write(store, epoch, None, 1)
    with pytest.raises(Superseded):
        await write(store, epoch, None, 1)
    with pytest.raises(Superseded):
        await write(store, "another", 1, 2)
    assert await store.offsets([PLACE]) == {PLACE: 1}
    assert await store.redis.hlen(layout.table_key("alerts")) == 1


async def test_a_model_of_an_older_version_is_made_anew_and_a_newer_one_is_let_be(store: ModelStore) -> None:
    await store.redis.set(layout.EPOCH, "from-before-there-were-versions")
    await store.redis.hset(layout.table_key("alerts"), "a", "old")
    await store.redis.set("fl:other", "not ours")
    assert layout.version_of(await store.epoch()) == layout.VERSION
    assert not await store.redis.exists(layout.table_key("alerts"))
    assert await store.redis.get("fl:other") == b"not ours"
    await store.redis.set(layout.EPOCH, layout.epoch_name("theirs", layout.VERSION + 1))
    with pytest.raises(Outdated):
        await store.epoch()


async def test_emptying_takes_nothing_of_what_is_written_meanwhile(redis_url: str, store: ModelStore) -> None:
    """Whatever the timing, what the offsets say was written is there."""
    others = [ModelStore(redis_url) for _ in range(3)]
    offset: int | None = None
    written: list[int] = []
    ending = asyncio.Event()

    async def project() -> None:
        nonlocal offset
        epoch = await store.epoch()
        while not ending.is_set():
            try:
                await write(store, epoch, offset, (offset or 0) + 1)
                offset = (offset or 0) + 1
                written.append(offset)
            except Superseded:
                epoch = await store.epoch()
                offset = (await store.offsets([PLACE]))[PLACE]
            await asyncio.sleep(0)

    task = asyncio.create_task(project())
    for _ in range(5):
        await asyncio.gather(*(other.drop() for other in others))
        count = len(written)
        while len(written) < count + 20 and not task.done():
            await asyncio.sleep(0.001)
    ending.set()
    await task
    reached = (await store.offsets([PLACE]))[PLACE]
    assert reached is not None
    assert await store.redis.hlen(layout.table_key("alerts")) == reached
    for other in others:
        await other.close()


async def test_what_nobody_may_see_any_more_is_swept_away(store: ModelStore) -> None:
    client, day_s = store.redis, layout.DAY_S
    await client.hset(layout.POSITIONS, mapping={"old": pack(Position(1000)), "new": pack(Position(90 * day_s * 1000))})
    await store.sweep_positions(80 * day_s)
    assert await client.hkeys(layout.POSITIONS) == [b"new"]

    lines = {name: layout.index_key(layout.index(layout.TIMELINE, name)) for name in ("gone", "known", "recent")}
    for name, at_s in (("gone", 1), ("known", 1), ("recent", 90 * day_s)):
        await client.zadd(lines[name], {"moment": at_s})
        await client.hset(layout.table_key(layout.ledger(name)), "e", "entry")
        await client.hset(layout.table_key("scores"), name, "score")
    await client.hset(layout.table_key("subjects"), "known", "subject")
    await store.sweep_timelines(80 * day_s)
    await store.sweep_people()
    assert sorted(await client.hkeys(layout.table_key("scores"))) == [b"known", b"recent"]
    assert not await client.exists(layout.table_key(layout.ledger("gone")))
    assert await client.exists(layout.table_key(layout.ledger("recent")), lines["recent"]) == 2
