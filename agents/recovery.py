"""How does a partition come back? State from the changelog in bulk, then the input after it, nothing sent twice.

1. The changelog is read to its end, the latest state of each key restored into a new core.
2. The output topics are read from where the checkpoint says: ids of our own emissions there are not sent again.
3. The input is read from the checkpoint's positions to the end of the log, in the order in which the broker took it,
   and judged like live records.

The very first time there is no checkpoint: one is written before anything is judged, so that the second step always has
a place to begin at. Where a topic has forgotten what comes after the checkpoint (retention), reading begins at what it
still has. Where the log ends before the checkpoint, the topic was made anew, and reading begins anew.

A record that makes the core raise is found by judging one by one, kept as rejected and passed over.
"""

import asyncio
import heapq
import math
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition

from agents.agent import Agent
from agents.changelog import Saved, load
from agents.partition import Faulty, Partition, rejected_by
from agents.reader import Chunk, LogReader, record_of
from agents.sender import NotSent, Sender
from pipeline.step import Entry, Record

log = structlog.get_logger()

CHECKPOINT_EVERY_S = 5.0
ASK_TIMEOUT_S = 3.0
MOST_POISON = 100


class Recovery:
    """Brings back partitions of `agent`. `checkpoint`: saves the state of partitions on a long way."""

    def __init__(
        self,
        agent: Agent,
        *,
        broker: str,
        sender: Sender,
        knowledge: Any,
        clock: Callable[[], float],
        checkpoint: Callable[[Sequence[Partition]], Awaitable[None]],
    ) -> None:
        self._agent = agent
        self._broker = broker
        self._sender = sender
        self._knowledge = knowledge
        self._clock = clock
        self._checkpoint = checkpoint
        self._poison: dict[int, dict[tuple[str, int], str]] = defaultdict(dict)
        self._careful: set[int] = set()
        self._asking: LogReader | None = None
        self._asking_alone = asyncio.Lock()

    def suspect(self, number: int, fault: Faulty) -> None:
        """Judge partition `number` one by one next time, because the core raised; a single culprit is left out."""
        cause = fault.__cause__
        log.error("a core raised", agent=self._agent.name, partition=number, exc_info=cause)
        self._careful.add(number)
        if len(fault.records) == 1:
            culprit = fault.records[0]
            self._poison[number][culprit.topic, culprit.offset] = f"{type(cause).__name__}: {cause}"

    async def run(self, numbers: Iterable[int]) -> dict[int, Partition]:
        """The partitions `numbers`, up to the end of the log.

        Raises:
            KafkaError: the broker is away.
            NotSent: what follows from the input could not be sent.
        """
        numbers = sorted(numbers)
        if not numbers:
            return {}
        began_s = self._clock()
        async with LogReader(self._broker) as reader:
            saved = await load(reader, self._agent.changelog, numbers)
            states = sum(len(one.entries) for one in saved.values())
            partitions = {number: self._restored(number, saved.pop(number)) for number in numbers}
            await self._recall(reader, partitions.values())
            start = await self._start(reader, partitions)
            await self._checkpoint([one for one in partitions.values() if one.saved_positions is None])
            records = await self._catch_up(reader, start, partitions)
        for number in numbers:
            self._careful.discard(number)
            self._poison.pop(number, None)
        log.info(
            "recovered",
            agent=self._agent.name,
            partitions=numbers,
            states=states,
            records=records,
            s=round(self._clock() - began_s, 3),
        )
        return partitions

    def _restored(self, number: int, saved: Saved) -> Partition:
        core = self._agent.core(number, self._knowledge)
        core.restore(Entry(key, value, as_of) for key, (value, as_of) in saved.entries.items())
        marker = saved.marker
        positions = dict.fromkeys((topic.name for topic in self._agent.inputs), -1)
        if marker is not None:
            positions |= {topic: offset for topic, offset in marker.positions.items() if topic in positions}
        partition = Partition(self._agent.name, number, core, positions, 0.0 if marker is None else marker.clock_s)
        partition.changelog_end = saved.end
        if marker is not None:
            partition.generation = marker.generation
            partition.outputs = marker.outputs
            partition.saved_positions = dict(positions)
        partition.poison = dict(self._poison[number])
        return partition

    async def _recall(self, reader: LogReader, partitions: Iterable[Partition]) -> None:
        """Find the ids of emissions that went out after the checkpoints."""
        by_src = {partition.src.encode(): partition.already for partition in partitions if partition.saved_positions}
        start: dict[TopicPartition, int] = {}
        for topic in self._agent.written():
            for place in await reader.partitions_of(topic):
                for partition in partitions:
                    if partition.saved_positions:
                        known = partition.outputs.get(topic, [])
                        offset = known[place.partition] if place.partition < len(known) else 0
                        start[place] = min(offset, start.get(place, offset))
        starts = await reader.starts(start)
        async for chunk in reader.read({place: max(offset, starts[place]) for place, offset in start.items()}):
            for records in chunk.values():
                for record in records:
                    headers = dict(record.headers)
                    if (already := by_src.get(headers.get("src", b""))) is not None:
                        already.add(headers["id"].decode())

    async def _start(self, reader: LogReader, partitions: dict[int, Partition]) -> dict[TopicPartition, int]:
        """Where to read the input from, put right where the log does not have it."""
        wanted = {
            TopicPartition(topic, number): offset + 1
            for number, partition in partitions.items()
            for topic, offset in partition.positions.items()
        }
        starts, ends = await reader.starts(wanted), await reader.ends(wanted)
        for place, offset in wanted.items():
            partition = partitions[place.partition]
            if offset > ends[place] and not await self._has(reader, place, ends[place], offset - 1):
                log.error("the log ends before the checkpoint: it was made anew, and is read anew", place=str(place),
                          checkpoint=offset, end=ends[place])  # fmt: skip
                partition.generation += 1
                partition.saved_positions = None
                begin = starts[place]
            elif offset < starts[place]:
                if offset > 0:
                    log.error("records after the checkpoint are no longer kept and were never judged",
                              place=str(place), missing=starts[place] - offset)  # fmt: skip
                begin = starts[place]
            else:
                continue
            wanted[place] = begin
            partition.positions[place.topic] = partition.reached[place.topic] = begin - 1
        return wanted

    async def _has(self, reader: LogReader, place: TopicPartition, end: int, offset: int) -> bool:
        """Whether `place` goes on to `offset` although it says that it ends at `end`, as the embedded broker does."""
        async for chunk in reader.read({place: max(end - 1, 0)}):
            if any(record.offset >= offset for record in chunk.get(place, ())):
                return True
        return False

    async def _catch_up(
        self, reader: LogReader, start: dict[TopicPartition, int], partitions: dict[int, Partition]
    ) -> int:
        """Judge the input from `start` to the end of the log; how many records."""
        merges = {number: _Merge([place for place in start if place.partition == number]) for number in partitions}
        count = 0
        saved_s = self._clock()
        async for chunk in reader.read(start):
            for number, run in _by_number(chunk, merges, reader.unfinished):
                count += len(run)
                await self._judge(partitions[number], run)
            if self._clock() - saved_s > CHECKPOINT_EVERY_S:
                await self._checkpoint(list(partitions.values()))
                saved_s = self._clock()
        for number, merge in merges.items():
            rest = merge.rest()
            count += len(rest)
            await self._judge(partitions[number], rest)
        return count

    async def _judge(self, partition: Partition, run: Sequence[Record]) -> None:
        for part in [[record] for record in run] if partition.number in self._careful else [run]:
            try:
                emissions = partition.judge(part, self._clock())
            except Faulty as fault:
                self.suspect(partition.number, fault)
                if len(partition.poison) < MOST_POISON or len(part) > 1:
                    raise NotSent(f"{partition.src} is judged again, without what made its core raise") from fault
                # So many that recovering for each would never end: go on with the core as it is.
                emissions = [rejected_by(fault, record, partition.clock_s) for record in part]
            await self._sender.send([(partition.src, emission) for emission in emissions])
            partition.settle()

    async def missing(self, place: TopicPartition, start: int, stop: int) -> list[Record]:
        """The records of `place` from offset `start` up to but not including `stop`; empty if there never were any."""
        found: list[Record] = []
        async with LogReader(self._broker) as reader:
            async for chunk in reader.read({place: start}):
                found += [record_of(raw) for raw in chunk.get(place, ()) if raw.offset < stop]
                if chunk.get(place) and chunk[place][-1].offset >= stop - 1:
                    break
        return found

    async def output_ends(self) -> dict[str, list[int]]:
        """For each topic that the agent writes to, where its partitions end now.

        Raises:
            KafkaError, TimeoutError: the broker is away.
        """
        async with self._asking_alone:
            try:
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    if self._asking is None:
                        self._asking = await LogReader(self._broker).__aenter__()
                        found = {topic: await self._asking.partitions_of(topic) for topic in self._agent.written()}
                        self._places = found
                    ends = await self._asking.ends([place for places in self._places.values() for place in places])
            except BaseException:
                await self.close()
                raise
        return {topic: [ends[place] for place in places] for topic, places in self._places.items()}

    async def close(self) -> None:
        """Let go of connections."""
        asking, self._asking = self._asking, None
        if asking is not None:
            await asking.__aexit__(None, None, None)


