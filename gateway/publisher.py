"""How does a fix reach the broker? In frames, in order per device, and acknowledged, or its sender is told.

Parts of concurrent requests wait a few milliseconds in the lane of their partition, so that they share frames. Each
lane sends in order. A request is answered when the broker has acknowledged all of its frames; if one of them fails,
exactly the requests with fixes in it are told to send again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gateway.frames import MAX_FIXES, Frame, Part, frames, partition_of
from gateway.limits import Limits
from gateway.metrics import Metrics, Name
from gateway.problems import Refused
from schemas.topics import FIXES

log = structlog.get_logger()

RETRY_AFTER_S = 2


def away(detail: str) -> Refused:
    """The refusal of what the broker cannot take now."""
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, hint="keep it and send it again", retry_after_s=RETRY_AFTER_S
    )


class Ticket:
    """One request's wait for its fixes: done when all are acknowledged or one is lost."""

    __slots__ = ("_left", "done")

    def __init__(self, left: int) -> None:
        self._left = left
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def settle(self, fixes: int, error: BaseException | None) -> None:
        """Enter the fate of `fixes` of this request's fixes."""
        self._left -= fixes
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        elif self._left == 0:
            self.done.set_result(None)


class _Lane:
    """What waits for one partition."""

    __slots__ = ("parts", "some")

    def __init__(self) -> None:
        self.parts: list[Part[Ticket]] = []
        self.some = asyncio.Event()


class Publisher:
    """Sends fixes to the topic `fixes`, framed per partition."""

    def __init__(self, metrics: Metrics, limits: Limits, source: str) -> None:
        self._metrics = metrics
        self._limits = limits
        self._source = source
        self._numbers = count()
        self._lanes: list[_Lane] = []
        self._senders: list[asyncio.Task[None]] = []
        self._in_flight = 0
        self._failing_since: float | None = None

    async def start(self, producer: AIOKafkaProducer) -> None:
        """Learn how many partitions there are, and begin to send through `producer`, which has been started."""
        self._producer = producer
        partitions = await self._producer.partitions_for(FIXES.name)
        self._lanes = [_Lane() for _ in partitions]
        self._senders = [asyncio.create_task(self._send_all(number)) for number in range(len(partitions))]

    async def stop(self) -> None:
        """End; what was not acknowledged by now fails. Drain first by answering all requests."""
        for sender in self._senders:
            sender.cancel()
        for sender in self._senders:
            with suppress(asyncio.CancelledError):
                await sender
        self._senders = []

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What sends; none of them ends of itself."""
        return self._senders

    @property
    def failing_s(self) -> float:
        """For how long every frame has failed; 0 when the last one did not."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    @property
    def in_flight(self) -> int:
        """Fixes taken and not yet acknowledged or failed."""
        return self._in_flight

    async def publish(self, fixes: Sequence[tuple[str, bytes]]) -> None:
        """Send `fixes` (device_id, JSON) and wait until the broker has them all.

        Raises:
            Refused: 503, too much on its way already, or the broker did not acknowledge in time. Some of them may be
                on the topic nevertheless, or arrive later: what is sent again is a duplicate, which is harmless.
        """
        if self._in_flight and self._in_flight + len(fixes) > self._limits.in_flight_fixes:
            raise away("too many fixes are on their way to the broker")
        ticket = Ticket(len(fixes))
        self._in_flight += len(fixes)
        self._metrics.set(Name.IN_FLIGHT, self._in_flight)
        for device_id, json in fixes:
            lane = self._lanes[partition_of(device_id, len(self._lanes))]
            if not lane.parts:
                lane.some.set()
            lane.parts.append(Part(device_id, json, ticket))
        try:
            async with asyncio.timeout(self._limits.ack_timeout_s):
                await ticket.done  # a timeout cancels it, and what still waits in a lane is then left out
        except TimeoutError:
            raise away("the broker did not acknowledge in time") from None
        except KafkaError as error:
            raise away(f"the broker did not take it ({type(error).__name__})") from error

    async def _send_all(self, partition: int) -> None:
        lane = self._lanes[partition]
        while True:
            await lane.some.wait()
            if len(lane.parts) < MAX_FIXES:
                await asyncio.sleep(self._limits.linger_s)
            parts, lane.parts = lane.parts, []
            lane.some.clear()
            for frame in frames(parts):
                await self._send(partition, frame)

    async def _send(self, partition: int, frame: Frame[Ticket]) -> None:
        fixes_of = Counter([part.waiter for part in frame.parts])
        if all(ticket.done.done() for ticket in fixes_of):
            self._settle(fixes_of, None)  # all who waited were told to send it again
            return
        headers = [
            ("id", f"{self._source}/{next(self._numbers)}".encode()),
            ("src", self._source.encode()),
            ("type", b"Fix"),
        ]
        began = time.monotonic()
        try:
            sent = await self._producer.send(
                FIXES.name, frame.value, key=frame.key, partition=partition, headers=headers
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._settle(fixes_of, error)
            return
        sent.add_done_callback(lambda done: self._acknowledged(fixes_of, done, began))

    def _acknowledged(self, fixes_of: Counter[Ticket], done: "asyncio.Future[Any]", began: float) -> None:
        error = KafkaError("cancelled") if done.cancelled() else done.exception()
        if error is None:
            self._failing_since = None
            self._metrics.count(Name.FRAMES)
            self._metrics.observe(Name.BROKER_SECONDS, time.monotonic() - began)
        self._settle(fixes_of, error)

    def _settle(self, fixes_of: Counter[Ticket], error: BaseException | None) -> None:
        if error is not None:
            self._failing_since = self._failing_since or time.monotonic()
            self._metrics.count(Name.FAILED_FRAMES)
            log.warning("frame_failed", fixes=fixes_of.total(), error=type(error).__name__)
            if not isinstance(error, KafkaError):
                error = KafkaError(type(error).__name__)
        self._in_flight -= fixes_of.total()
        self._metrics.set(Name.IN_FLIGHT, self._in_flight)
        for ticket, fixes in fixes_of.items():
            ticket.settle(fixes, error)
