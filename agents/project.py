"""What does a console see? Topics projected into Redis: facts record by record, positions by the flush.

Beside the worker, because nothing that is decided waits for it, and it may lag, be stopped and begin anew. Facts and
fixes are followed apart, so that a flood of fixes does not hold an alert back. Run as many as you like.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from agents.following import Batch, Follower, after
from agents.modelstore import ModelStore, Superseded, put_draft
from agents.reader import LogReader
from agents.sightings import Sightings
from agents.topics import check_there
from fenceline.settings import Settings
from pipeline.readmodel import layout
from pipeline.readmodel.draft import Draft, Reading
from pipeline.readmodel.fold import FACTS, horizon_s, read, retire
from pipeline.step import Record
from schemas.message import Invalid
from schemas.topics import FIXES, INCIDENTS

log = structlog.get_logger()

GROUP = "fenceline-project"
FACTS_AT_ONCE = 1_000
WATCH_S = 0.5
START_PAUSE_S = 2.0
CANCEL_S = 1.0
SWEEP_S = 3_600.0
SWEEP_AT_ONCE = 500


class Projector:
    """A process that projects: `run` until told to end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = ModelStore(settings.redis_url)
        names = [topic.name for topic in FACTS]
        self._facts = Follower(settings, self._store, GROUP, names, self._nothing, self._take, FACTS_AT_ONCE)
        self._sightings = Sightings(settings, self._store, f"{GROUP}-fixes")
        self._filled = ""
        self._swept_s = -SWEEP_S
        self.refused = 0

    def facts(self) -> dict[str, Any]:
        """How it does, for the health page."""
        return {
            "ready": bool(self._filled),
            "records": self._facts.projected,
            "fixes": self._sightings.follower.projected,
            "refused": self.refused,
            "lag": {"facts": self._facts.lag, "fixes": self._sightings.follower.lag},
        }

    async def run(self, ending: asyncio.Event) -> None:
        """Project until `ending` is set.

        Raises:
            TopicsWrong: topics are missing.
            Outdated: a newer version keeps the model.
        """
        await self._reach_broker(ending)
        tasks = [asyncio.create_task(one) for one in (self._facts.run(), self._sightings.run(), self._watch())]
        waiting = asyncio.create_task(ending.wait())
        try:
            done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiting}:
                task.result()  # nothing of these ends of itself, unless it is a fault of ours
        finally:
            await _cancelled({waiting, *tasks})
            await self._sightings.close()
            await self._store.close()

    async def _reach_broker(self, ending: asyncio.Event) -> None:
        """Wait for the broker, and see that the topics are there."""
        while not ending.is_set():
            try:
                await check_there(self._settings.broker, [topic.name for topic in (*FACTS, FIXES)])
                return
            except (KafkaError, OSError) as error:
                log.warning("the broker is not there yet", broker=self._settings.broker, error=repr(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(ending.wait(), START_PAUSE_S)

    async def _nothing(self, given: set[TopicPartition]) -> None:
        """Facts remember nothing between batches."""

    async def _take(self, batch: Batch) -> None:
        if not batch:
            return
        readings = [reading for records in batch.values() for reading in self._readings(records)]
        draft = await self._drafted(readings)
        await self._facts.write(after(batch), partial(put_draft, draft))
        self._facts.projected += sum(map(len, batch.values()))

    async def _drafted(self, readings: Sequence[Reading]) -> Draft:
        """What becomes of the model by `readings`."""
        draft = Draft(await self._store.rows(row for reading in readings for row in reading.wants))
        for reading in readings:
            reading.apply(draft)
        return draft

    def _readings(self, records: list[Record]) -> Iterator[Reading]:
        for record in records:
            try:
                yield read(record)
            except Invalid as why:
                self.refused += 1
                place = f"{record.topic}/{record.partition}@{record.offset}"
                log.warning("not projected", record=place, reason=why.reason, field=why.field)

    async def _watch(self) -> None:
        """Notice that the model was emptied, that it is full, and what in it is too old."""
        while True:
            with suppress(Superseded):
                try:
                    await self._look()
                except (KafkaError, RedisError, OSError, TimeoutError) as error:
                    log.warning("the read model cannot be looked at now", error=repr(error))
                    self._filled = ""
            await asyncio.sleep(WATCH_S)

    async def _look(self) -> None:
        epoch = await self._store.epoch()
        for follower in (self._facts, self._sightings.follower):
            if follower.given.is_set() and follower.epoch != epoch:
                follower.begin_anew()
        if self._filled != epoch:
            self._filled = ""
            if await self._is_full(epoch):
                await self._store.redis.set(layout.FILLED, epoch)
                self._filled, self._swept_s = epoch, -SWEEP_S
                log.info("the read model is full")
        if self._filled and time.monotonic() - self._swept_s > SWEEP_S and self._facts.at.get(_FIRST, -1) != -1:
            self._swept_s = time.monotonic()
            await self._sweep(epoch, datetime.now(UTC))

    async def _is_full(self, epoch: str) -> bool:
        """Whether all partitions, whoever projects them, have been projected to the ends that they have now."""
        told = await self._store.redis.get(layout.FILLED)
        if told is not None and told.decode() == epoch:
            return True
        async with LogReader(self._settings.broker) as reader:
            places = [p for topic in (*FACTS, FIXES) for p in await reader.partitions_of(topic.name)]
            starts, ends = await reader.starts(places), await reader.ends(places)
        offsets = await self._store.offsets(places)
        return all((offsets[place] or 0) >= ends[place] or ends[place] <= starts[place] for place in places)

    async def _sweep(self, epoch: str, now: datetime) -> None:
        """Let go of what is too old."""
        for table in layout.KEPT_DAYS:
            while old := await self._store.older(layout.age(table), horizon_s(table, now), SWEEP_AT_ONCE):
                draft = await self._drafted(retire(table, old))
                await self._store.write(epoch, {}, {}, partial(put_draft, draft))
        day_s = layout.DAY_S
        await self._store.sweep_timelines(now.timestamp() - layout.TIMELINE_DAYS * day_s)
        await self._store.sweep_positions(now.timestamp() - layout.TRACK_DAYS * day_s)
        await self._store.sweep_people()


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    """End `tasks`; asked again if need be, as a wait with a time limit now and then swallows a cancellation."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=CANCEL_S)


_FIRST = TopicPartition(INCIDENTS.name, 0)
"""Who has this partition sweeps for all."""