def _by_number(
    chunk: Chunk, merges: dict[int, "_Merge"], unfinished: Collection[TopicPartition]
) -> Iterator[tuple[int, list[Record]]]:
    numbers = {place.partition for place in chunk}
    for place, records in chunk.items():
        merges[place.partition].add(place, [record_of(raw) for raw in records])
    for number in sorted(numbers):
        if run := merges[number].ready(unfinished):
            yield number, run


class _Merge:
    """Puts the records of several topics of one partition into the order in which the broker took them."""

    def __init__(self, places: Sequence[TopicPartition]) -> None:
        self._waiting: dict[TopicPartition, deque[Record]] = {place: deque() for place in places}

    def add(self, place: TopicPartition, records: Iterable[Record]) -> None:
        self._waiting[place].extend(records)

    def ready(self, unfinished: Collection[TopicPartition]) -> list[Record]:
        """Records before which none can come any more: up to where the least far topic of those `unfinished` is."""
        if len(self._waiting) == 1:
            return self.rest()
        reading = [records for place, records in self._waiting.items() if place in unfinished]
        if not all(reading):
            return []
        until_s = min((records[-1].timestamp_s for records in reading), default=math.inf)
        return self._merged([[r for r in records if r.timestamp_s <= until_s] for records in self._waiting.values()])

    def rest(self) -> list[Record]:
        return self._merged([list(records) for records in self._waiting.values()])

    def _merged(self, runs: list[list[Record]]) -> list[Record]:
        for records, run in zip(self._waiting.values(), runs, strict=True):
            for _ in run:
                records.popleft()
        return runs[0] if len(runs) == 1 else list(heapq.merge(*runs, key=lambda record: record.timestamp_s))
