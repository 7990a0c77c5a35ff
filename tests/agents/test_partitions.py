"""Partitions of a small agent on the embedded broker: what is sent, what is remembered, what comes back."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from agents.changelog import load
from agents.partitions import Partitions
from agents.reader import LogReader, record_of
from agents.sender import NotSent, Sender
from agents.topics import create_topics
from fenceline.settings import Settings
from pipeline.step import Record
from schemas.topics import FIXES, INCIDENTS
from tests.support.tally import AGENT, Noted
from tests.support.workers import ids, read_all, send_all

KEY = "d1"


class Doubtful(Sender):
    """A real sender that can be told to lose the broker, before or after it has written."""

    fails_before = fails_after = False
    holds: asyncio.Event | None = None
    """Appends wait for it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.held = asyncio.Event()

    async def append(self, topic: str, partition: int, entries: Any) -> int:
        if self.holds is not None:
            self.held.set()
            await self.holds.wait()
        return await super().append(topic, partition, entries)

    async def held_up(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """`work`, begun, and waiting to append."""
        self.holds = asyncio.Event()
        task = asyncio.create_task(work)
        await self.held.wait()
        return task

    async def send(self, emissions: Any) -> None:
        if self.fails_before:
            self.fails_before = False
            raise NotSent("told to")
        await super().send(emissions)
        if self.fails_after:
            self.fails_after = False
            raise NotSent("told to")


class Site:
    """A broker with topics of one partition, and workers on it within the test's own process."""

    def __init__(self, broker: str) -> None:
        self.broker = broker
        self.senders: list[Doubtful] = []
        self.made: list[Partitions] = []

    async def worker(self, **more: Any) -> tuple[Partitions, Doubtful]:
        sender = Doubtful(self.broker, lambda: 60.0)
        await sender.start()
        self.senders.append(sender)
        partitions = Partitions(AGENT, broker=self.broker, sender=sender, knowledge=Noted(), worker="w", **more)
        self.made.append(partitions)
        return partitions, sender

    async def report(self, count: int, begin: int = 0, **more: Any) -> None:
        """Fixes of one device, one a record, with `begin` as the first's number."""
        await send_all(
            self.broker,
            [
                (
                    FIXES.name,
                    KEY,
                    json.dumps({"device_id": KEY, "fix_time": _at(n), "lat": 1, "lon": n, **more}).encode(),
                )
                for n in range(begin, begin + count)
            ],
        )

    async def log(self) -> list[Record]:
        return [record_of(raw) for raw in await read_all(self.broker, FIXES.name)]

    async def counts(self) -> list[int]:
        """The numbers that the incidents name, in the order of the topic."""
        return [json.loads(raw.value)["evidence"]["fixes"] for raw in await read_all(self.broker, INCIDENTS.name)]


def _at(number: int) -> str:
    return f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"


@pytest.fixture
async def site(broker: str) -> AsyncIterator[Site]:
    await create_topics(Settings(broker=broker, partitions=1), [AGENT])
    site = Site(broker)
    yield site
    for partitions in site.made:
        await partitions._recovery.close()  # those that died, too
    for sender in site.senders:
        await sender.stop()


async def test_the_first_time_a_checkpoint_is_written_before_anything_is_judged(site: Site) -> None:
    partitions, _ = await site.worker()
    await partitions.assign({0})
    async with LogReader(site.broker) as reader:
        saved = (await load(reader, AGENT.changelog, [0]))[0]
    assert saved.marker is not None
    assert saved.marker.positions == {"fixes": -1}
    assert saved.marker.outputs[INCIDENTS.name] == [0]
    await partitions.close()


async def test_what_is_on_the_log_at_assignment_is_judged_at_once(site: Site) -> None:
    await site.report(25)
    partitions, _ = await site.worker()
    await partitions.assign({0})
    assert await site.counts() == [10, 20]
    assert partitions.positions() == {("fixes", 0): 25}
    await partitions.close()


async def test_live_records_that_were_judged_in_recovery_are_skipped(site: Site) -> None:
    await site.report(25)
    partitions, _ = await site.worker()
    await partitions.assign({0})
    await partitions.judge(await site.log())
    assert await site.counts() == [10, 20]
    await partitions.close()


async def test_a_worker_that_died_without_a_checkpoint_is_continued_and_nothing_sent_twice(site: Site) -> None:
    await site.report(25)
    dead, _ = await site.worker()
    await dead.assign({0})
    await site.report(10, 25)
    next_, _ = await site.worker()
    await next_.assign({0})
    assert await site.counts() == [10, 20, 30]
    await next_.close()


async def test_a_worker_that_died_after_a_checkpoint_is_continued_from_it(site: Site) -> None:
    await site.report(25)
    dead, _ = await site.worker()
    await dead.assign({0})
    await dead.checkpoint()
    await site.report(8, 25)
    next_, _ = await site.worker()
    await next_.assign({0})
    assert next_.judged == 0
    assert next_.positions() == {("fixes", 0): 33}
    assert await site.counts() == [10, 20, 30]
    await next_.close()


async def test_records_are_judged_while_a_checkpoint_is_written_and_what_follows_it_is_not_lost(site: Site) -> None:
    await site.report(25)
    dead, sender = await site.worker()
    await dead.assign({0})
    await site.report(8, 25)
    saving = await sender.held_up(dead.checkpoint())
    await dead.judge(await site.log())
    assert await site.counts() == [10, 20, 30]
    sender.holds.set()
    await saving
    next_, _ = await site.worker()
    await next_.assign({0})
    assert next_.positions() == {("fixes", 0): 33}
    await site.report(7, 33)
    await next_.judge(await site.log())
    assert await site.counts() == [10, 20, 30, 40]
    await next_.close()


async def test_a_checkpoint_broken_off_when_the_worker_ends_loses_nothing(site: Site) -> None:
    await site.report(5)
    ending, sender = await site.worker()
    await ending.assign({0})
    saving = await sender.held_up(ending.checkpoint())
    saving.cancel()
    await asyncio.wait({saving})
    sender.holds = None
    await ending.close()
    await site.report(5, 5)
    next_, _ = await site.worker()
    await next_.assign({0})
    assert await site.counts() == [10]
    await next_.close()


async def test_partitions_taken_away_while_a_checkpoint_is_written_go_on_elsewhere(site: Site) -> None:
    await site.report(5)
    first, sender = await site.worker()
    await first.assign({0})
    saving = await sender.held_up(first.checkpoint())
    revoking = asyncio.create_task(first.revoke())
    await asyncio.sleep(0.05)
    assert not revoking.done()
    sender.holds.set()
    await asyncio.gather(saving, revoking)
    await site.report(5, 5)
    next_, _ = await site.worker()
    await next_.assign({0})
    assert await site.counts() == [10]
    await next_.close()


async def test_partitions_that_come_back_unchanged_keep_their_state(site: Site) -> None:
    await site.report(25)
    partitions, _ = await site.worker()
    await partitions.assign({0})
    core = partitions._owned[0].core
    await partitions.revoke()
    assert partitions.numbers == []
    await partitions.assign({0})
    assert partitions._owned[0].core is core
    await partitions.close()


async def test_where_much_is_to_be_read_the_first_partitions_are_judged_before_the_last_are_read(
    broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create_topics(Settings(broker=broker, partitions=3), [AGENT])
    site = Site(broker)
    try:
        before, _ = await site.worker()
        await before.assign({0, 1, 2})
        monkeypatch.setattr("agents.partitions.GROUP_RECORDS", 0)
        after, _ = await site.worker()
        prepared: list[tuple[set[int], list[int]]] = []

        async def prepare(numbers: set[int]) -> None:
            prepared.append((numbers, after.numbers))

        await after.assign({0, 1, 2}, prepare)
        assert prepared == [({0}, []), ({1}, [0]), ({2}, [0, 1])]
        assert after.numbers == [0, 1, 2]
        await after.close()
    finally:
        for partitions in site.made:
            await partitions._recovery.close()
        for sender in site.senders:
            await sender.stop()


async def test_partitions_that_another_worker_had_meanwhile_are_recovered(site: Site) -> None:
    await site.report(15)
    one, _ = await site.worker()
    await one.assign({0})
    await one.revoke()
    other, _ = await site.worker()
    await other.assign({0})
    await site.report(10, 15)
    await other.judge(await site.log())
    await other.revoke()
    await one.assign({0})
    assert one._owned[0].core["d1"].fixes == 25  # type: ignore[index]
    assert await site.counts() == [10, 20]
    await one.close()
    await other.close()


async def test_records_of_partitions_that_are_not_ours_are_left_alone(site: Site) -> None:
    await site.report(25)
    partitions, _ = await site.worker()
    await partitions.judge(await site.log())
    assert await site.counts() == []


@pytest.mark.parametrize("moment", ["fails_before", "fails_after"])
async def test_a_send_that_fails_is_made_good_once_whether_or_not_it_got_there(site: Site, moment: str) -> None:
    partitions, sender = await site.worker()
    await partitions.assign({0})
    await site.report(35)
    setattr(sender, moment, True)
    await partitions.judge(await site.log())
    assert await site.counts() == [10, 20, 30]
    assert partitions._owned[0].core["d1"].fixes == 35  # type: ignore[index]
    await partitions.close()


async def test_records_that_were_left_out_are_fetched(site: Site) -> None:
    partitions, _ = await site.worker()
    await partitions.assign({0})
    await site.report(30)
    log = await site.log()
    await partitions.judge(log[:5] + log[25:])
    assert await site.counts() == [10, 20, 30]
    await partitions.close()


async def test_a_record_that_cannot_be_read_is_rejected_once_and_the_stream_goes_on(site: Site) -> None:
    await site.report(5)
    await send_all(site.broker, [(FIXES.name, KEY, b"{"), (FIXES.name, KEY, b""), (FIXES.name, "", b"{}")])
    await site.report(5, 5)
    first, _ = await site.worker()
    await first.assign({0})
    again, _ = await site.worker()  # as after a crash
    await again.assign({0})
    rejected = await read_all(site.broker, "fixes.rejected")
    assert sorted(json.loads(raw.value)["source"] for raw in rejected) == ["fixes/0@5", "fixes/0@6", "fixes/0@7"]
    assert max(Counter(ids(rejected)).values()) == 1
    assert await site.counts() == [10]
    await again.close()


async def test_headers_say_what_each_record_is_and_where_it_comes_from(site: Site) -> None:
    await site.report(10)
    partitions, _ = await site.worker()
    await partitions.assign({0})
    (raw,) = await read_all(site.broker, INCIDENTS.name)
    incident = json.loads(raw.value)
    assert dict(raw.headers) == {"id": incident["incident_id"].encode(), "src": b"tally/0", "type": b"Incident"}
    assert incident["emitted_at"] > "2026"
    await partitions.close()


async def test_timers_fire_and_are_remembered(site: Site) -> None:
    await site.report(3)
    now = [(await site.log())[-1].timestamp_s + 1]
    partitions, _ = await site.worker(clock=lambda: now[0])
    await partitions.assign({0})
    await partitions.tick()
    assert await site.counts() == []
    now[0] += 10
    await partitions.tick()
    assert await site.counts() == [3]
    await partitions.tick()
    await partitions.checkpoint()
    other, _ = await site.worker()
    await other.assign({0})
    await other.tick()
    assert await site.counts() == [3]
    await other.close()


async def test_timers_wait_until_it_is_known_that_nothing_was_written_before_them(site: Site) -> None:
    """In a rebalance nothing is fetched for seconds: the end that was known then is not the end."""
    await site.report(3)
    last_s = (await site.log())[-1].timestamp_s
    known = {"until_s": last_s + 1}
    partitions, _ = await site.worker(clock=lambda: last_s + 60, read_until=lambda *_: known["until_s"])
    await partitions.assign({0})
    await partitions.tick()
    assert await site.counts() == []
    known["until_s"] = last_s + 30
    await partitions.tick()
    assert await site.counts() == [3]
    await partitions.close()


async def test_a_core_that_raises_leaves_out_what_made_it_raise(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a rule that raises (its core sees to that), but the core itself."""
    from pipeline.keyed import KeyedCore  # noqa: PLC0415

    apply = KeyedCore.apply

    def fragile(self: Any, batch: Any, now: Any) -> Any:
        for record in batch:
            if b"explode" in record.value:
                raise RuntimeError("the core broke")
        return apply(self, batch, now)

    monkeypatch.setattr(KeyedCore, "apply", fragile)
    partitions, _ = await site.worker()
    await partitions.assign({0})
    await site.report(5)
    await site.report(2, 5, alarms=["explode"])
    await site.report(5, 7)
    async with asyncio.timeout(60):
        await partitions.judge(await site.log())
    rejected = [json.loads(raw.value) for raw in await read_all(site.broker, "fixes.rejected")]
    assert [(one["source"], one["reason"]) for one in rejected] == [
        ("fixes/0@5", "could not be judged: RuntimeError: the core broke"),
        ("fixes/0@6", "could not be judged: RuntimeError: the core broke"),
    ]
    assert await site.counts() == [10]
    await partitions.close()


async def test_a_recovery_that_is_no_longer_wanted_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()

    async def endless(self: Any, start: Any) -> Any:
        started.set()
        await asyncio.Event().wait()
        yield {}

    partitions, _ = await site.worker()
    monkeypatch.setattr(LogReader, "read", endless)
    taking = asyncio.create_task(partitions.assign({0}))
    await started.wait()
    async with asyncio.timeout(30):
        await partitions.revoke()
        await taking
    assert partitions.numbers == []


async def test_preparing_for_partitions_that_are_no_longer_wanted_ends(site: Site) -> None:
    started = asyncio.Event()

    async def endless(numbers: set[int]) -> None:
        started.set()
        await asyncio.Event().wait()

    partitions, _ = await site.worker()
    taking = asyncio.create_task(partitions.assign({0}, endless))
    await started.wait()
    async with asyncio.timeout(10):
        await partitions.revoke()
        await taking
    assert partitions.numbers == []


async def test_recovery_is_tried_until_the_broker_is_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    starts, failures = LogReader.starts, [KafkaError("away"), OSError("away")]

    async def sometimes(self: LogReader, partitions: Any) -> dict[TopicPartition, int]:
        if failures:
            raise failures.pop()
        return await starts(self, partitions)

    monkeypatch.setattr(LogReader, "starts", sometimes)
    partitions, _ = await site.worker()
    await partitions.assign({0})
    assert partitions.numbers == [0]
    await partitions.close()
