"""How does a worker come to know what is not in the stream: fences, activations, rules?

Reference topics are read in bulk to their end before the first record is judged, then followed by one consumer of its
own, so that an edit is in force within a second or so. Of a topic that is partitioned like the input, a worker reads
only the partitions that it owns; what it knew of partitions that went elsewhere stays until it ends, and does no harm.

One object of knowledge for each `Agent.knowledge`, shared by all agents and partitions that name it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.agent import Agent, Knowledge
from agents.reader import LogReader, record_of, stopped
from agents.sender import NotSent, Sender
from pipeline.rejection import rejected
from pipeline.step import rejected_topic
from schemas.message import Invalid
from schemas.times import from_epoch
from schemas.topics import TOPICS, Topic

log = structlog.get_logger()

POLL_MS = 200
YIELD_EVERY = 2_000
PAUSE_S = 1.0
SRC = "reference"


class References:
    """What the worker's agents know. `reports`: whether this worker is the one to tell of reference records refused."""

    def __init__(
        self, agents: Iterable[Agent], broker: str, sender: Sender, reports: Callable[[], bool] = lambda: True
    ) -> None:
        self._broker = broker
        self._sender = sender
        self._reports = reports
        self._made: dict[Callable[[], Knowledge], Knowledge] = {}
        self._learners: dict[str, list[Knowledge]] = defaultdict(list)
        self._topics: dict[str, Topic] = {}
        self._next: dict[TopicPartition, int] = {}
        self._moved = asyncio.Event()
        self._reading = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self.read_at: datetime | None = None
        for agent in agents:
            knowledge = self.of(agent)
            for topic in agent.reference:
                self._topics[topic.name] = topic
                if knowledge not in self._learners[topic.name]:
                    self._learners[topic.name].append(knowledge)

    def of(self, agent: Agent) -> Any:
        """The knowledge of `agent`."""
        if agent.knowledge not in self._made:
            self._made[agent.knowledge] = agent.knowledge()
        return self._made[agent.knowledge]

    async def cover(self, partitions: Collection[int]) -> None:
        """Know all that the reference topics say now that concerns the input's `partitions`, and follow it.

        Raises:
            KafkaError: the broker is away.
        """
        async with self._reading, LogReader(self._broker) as reader:
            new = []
            for topic in self._topics.values():
                places = await reader.partitions_of(topic.name)
                mine = places if topic.partitions is not None else [p for p in places if p.partition in partitions]
                new += [place for place in mine if place not in self._next]
            if not new:
                return
            count = 0
            following = await reader.starts(new)
            async for chunk in reader.read(dict(following)):
                for place, records in chunk.items():
                    following[place] = records[-1].offset + 1
                    for begin in range(0, len(records), YIELD_EVERY):
                        for raw in records[begin : begin + YIELD_EVERY]:
                            self._learn(raw)
                        await asyncio.sleep(0)
                    count += len(records)
        self._next |= following
        self._moved.set()
        self.read_at = datetime.now(UTC)
        log.info("reference read", topics=sorted({place.topic for place in new}), partitions=len(new), records=count)
        if self._following is None:
            self._following = asyncio.create_task(self._follow())

    def _learn(self, raw: Any) -> Invalid | None:
        """Take in one record; what is wrong with it, if anything is."""
        at = from_epoch(raw.timestamp / 1000)
        wrong: Invalid | None = None
        for knowledge in self._learners[raw.topic]:
            try:
                wrong = knowledge.learn(raw.topic, raw.key or b"", raw.value, at) or wrong
            except Exception as fault:  # a fault of ours must not stop the worker from knowing the rest
                log.exception("a reference record could not be learnt", topic=raw.topic, offset=raw.offset)
                wrong = Invalid(f"could not be learnt: {type(fault).__name__}: {fault}")
        if wrong is not None:
            log.warning(
                "reference record refused", topic=raw.topic, offset=raw.offset, reason=wrong.reason, field=wrong.field
            )
        return wrong

    async def _follow(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._broker,
                client_id="fenceline-reference",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=POLL_MS,
            )
            try:
                await consumer.start()
                self._moved.set()
                while True:
                    await self._follow_once(consumer)
            except Exception as error:  # whatever it was: an edit that nobody hears of is worse
                log.warning("the reference topics cannot be followed now", error=repr(error))
                await asyncio.sleep(PAUSE_S)
            finally:
                await stopped(consumer)

    async def _follow_once(self, consumer: AIOKafkaConsumer) -> None:
        if self._moved.is_set():
            self._moved.clear()
            consumer.assign(list(self._next))
            for place, offset in self._next.items():
                consumer.seek(place, offset)
        chunk = await consumer.getmany(timeout_ms=POLL_MS)
        for place, records in chunk.items():
            for raw in records:
                if raw.offset >= self._next[place]:
                    wrong = self._learn(raw)
                    if wrong is not None and self._reports():
                        await self._report(raw, wrong)
            self._next[place] = records[-1].offset + 1

    async def _report(self, raw: Any, wrong: Invalid) -> None:
        if rejected_topic(raw.topic) not in TOPICS:
            return
        try:
            await self._sender.send([(SRC, rejected(record_of(raw), wrong, datetime.now(UTC)))])
        except NotSent as error:
            log.warning("a refused reference record is in the log only", topic=raw.topic, error=str(error))

    async def close(self) -> None:
        """Stop following."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following


def reference_topics(agents: Iterable[Agent]) -> Sequence[str]:
    """Names of all reference topics that `agents` read."""
    return sorted({topic.name for agent in agents for topic in agent.reference})
