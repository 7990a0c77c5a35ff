"""Who owns the cores, and what becomes of them when partitions come and go, and when things fail?

`Partitions` holds those of one agent that this worker was given. Its rules:

- **Order of work**: judge, await the acknowledgement of all that follows, settle. A checkpoint (`agents.changelog`)
  every few seconds and when partitions are taken away.
- **The checkpoint is the truth**, Faust's committed offset a hint: a partition that comes is recovered from its
  changelog and the input after it (`agents.recovery`); live records that were judged by then are skipped, missing ones
  fetched.
- **What fails is recovered anew**: when the broker does not acknowledge, or a core raises, the core is thrown away and
  made again from its changelog. Whatever had been sent is found on its topic and not sent twice.
- Partitions that are taken away and come back to the same worker keep their cores, if no one wrote to the changelog
  since.

See `agents.agent` for how to add an agent.
"""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, TypeVar

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from agents.agent import Agent
from agents.partition import Faulty, Partition
from agents.reader import LogReader
from agents.recovery import Recovery
from agents.rest import Turn
from agents.sender import NotSent, Sender
from pipeline.step import Emission, Record

T = TypeVar("T")

log = structlog.get_logger()

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
FEW = 200
"""So many entries at most are written without a rest."""
GROUP_RECORDS = 200_000
"""So many records of the changelog are read before what they are about is judged."""


ReadUntil = Callable[[str, int, int], float]
"""Of a topic, a partition and the next offset: up to when (epoch s) the log is known to have had nothing more;
0.0 when it has more, or that is not known."""


def always_at_its_end(topic: str, partition: int, position: int) -> float:  # noqa: ARG001
    """For a log that nobody else writes to."""
    return math.inf


Prepare = Callable[[set[int]], Coroutine[Any, Any, None]]
"""Know all that must be known to judge partitions."""


async def _prepared(numbers: set[int]) -> None:
    """Nothing needs to be known."""


