"""Who carries the messages out? Reads ``sending`` and ``checking`` on `notifications`, makes the attempts, reports.

Beside the worker, because the far sides are slow and away at times, and nothing else should wait for them; run as many
as you like, they share the partitions as a consumer group.

- What lies between the committed offset and the end of the log when a partition is taken over may have been begun by
  another: of each message the latest record counts, and the attempt is in doubt (`agents.delivery` asks first).
- An offset is committed when all attempts up to it are reported; the broker has acknowledged the reports then.
- Urgent messages go first. What the rates do not let through waits here, and others overtake it. A message that is
  withdrawn, or turns out to have arrived, while it waits is dropped.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from agents.delivery import Delivery
from agents.notify import AGENT
from agents.pace import Pace
from agents.reference import References
from agents.sender import NotSent, Sender
from fenceline.settings import Settings
from pipeline.channels.contacts import Contacts
from pipeline.step import Emission
from schemas.message import Invalid, decode
from schemas.notification import Notification, Report
from schemas.topics import NOTIFICATIONS

log = structlog.get_logger()

GROUP = "fenceline-courier"
SRC = "courier"
POLL_MS = 200
PAUSE_S = 1.0
LET_END_S = 15.0
DO = ("sending", "checking")


@dataclass(order=True)
class Job:
    """An attempt to be made. Ordered: urgent ones first, then by their time."""

    place: tuple[bool, float, int]
    notification: Notification = field(compare=False)
    in_doubt: bool = field(compare=False)
    partition: int = field(compare=False)
    offset: int = field(compare=False)
    dropped: bool = field(compare=False, default=False)
    begun: bool = field(compare=False, default=False)


@dataclass
class Shelf:
    """A partition of ours. Below `doubtful_until` the records were there before us: only the latest of each message,
    in `latest`, is of interest. `open_`: offsets of attempts that are not reported; `seen`: up to where it was read."""

    doubtful_until: int
    seen: int = -1
    latest: dict[str, tuple[int, Notification]] = field(default_factory=dict)
    open_: dict[int, Job] = field(default_factory=dict)
    committed: int = -1

    def done_to(self) -> int:
        """The offset from which on there is still something to do."""
        begun = [offset for offset, _ in self.latest.values()]
        return min([*self.open_, *begun], default=self.seen)


class Courier:
    """Carries messages out until told to end. `contacts` is known after `run` has begun."""

    def __init__(
        self, settings: Settings, delivery: Callable[[Contacts], Delivery], now_s: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._sender = Sender(settings.broker, lambda: float("inf"))
        self._references = References([AGENT], settings.broker, self._sender, lambda: False)
        self._contacts: Contacts = self._references.of(AGENT)
        self._delivery = delivery(self._contacts)
        self._pace = Pace(settings.redis_url)
        self._now_s = now_s
        self._ready: asyncio.PriorityQueue[Job] = asyncio.PriorityQueue()
        self._telling = asyncio.Lock()
        self._shelves: dict[int, Shelf] = {}
        self._count = 0
        self._consumer: AIOKafkaConsumer | None = None
        self.reported = 0
        self.is_ready = False

    def facts(self) -> dict[str, Any]:
        """How it does, for the health page."""
        return {
            "ready": self.is_ready,
            "partitions": sorted(self._shelves),
            "waiting": sum(len(shelf.open_) for shelf in self._shelves.values()),
            "reported": self.reported,
        }

    async def run(self, ending: asyncio.Event) -> None:
        """Work until `ending` is set."""
        carriers = [asyncio.create_task(self._carry()) for _ in range(self._settings.notify_at_once)]
        reading = asyncio.create_task(self._read_for_ever())
        waiting = asyncio.create_task(ending.wait())
        try:
            done, _ = await asyncio.wait({waiting, reading, *carriers}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {waiting}:
                task.result()  # nothing of these ends of itself, unless it is a fault of ours
        finally:
            for task in (reading, waiting):
                task.cancel()
            await asyncio.gather(reading, waiting, return_exceptions=True)
            for carrier in carriers:
                carrier.cancel()
            await asyncio.gather(*carriers, return_exceptions=True)
            await self._references.close()
            await self._sender.stop()
            await self._pace.close()

    async def _read_for_ever(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, NotSent) as error:
                log.warning("the broker is not there", error=repr(error))
            self.is_ready = False
            await asyncio.sleep(PAUSE_S)

    async def _read(self) -> None:
        consumer = self._consumer = AIOKafkaConsumer(
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
            consumer.subscribe([NOTIFICATIONS.name], listener=_Listener(self))
            while True:
                chunk = await consumer.getmany(timeout_ms=POLL_MS)
                for place, records in chunk.items():
                    if place.partition in self._shelves:
                        self._take(place.partition, records)
                    elif place in consumer.assignment():
                        # aiokafka may hand out records before `taken_over` has ended: they are read again then.
                        consumer.seek(place, records[0].offset)
                        await asyncio.sleep(POLL_MS / 1000)
                await self._past_doubt(consumer)
                await self._commit(consumer)
        finally:
            await self.given_up(list(self._shelves))
            with suppress(KafkaError, OSError):
                await consumer.stop()

    async def taken_over(self, numbers: Iterable[int]) -> None:
        """Partitions are ours: know whom their messages are for, and where what others began ends."""
        numbers = sorted(numbers)
        consumer = self._consumer
        assert consumer is not None  # noqa: S101  # it is the consumer that tells
        await self._references.cover(numbers)
        places = [TopicPartition(NOTIFICATIONS.name, number) for number in numbers]
        ends = await consumer.end_offsets(places) if places else {}
        for place in places:
            self._shelves[place.partition] = Shelf(doubtful_until=ends[place])
        self.is_ready = True
        log.info("partitions taken over", partitions=numbers)

    async def given_up(self, numbers: Iterable[int]) -> None:
        """Partitions go to others: what has not begun is dropped, what is on its way is waited for."""
        numbers = list(numbers)
        jobs = [job for number in numbers if number in self._shelves for job in self._shelves[number].open_.values()]
        for job in jobs:
            job.dropped = True
        deadline = time.monotonic() + LET_END_S
        while any(job.begun and job.offset in self._open_of(job) for job in jobs) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        for number in numbers:
            self._shelves.pop(number, None)

    def _open_of(self, job: Job) -> dict[int, Job]:
        shelf = self._shelves.get(job.partition)
        return shelf.open_ if shelf is not None else {}

    def _take(self, number: int, records: Iterable[Any]) -> None:
        shelf = self._shelves[number]
        for record in records:
            shelf.seen = record.offset + 1
            try:
                notification = decode(record.value or b"", Notification)
            except Invalid as why:
                log.warning("no notification", partition=number, offset=record.offset, reason=why.reason)
                continue
            if record.offset < shelf.doubtful_until:
                shelf.latest[notification.notification_id] = (record.offset, notification)
                continue
            for job in shelf.open_.values():
                if job.notification.notification_id == notification.notification_id:
                    job.dropped = True
            if notification.state in DO:
                self._shelve(number, record.offset, notification, in_doubt=False)

    async def _past_doubt(self, consumer: AIOKafkaConsumer) -> None:
        """Begin with what was there before us, once all of it is known."""
        for number, shelf in self._shelves.items():
            place = TopicPartition(NOTIFICATIONS.name, number)
            if shelf.latest and await consumer.position(place) >= shelf.doubtful_until:
                latest, shelf.latest = shelf.latest, {}
                for offset, notification in latest.values():
                    if notification.state in DO:
                        self._shelve(number, offset, notification, in_doubt=True)

    def _shelve(self, number: int, offset: int, notification: Notification, *, in_doubt: bool) -> None:
        self._count += 1
        place = (not notification.urgent, notification.at.timestamp(), self._count)
        job = Job(place, notification, in_doubt, number, offset)
        self._shelves[number].open_[offset] = job
        self._ready.put_nowait(job)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        offsets = {}
        for number, shelf in self._shelves.items():
            done = shelf.done_to()
            if done > shelf.committed:
                offsets[TopicPartition(NOTIFICATIONS.name, number)] = done
                shelf.committed = done
        if offsets:
            await consumer.commit(offsets)

    async def _carry(self) -> None:
        """One pair of hands: the most urgent job that may go now, again and again."""
        while True:
            job = await self._ready.get()
            if job.dropped:
                self._open_of(job).pop(job.offset, None)
                continue
            if job.notification.state == "sending":
                rates = self._contacts.rules.at(job.notification.at).rates
                wait_s = await self._pace.take(job.notification, rates)
                if wait_s > 0:
                    asyncio.get_running_loop().call_later(wait_s, self._ready.put_nowait, job)
                    continue
            job.begun = True
            report = await self._made(job)
            await self._tell(report)
            self._open_of(job).pop(job.offset, None)

    async def _made(self, job: Job) -> Report:
        began = time.monotonic()
        one = job.notification
        report = await self._delivery.attempt(one, job.in_doubt)
        log.info(
            "attempt",
            notification_id=one.notification_id,
            channel=one.channel,
            attempt=one.attempt,
            state=one.state,
            in_doubt=job.in_doubt or one.uncertain,
            outcome=report.outcome,
            code=report.code,
            reason=report.reason,
            provider_id=report.provider_id,
            ms=round((time.monotonic() - began) * 1000),
        )
        return report

    async def _tell(self, report: Report) -> None:
        emission = Emission("notification-reports", report.subject_id, report, report.report_id)
        while True:
            try:
                async with self._telling:  # a sender is not made to be connected by several at once
                    await self._sender.send([(SRC, emission)])
                self.reported += 1
                return
            except NotSent as error:
                log.warning("a report waits for the broker", report_id=report.report_id, error=str(error))
                await asyncio.sleep(PAUSE_S)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._courier.given_up([place.partition for place in revoked])

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._courier.taken_over([place.partition for place in assigned])
