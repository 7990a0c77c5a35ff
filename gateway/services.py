"""What do the gateway's ways in share? Credentials, the path to the broker, rates, limits and counters."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from math import ceil
from secrets import token_hex
from socket import gethostname
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from fenceline.settings import Settings
from gateway.intake import Intake
from gateway.keys import KeyReader
from gateway.limits import Limits, Rates, limits_of, rate_of
from gateway.metrics import Metrics, Name
from gateway.problems import Refused
from gateway.producer import started_producer
from gateway.publisher import Publisher
from gateway.rejections import Rejections
from pipeline.credentials import Keyring
from schemas.credential import Credential

log = structlog.get_logger()

START_PAUSE_S = 1.0
WATCH_S = 5.0
STUCK_S = 120.0


class Stuck(RuntimeError):
    """The gateway can do nothing more by itself."""


def utc_now() -> datetime:
    """The gateway's clock."""
    return datetime.now(UTC)


@dataclass
class Services:
    """All that a handler may need. `opened` and `draining` say whether requests can be served."""

    settings: Settings
    limits: Limits
    metrics: Metrics
    keyring: Keyring
    keys: KeyReader
    publisher: Publisher
    rejections: Rejections
    intake: Intake
    rates: Rates
    now: Callable[[], datetime] = utc_now
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    draining: bool = False
    producer: AIOKafkaProducer | None = None
    fault: BaseException | None = None

    @property
    def ready(self) -> bool:
        """Whether fixes can be taken now."""
        return self.opened.is_set() and not self.draining

    def drain(self) -> None:
        """Take nothing new; what was taken is still answered."""
        self.draining = True
        log.info("gateway_drains")

    async def spend(self, credential: Credential, fixes: int) -> None:
        """Take `fixes` from what the sender may send.

        Raises:
            Refused: 429, with the time after which to try again.
        """
        if fixes <= 0:
            return
        wait_s = await self.rates.take(credential.token_id, rate_of(credential, self.settings), fixes)
        if wait_s > 0:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_fast",
                "more fixes than the token's rate allows",
                hint="keep them and send them later, several in one request",
                retry_after_s=min(3600, max(1, ceil(wait_s))),
            )

    async def open(self) -> None:
        """Reach the broker, trying until it is there, and read the credentials."""
        self.keys.start()
        while True:
            try:
                self.producer = self.producer or await started_producer(self.settings.broker, self.limits.ack_timeout_s)
                await self.publisher.start(self.producer)
                break
            except (KafkaError, OSError) as error:
                log.warning("broker_awaited", error=type(error).__name__)
                await asyncio.sleep(START_PAUSE_S)
        self.rejections.start(self.producer)
        for task in self.publisher.tasks:
            task.add_done_callback(self.ended)
        await self.keys.caught_up.wait()
        self.opened.set()
        log.info("gateway_ready")

    async def watch(self) -> None:
        """End the gateway, so that its supervisor starts it anew, when sending has failed for too long.

        A producer can come into a state from which it does not recover.
        """
        while self.publisher.failing_s < STUCK_S:
            await asyncio.sleep(WATCH_S)
        raise Stuck(f"no frame was acknowledged for {STUCK_S:g} s")

    def ended(self, task: "asyncio.Task[None]") -> None:
        """Note the end of something that should not end of itself; a fault in it ends the gateway."""
        if task.cancelled() or (fault := task.exception()) is None:
            return
        log.error("gateway_part_failed", error=type(fault).__name__, exc_info=fault)
        self.fault = fault
        signal.raise_signal(signal.SIGTERM)

    async def close(self) -> None:
        """Send what is on its way, and let go of everything."""
        self.draining = True
        await self.keys.stop()
        await self.publisher.stop()
        if self.producer is not None:
            await self.producer.stop()
        await self.rates.close()


def services_of(settings: Settings, limits: Limits | None = None) -> Services:
    """The services as `settings` describe them; to be called inside the event loop, opened with `serving`."""
    limits = limits or limits_of(settings)
    source = f"gateway/{gethostname()}-{token_hex(3)}"
    metrics = Metrics()
    keyring = Keyring()
    publisher = Publisher(metrics, limits, source)
    rejections = Rejections(metrics, limits.ack_timeout_s, source, utc_now)
    metrics.set(Name.SHARED_RATES, 0)
    return Services(
        settings=settings,
        limits=limits,
        metrics=metrics,
        keyring=keyring,
        keys=KeyReader(settings.broker, keyring, metrics),
        publisher=publisher,
        rejections=rejections,
        intake=Intake(publisher, rejections, metrics, utc_now),
        rates=Rates(settings.redis_url, metrics),
    )


Background = Callable[[], Coroutine[Any, Any, None]]
"""Something that runs for as long as the gateway does."""


@asynccontextmanager
async def serving(services: Services, beside: Sequence[Background] = ()) -> AsyncIterator[None]:
    """Open `services` in the background, so that /healthz answers at once; run `beside` them; close all at the end."""
    running = (services.watch, *beside)
    tasks = [asyncio.create_task(services.open()), *(asyncio.create_task(one()) for one in running)]
    for task in tasks:
        task.add_done_callback(services.ended)
    try:
        yield
    finally:
        services.draining = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await services.close()