class Partitions:
    """The partitions of `agent` that are ours now. `read_until`: how far Faust has read a partition, in time."""

    def __init__(
        self,
        agent: Agent,
        *,
        broker: str,
        sender: Sender,
        knowledge: Any,
        worker: str,
        read_until: ReadUntil = always_at_its_end,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.agent = agent
        self._broker = broker
        self._sender = sender
        self._worker = worker
        self._read_until = read_until
        self._clock = clock
        self._recovery = Recovery(
            agent,
            broker=broker,
            sender=sender,
            knowledge=knowledge,
            clock=clock,
            checkpoint=self._checkpoint_in_recovery,
        )
        self._owned: dict[int, Partition] = {}
        self._parked: dict[int, Partition] = {}
        self._wanted: set[int] = set()
        self._lock = asyncio.Lock()
        self._saving = asyncio.Lock()  # taken before the other
        self._recovering: asyncio.Task[Any] | None = None
        self.judged = 0
        self.ready = False

    @property
    def numbers(self) -> list[int]:
        """The partitions that are ours and recovered."""
        return sorted(self._owned)

    def positions(self) -> dict[tuple[str, int], int]:
        """For each input (topic, partition) of ours the next offset to be read."""
        return {
            (topic, number): offset + 1
            for number, partition in self._owned.items()
            for topic, offset in partition.positions.items()
        }

    async def assign(self, numbers: Iterable[int], prepare: Prepare = _prepared) -> None:
        """Take over `numbers`, and no others: recover them; returns when their state is that of the log's end.

        `prepare` is awaited for each group of them before it is recovered, and cancelled when they are taken away.
        """
        self._wanted = set(numbers)
        self.ready = False
        async with self._lock:
            for number in list(self._parked):
                if number not in self._wanted:
                    del self._parked[number]
            kept = await self._unparked()
            for group in await self._groups(self._wanted - kept):
                prepared = await self._until_revoked(prepare(group))
                if prepared.cancelled():
                    break
                prepared.result()
                await self._recover(group)
            self.ready = True

    async def _groups(self, numbers: set[int]) -> list[set[int]]:
        """`numbers` as they are recovered: many together where that is little to read, else the first soon."""
        places = [TopicPartition(self.agent.changelog, number) for number in sorted(numbers)]
        groups, size = [set[int]()], 0
        try:
            async with LogReader(self._broker) as reader:
                starts, ends = await reader.starts(places), await reader.ends(places)
        except (KafkaError, OSError):
            return [numbers]
        for place in places:
            length = ends[place] - starts[place]
            if groups[-1] and size + length > GROUP_RECORDS:
                groups.append(set())
                size = 0
            groups[-1].add(place.partition)
            size += length
        return groups

    async def _unparked(self) -> set[int]:
        """Take back cores of ours that nobody has superseded; their numbers."""
        parked, self._parked = self._parked, {}
        if not parked:
            return set()
        topic = self.agent.changelog
        try:
            async with LogReader(self._broker) as reader:
                ends = await reader.ends([TopicPartition(topic, number) for number in parked])
        except (KafkaError, OSError):
            return set()
        same = {n: p for n, p in parked.items() if ends[TopicPartition(topic, n)] <= p.changelog_end}
        self._owned.update(same)
        return set(same)

    async def revoke(self) -> None:
        """All partitions are taken away: keep their state, and the cores in case that they come back."""
        self._wanted = set()
        if self._recovering is not None:
            self._recovering.cancel()
        async with self._saving, self._lock:
            self.ready = False
            await self._save(self._owned.values())
            self._parked = {number: one for number, one in self._owned.items() if not one.is_changed}
            self._owned = {}

    async def _recover(self, numbers: set[int]) -> None:
        """Recover `numbers` for as long as they are wanted, however often it takes."""
        pause_s = FIRST_PAUSE_S
        while numbers := numbers & self._wanted:
            for number in numbers:
                self._owned.pop(number, None)
            recovering = await self._until_revoked(self._recovery.run(numbers))
            if recovering.cancelled():
                continue  # taken away in the middle
            error = recovering.exception()
            if error is None:
                self._owned.update(recovering.result())
                return
            if not isinstance(error, KafkaError | NotSent | OSError | TimeoutError):
                raise error
            log.warning("recovery begins again", agent=self.agent.name, partitions=sorted(numbers), error=repr(error))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _until_revoked(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do a part of taking partitions over; it is cancelled when they are taken away."""
        task = self._recovering = asyncio.create_task(work)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
        return task

    async def judge(self, records: Sequence[Record]) -> None:
        """Judge live records of any partitions, and send what follows; returns when the broker has it."""
        async with self._lock:
            rest = list(records)
            while rest := await self._judged_of(rest):
                pass  # a partition was recovered in between, and may be behind its last records

    async def _judged_of(self, records: Sequence[Record]) -> list[Record]:
        """Judge `records`; those of partitions that had to be recovered, to be looked at again."""
        by_number: dict[int, list[Record]] = defaultdict(list)
        for record in records:
            by_number[record.partition].append(record)
        emissions: list[tuple[str, Emission]] = []
        touched: list[Partition] = []
        again: set[int] = set()
        for number, run in by_number.items():
            partition = self._owned.get(number)
            if partition is None:
                continue  # taken away in the meantime; whoever has it now judges these
            try:
                fresh = await self._complete(partition, run)
                found = partition.judge(fresh, self._clock())
            except (KafkaError, OSError) as error:
                log.warning("missing records could not be read", src=partition.src, error=repr(error))
                again.add(number)
                continue
            except Faulty as fault:
                self._recovery.suspect(number, fault)
                again.add(number)
                continue
            self.judged += len(fresh)
            touched.append(partition)
            emissions += [(partition.src, emission) for emission in found]
        again |= await self._send(emissions, touched)
        await self._recover(again)
        return [
            record
            for number in again
            if number in self._owned
            for record in by_number[number]
            if self._owned[number].is_fresh(record)
        ]

    async def _complete(self, partition: Partition, run: Sequence[Record]) -> list[Record]:
        """The records of `run` not judged yet, with those that are on the log and were left out between them."""
        reached = dict(partition.reached)
        records: list[Record] = []
        for record in run:
            topic, offset = record.topic, record.offset
            if offset <= reached[topic]:
                continue
            if offset > reached[topic] + 1:
                place = TopicPartition(topic, record.partition)
                records += await self._recovery.missing(place, reached[topic] + 1, offset)
            reached[topic] = offset
            records.append(record)
        return records

    async def _send(self, emissions: list[tuple[str, Emission]], touched: Sequence[Partition]) -> set[int]:
        """Send and settle; the partitions to be recovered because it could not be done."""
        if emissions:
            try:
                await self._sender.send(emissions)
            except NotSent as error:
                log.warning("not sent, recovering", agent=self.agent.name, error=str(error))
                return {partition.number for partition in touched}
        for partition in touched:
            partition.settle()
        return set()

    async def tick(self) -> None:
        """Fire the timers that are due."""
        if self._lock.locked():
            return  # records are being judged, and they bring the time with them
        async with self._lock:
            now_s = self._clock()
            emissions: list[tuple[str, Emission]] = []
            touched = []
            for number, partition in self._owned.items():
                known = [self._read_until(topic, number, offset + 1) for topic, offset in partition.positions.items()]
                if found := partition.tick(min(now_s, *known)):
                    touched.append(partition)
                    emissions += [(partition.src, emission) for emission in found]
            await self._recover(await self._send(emissions, touched))

    async def checkpoint(self) -> None:
        """Write what has changed since the last checkpoint, piece by piece: in between, records are judged, and the
        more there are, the longer."""
        for number in self.numbers:
            async with self._saving:
                await self._save_in_pieces(number)

    async def _save_in_pieces(self, number: int) -> None:
        partition = self._owned.get(number)
        if partition is None or not partition.is_changed or (outputs := await self._outputs()) is None:
            return
        began, entries, pieces = time.monotonic(), 0, partition.checkpoint(outputs, self._worker)
        while True:
            turn = Turn()
            async with self._lock:
                if self._owned.get(number) is not partition or number not in self._wanted:
                    return  # recovered anew or taken away; what was not drawn stays marked
                piece = next(pieces, None)
            if piece is None:
                break
            try:
                last = await self._sender.append(self.agent.changelog, number, piece)
            except NotSent as error:  # the core has given them out, and does not know them as changes any more
                log.warning("checkpoint lost", src=partition.src, error=str(error))
                async with self._lock:
                    if self._owned.get(number) is partition:
                        await self._recover({number})
                return
            except asyncio.CancelledError:
                self._owned.pop(number, None)
                raise
            entries += len(piece)
            if len(piece) > FEW:
                await turn.rest()
        partition.saved(last + 1)
        log.info("checkpoint", src=partition.src, entries=entries, ms=round((time.monotonic() - began) * 1000))

    async def _outputs(self) -> dict[str, list[int]] | None:
        """Where the output topics end. Asked for before state is taken: what is sent after this is looked for again
        after a crash. None: the broker is away."""
        try:
            return await self._recovery.output_ends()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("no checkpoint now", agent=self.agent.name, error=repr(error))
            return None

    async def _checkpoint_in_recovery(self, partitions: Sequence[Partition]) -> None:
        await self._save(partitions)
        if any(partition.is_changed for partition in partitions):
            raise NotSent("the checkpoint could not be written")

    async def _save(self, partitions: Iterable[Partition]) -> None:
        """Write a whole checkpoint of each that changed; where it could not be done, it is changed still."""
        changed = [partition for partition in partitions if partition.is_changed]
        if not changed or (outputs := await self._outputs()) is None:
            return
        for partition in changed:
            records = list(chain.from_iterable(partition.checkpoint(outputs, self._worker)))
            try:
                last = await self._sender.append(self.agent.changelog, partition.number, records)
                partition.saved(last + 1)
            except NotSent as error:
                log.warning("checkpoint lost", src=partition.src, error=str(error))

    async def close(self) -> None:
        """Write a last checkpoint and let go."""
        with suppress(asyncio.CancelledError):
            await self.revoke()
        await self._recovery.close()
