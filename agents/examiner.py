"""Who has the pictures of check-ins looked at? Reads `checkins`, fetches and decrypts, measures, writes `face-results`.

Beside the worker, because a picture takes a second where everything else takes a millisecond; run as many as you like,
they share the partitions as a consumer group. It measures and judges nothing: that is `pipeline.identity`'s.

- At most so many check-ins are in hand at once; no more are read until there is room.
- An offset is committed when all results up to it are acknowledged. After a crash a check-in may be measured twice,
  under the same id; the first result counts.
- Pictures that cannot be examined end as a result that says why. The store being away is waited for.

It also deletes: what `erasures` names as due, with a record that it was done, and pictures older than they are kept.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from agents.erasing import erased
from agents.examination import Findings, Job
from agents.facepool import Busy, FacePool
from agents.objectstore import Damaged, Gone, Vault
from agents.sender import NotSent, Sender
from fenceline.settings import Settings
from pipeline.step import Emission
from schemas.checkin import Checkin, Examined, Problem
from schemas.gallery import Erasure, Gallery, Template
from schemas.ids import event_id
from schemas.message import Invalid, decode
from schemas.times import instant
from schemas.topics import CHECKINS, ERASURES, FACE_RESULTS

log = structlog.get_logger()

GROUP = "fenceline-examiner"
SRC = "examiner"
POLL_MS = 200
PAUSE_S = 1.0
LET_END_S = 15.0
SWEEP_S = 3600.0
IN_HAND_PER_PROCESS = 4


class Shelf:
    """A partition of ours: offsets in hand, and up to where it was read."""

    def __init__(self) -> None:
        self.open: dict[int, asyncio.Task[None]] = {}
        self.seen = -1
        self.committed = -1

    def done_to(self) -> int:
        """The offset from which on there is still something to do."""
        return min(self.open, default=self.seen)


class Examiner:
    """Has check-ins measured by `pool` until told to end, and deletes what is due."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        pool: FacePool,
        processes: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._pool = pool
        self._most = processes * IN_HAND_PER_PROCESS
        self._now = now
        self._sender = Sender(settings.broker, lambda: float("inf"))
        self._telling = asyncio.Lock()
        self._shelves: dict[TopicPartition, Shelf] = {}
        self.examined = 0
        self.is_ready = False

    def facts(self) -> dict[str, Any]:
        """How it does, for the health page."""
        return {
            "ready": self.is_ready,
            "model": self._settings.face_model,
            "model_version": self._pool.model_version,
            "in_hand": sum(len(shelf.open) for shelf in self._shelves.values()),
            "examined": self.examined,
            "processes_replaced": self._pool.replaced,
        }

    async def run(self, ending: asyncio.Event) -> None:
        """Work until `ending` is set.

        Raises:
            Unable: no process that compares faces can be started any more.
        """
        work = {asyncio.create_task(one) for one in (self._read_for_ever(), self._sweep_for_ever(), ending.wait())}
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # nothing but the wish to end ends of itself, unless it is a fault
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await self._sender.stop()

    # reading

    async def _read_for_ever(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, NotSent) as error:
                log.warning("the broker is not there", error=repr(error))
            self.is_ready = False
            await asyncio.sleep(PAUSE_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.broker,
            group_id=GROUP,
            client_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(self._settings.worker_session_timeout_s * 1000),
            heartbeat_interval_ms=int(self._settings.worker_session_timeout_s * 1000 / 3),
            fetch_max_wait_ms=100,
        )
        await consumer.start()
        try:
            consumer.subscribe([CHECKINS.name, ERASURES.name], listener=_Listener(self, consumer))
            while True:
                room = self._most - sum(len(shelf.open) for shelf in self._shelves.values())
                if room > 0:
                    chunk = await consumer.getmany(timeout_ms=POLL_MS, max_records=room)
                    for place, records in chunk.items():
                        self._take(place, records)
                else:
                    await self._some_end()
                self._faults()
                await self.commit(consumer)
        finally:
            await self.let_go(consumer, list(self._shelves))
            with suppress(KafkaError, OSError):
                await consumer.stop()

    def _take(self, place: TopicPartition, records: Iterable[Any]) -> None:
        shelf = self._shelves.get(place)
        if shelf is None:
            return  # taken away in the meantime
        for record in records:
            shelf.seen = record.offset + 1
            work = self._checkin(record) if record.topic == CHECKINS.name else self._erasure(record)
            shelf.open[record.offset] = asyncio.create_task(work)

    async def _some_end(self) -> None:
        tasks = [task for shelf in self._shelves.values() for task in shelf.open.values()]
        await asyncio.wait(tasks, timeout=POLL_MS / 1000, return_when=asyncio.FIRST_COMPLETED)

    def _faults(self) -> None:
        """Take off the shelves what is done; raise what ended with a fault of ours."""
        for shelf in self._shelves.values():
            for offset in [offset for offset, task in shelf.open.items() if task.done()]:
                shelf.open.pop(offset).result()

    async def commit(self, consumer: AIOKafkaConsumer) -> None:
        """Tell the broker how far everything is done."""
        offsets = {}
        for place, shelf in self._shelves.items():
            done = shelf.done_to()
            if done > shelf.committed:
                offsets[place] = done
                shelf.committed = done
        if offsets:
            await consumer.commit(offsets)

    def taken_over(self, places: Iterable[TopicPartition]) -> None:
        """Partitions are ours."""
        for place in places:
            self._shelves[place] = Shelf()
        self.is_ready = True
        log.info("partitions taken over", partitions=len(self._shelves))

    async def let_go(self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
        """Partitions go to others: what is in hand is waited for, for a while, then left to them."""
        places = [place for place in places if place in self._shelves]
        tasks = [task for place in places for task in self._shelves[place].open.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=LET_END_S)
        try:
            self._faults()
            with suppress(KafkaError, OSError):
                await self.commit(consumer)
        finally:
            for place in places:
                for task in self._shelves.pop(place).open.values():
                    task.cancel()

    # check-ins

    async def _checkin(self, record: Any) -> None:
        began = time.monotonic()
        try:
            checkin = decode(record.value or b"", Checkin)
        except Invalid as why:  # the agent `verify` puts it on the rejected topic
            log.warning("no check-in", partition=record.partition, offset=record.offset, reason=why.reason)
            return
        examined = await self._examined(checkin)
        await self._tell(FACE_RESULTS.name, checkin.subject_id, examined, examined.result_id)
        self.examined += 1
        log.info(
            "examined",
            checkin_id=checkin.checkin_id,
            problem=examined.problem,
            pictures=len(checkin.pictures),
            faces=sum(seen.measures.faces for seen in examined.seen),
            templates=len(examined.templates),
            ms=round((time.monotonic() - began) * 1000),
        )

    async def _examined(self, checkin: Checkin) -> Examined:
        while True:
            try:
                return await self._measured(checkin)
            except Gone as error:
                return self._result(checkin, "gone", str(error))
            except Damaged as error:
                log.error("an object cannot be decrypted", checkin_id=checkin.checkin_id, error=str(error))
                return self._result(checkin, "gone", "what is kept cannot be decrypted")
            except Busy:
                await asyncio.sleep(PAUSE_S)
            except OSError as error:
                log.warning("the object store is not there", checkin_id=checkin.checkin_id, error=type(error).__name__)
                await asyncio.sleep(PAUSE_S)

    async def _measured(self, checkin: Checkin) -> Examined:
        gallery = await asyncio.to_thread(self._vault.gallery, checkin.subject_id)
        if not gallery.templates:
            return self._result(checkin, "not_enrolled", "no template of this person is kept")
        templates = self._usable(gallery)
        if not templates:
            return self._result(checkin, "other_model", "all templates are of another model or version; enrol again")
        pictures = await asyncio.to_thread(self._fetched, checkin)
        findings = await self._pool.examine(Job(pictures, tuple(one.values for one in templates)))
        return self._result(checkin, findings.problem, findings.detail, findings, templates)

    def _usable(self, gallery: Gallery) -> tuple[Template, ...]:
        made_by = (self._settings.face_model, self._pool.model_version)
        return tuple(one for one in gallery.templates if (one.model, one.model_version) == made_by)

    def _fetched(self, checkin: Checkin) -> tuple[bytes, ...]:
        bodies = []
        for picture in checkin.pictures:
            body = self._vault.get(checkin.subject_id, picture.ref)
            if sha256(body).hexdigest() != picture.sha256:
                raise Damaged(f"{picture.ref} is not what was sent")
            bodies.append(body)
        return tuple(bodies)

    def _result(
        self,
        checkin: Checkin,
        problem: Problem,
        detail: str,
        findings: Findings | None = None,
        templates: Sequence[Template] = (),
    ) -> Examined:
        return Examined(
            result_id=event_id("face-result", checkin.checkin_id),
            checkin_id=checkin.checkin_id,
            subject_id=checkin.subject_id,
            model=self._settings.face_model,
            model_version=self._pool.model_version,
            examined_at=instant(self._now()),
            problem=problem,
            detail=detail[:500],
            seen=findings.seen if findings else (),
            frames=findings.frames if findings else (),
            signs=findings.signs if findings else None,
            templates=tuple(one.template_id for one in templates),
        )

    # deleting

    async def _erasure(self, record: Any) -> None:
        try:
            erasure = decode(record.value or b"", Erasure)
        except Invalid as why:
            log.warning("no erasure", partition=record.partition, offset=record.offset, reason=why.reason)
            return
        if erasure.event == "done":
            return
        while True:
            try:
                done = await asyncio.to_thread(erased, self._vault, erasure, self._now())
                break
            except OSError as error:
                log.warning("the object store is not there", erasure_id=erasure.erasure_id, error=type(error).__name__)
                await asyncio.sleep(PAUSE_S)
        await self._tell(ERASURES.name, erasure.subject_id, done, event_id("erasure-done", erasure.erasure_id))
        log.info("erased", erasure_id=erasure.erasure_id, templates=done.templates, pictures=done.pictures)

    async def _sweep_for_ever(self) -> None:
        while True:
            oldest = (self._now() - timedelta(days=self._settings.checkin_picture_days)).date().isoformat()
            try:
                days = await asyncio.to_thread(self._vault.sweep, oldest)
                if days:
                    log.info("pictures deleted", days=days, before=oldest)
            except OSError as error:
                log.warning("old pictures could not be deleted", error=type(error).__name__)
            await asyncio.sleep(SWEEP_S)

    async def _tell(self, topic: str, key: str, message: Any, record_id: str) -> None:
        emission = Emission(topic, key, message, record_id)
        while True:
            try:
                async with self._telling:  # a sender is not made to be connected by several at once
                    await self._sender.send([(SRC, emission)])
                return
            except NotSent as error:
                log.warning("a result waits for the broker", error=str(error))
                await asyncio.sleep(PAUSE_S)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, examiner: Examiner, consumer: AIOKafkaConsumer) -> None:
        self._examiner = examiner
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._examiner.let_go(self._consumer, revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._examiner.taken_over(assigned)
