"""What do the console's routes share? Credentials, sessions, the read model, the way to the broker, counters."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import httpx
import redis.asyncio as redis
import structlog
from aiokafka.errors import KafkaError

from console.pen import Pen
from console.reading.reader import Reader
from console.sessions import Sessions
from console.shelf import Shelf
from console.signins import Attempts
from fenceline.settings import Settings
from gateway.keys import KeyReader
from gateway.metrics import Metrics
from gateway.producer import started_producer
from gateway.services import START_PAUSE_S, utc_now
from pipeline.credentials import Keyring

log = structlog.get_logger()

REDIS_TIMEOUT_S = 3.0
REDIS_CONNECTIONS = 64
WRITE_S = 5.0
REQUESTS_AT_ONCE = 2_000
HEAVY_AT_ONCE = 2


@dataclass
class Services:
    """All that a handler may need. `heavy`: room for what reads topics whole or keeps a core busy."""

    settings: Settings
    metrics: Metrics
    keyring: Keyring
    keys: KeyReader
    store: "redis.Redis"
    sessions: Sessions
    attempts: Attempts
    reader: Reader
    pen: Pen
    shelf: Shelf
    gateway: httpx.AsyncClient
    now: Callable[[], datetime] = utc_now
    heavy: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HEAVY_AT_ONCE))
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    fault: BaseException | None = None

    @property
    def ready(self) -> bool:
        """Whether requests can be served now."""
        return self.opened.is_set() and not self.ending.is_set()

    def drain(self) -> None:
        """Take nothing new, and let live streams end."""
        self.ending.set()

    async def open(self) -> None:
        """Reach the broker, trying until it is there, and read the credentials."""
        self.keys.start()
        self.shelf.start()
        while True:
            try:
                self.pen.take(await started_producer(self.settings.broker, WRITE_S))
                break
            except (KafkaError, OSError) as error:
                log.warning("broker_awaited", error=type(error).__name__)
                await asyncio.sleep(START_PAUSE_S)
        await self.keys.caught_up.wait()
        await self.shelf.caught_up.wait()
        self.opened.set()
        log.info("console_ready")

    def ended(self, task: "asyncio.Task[None]") -> None:
        """Note the end of something that should not end of itself; a fault in it ends the console."""
        if task.cancelled() or (fault := task.exception()) is None:
            return
        log.error("console_part_failed", error=type(fault).__name__, exc_info=fault)
        self.fault = fault
        signal.raise_signal(signal.SIGTERM)

    async def close(self) -> None:
        """Let go of everything."""
        await self.keys.stop()
        await self.shelf.stop()
        await self.pen.close()
        await self.reader.close()
        await self.gateway.aclose()
        await self.store.aclose()


def services_of(settings: Settings) -> Services:
    """The services as `settings` describe them; to be called inside the event loop, opened with `serving`."""
    metrics = Metrics("console")
    keyring = Keyring()
    store = redis.Redis.from_pool(
        redis.BlockingConnectionPool.from_url(
            settings.redis_url,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
            max_connections=REDIS_CONNECTIONS,
            timeout=REDIS_TIMEOUT_S,
        )
    )
    return Services(
        settings=settings,
        metrics=metrics,
        keyring=keyring,
        keys=KeyReader(settings.broker, keyring, metrics),
        store=store,
        sessions=Sessions(store, settings.console_idle_min * 60, settings.console_session_h * 3600),
        attempts=Attempts(store),
        reader=Reader(settings.redis_url),
        pen=Pen(WRITE_S),
        shelf=Shelf(settings.broker),
        gateway=httpx.AsyncClient(base_url=settings.console_gateway, timeout=httpx.Timeout(30.0, read=120.0)),
    )


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[None]:
    """Open `services` in the background, so that /healthz answers at once; close all at the end."""
    task = asyncio.create_task(services.open())
    task.add_done_callback(services.ended)
    try:
        yield
    finally:
        services.drain()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await services.close()
