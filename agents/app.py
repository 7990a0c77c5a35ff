"""How does a worker run? One Faust app over the chosen agents, and around it what Faust leaves to others.

Faust gives membership of the group, assignment, fetching, flow and back-pressure; each agent's stream is a loop over
batches of raw events that are handed to `agents.partitions`. The group's id names the set of agents, because members of
a group share out the topics, and a member that lacks an agent would starve it.

A worker ends by itself, with a code that is not 0, when something is wrong that a new start may mend: no progress
although there is work (`agents.liveness`), or an error that is not the data's and not the broker's.
"""

import asyncio
import gc
import os
import signal
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any
from uuid import uuid4

import structlog
from aiokafka.errors import KafkaError

from agents.agent import AGENTS, Agent
from agents.health import serve_health
from agents.lease import Lease
from agents.liveness import Liveness
from agents.partitions import Partitions
from agents.polls import Polls
from agents.reference import References
from agents.sender import Sender
from agents.topics import check_topics
from agents.transport import App
from fenceline.settings import Settings
from pipeline.step import Record
from schemas.topics import Topic

BATCH_EVENTS = 400
BATCH_WITHIN_S = 0.01
BUFFER_EVENTS = 4_096
TICK_S = 0.2
START_PAUSE_S = 1.0

COLLECT_AFTER = (20_000, 20, 100)
"""Objects made until the collector looks at the young; so many times of that until at the older, and the oldest."""

EXIT_FAULT = 70
EXIT_STALLED = 75

log = structlog.get_logger()


def group_of(agents: Sequence[Agent]) -> str:
    """The consumer group's id for workers that run `agents`."""
    names = sorted(agent.name for agent in agents)
    return "fenceline" if names == sorted(AGENTS) else f"fenceline-{'-'.join(names)}"


def build_app(settings: Settings, agents: Sequence[Agent]) -> App:
    """A Faust app without agents yet; settings as measured and explained in docs/decisions."""
    session_s = settings.worker_session_timeout_s
    return App(
        group_of(agents),
        broker=[f"kafka://{server}" for server in settings.broker.split(",")],
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        web_tables_enabled=False,
        worker_redirect_stdouts=False,
        store="memory://",
        datadir=f"{settings.data_dir}/faust",
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 * 1024 * 1024,
        # A worker with a name is given its partitions back at once; nameless, when the dead one's session has ended.
        consumer_group_instance_id=settings.worker_instance or None,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 3,
        broker_rebalance_timeout=session_s * 1.5,
        broker_request_timeout=max(15.0, session_s * 1.5),
        broker_max_poll_records=2_000,
        broker_max_poll_interval=1_000.0,
        broker_commit_interval=1.0,
        stream_buffer_maxsize=BUFFER_EVENTS,
        stream_recovery_delay=0.0,
        # Where several agents read a topic it would wait for ever; `Partitions.revoke` waits for what is being judged.
        stream_wait_empty=False,
        producer_request_timeout=8.0,
        producer_acks=-1,
        producer_linger=0.005,
    )


def _record(event: Any) -> Record:
    message = event.message
    return Record(
        message.topic, message.partition, message.offset, message.key or b"", message.value or b"", message.timestamp
    )


class Worker:
    """A worker process: `run()` until SIGTERM or SIGINT; its value is the process's exit code."""

    def __init__(self, settings: Settings, agents: Sequence[Agent], health_port: int | None = None) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
        self._settings = settings
        self._agents = agents
        self._health_port = health_port
        self._lease = Lease(settings.worker_session_timeout_s)
        self._sender = Sender(settings.broker, self._lease.remaining_s)
        self._references = References(agents, settings.broker, self._sender, self._is_reporter)
        self._partitions = {
            agent.name: Partitions(
                agent,
                broker=settings.broker,
                sender=self._sender,
                knowledge=self._references.of(agent),
                worker=self.name,
                read_until=self._read_until,
            )
            for agent in agents
        }
        self._polls = Polls()
        self._ending = asyncio.Event()
        self._exit_code = 0
        self._app = self._built()
        self._liveness = Liveness(settings.broker, settings.worker_stalled_s, self._partitions.values(), self._stalled)

    def _built(self) -> App:
        app = build_app(self._settings, self._agents)
        app.lease, app.reached = self._lease, self._reached
        for agent in self._agents:
            topic = app.topic(*[topic.name for topic in agent.inputs], key_type=bytes, value_type=bytes)
            app.agent(topic, name=agent.name, concurrency=1)(partial(self._stream, self._partitions[agent.name]))
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        app.on_rebalance_complete.connect(self._on_assigned, weak=False)
        app.on_before_shutdown.connect(self._on_stopping, weak=False)
        return app

    async def _stream(self, partitions: Partitions, stream: Any) -> AsyncIterator[None]:
        """An agent's life: batches in, judged, sent. Faust acknowledges a batch when we come back for the next."""
        async for events in stream.take_events(BATCH_EVENTS, within=BATCH_WITHIN_S):
            try:
                await partitions.judge([_record(event) for event in events])
            except Exception:
                self._fail("an agent failed", agent=partitions.agent.name)
                await asyncio.Event().wait()  # the checkpoint is behind these events; the next worker judges them
            yield

    def _reached(self) -> dict[tuple[str, int], int]:
        """Where each input partition is to be read on from, so that no agent of ours misses anything."""
        places: dict[tuple[str, int], list[int]] = defaultdict(list)
        for partitions in self._partitions.values():
            for place, offset in partitions.positions().items():
                places[place].append(offset)
        return {place: min(offsets) for place, offsets in places.items()}

    def _read_until(self, topic: str, partition: int, position: int) -> float:
        from faust.types import TP  # noqa: PLC0415

        high, polled_ms = self._app.consumer._thread.polled(TP(topic, partition))
        asked_after_s = self._polls.asked_after_s((topic, partition), polled_ms)
        return asked_after_s if high is not None and position >= high else 0.0

    def _is_reporter(self) -> bool:
        return any(0 in partitions.numbers for partitions in self._partitions.values())

    async def _on_revoked(self, *_: Any, **__: Any) -> None:
        try:
            await asyncio.gather(*(partitions.revoke() for partitions in self._partitions.values()))
        except Exception:
            self._fail("partitions could not be given back")

    async def _on_assigned(self, *_: Any, **__: Any) -> None:
        assignment = self._app.consumer.assignment()
        try:
            await self._take_over({(place.topic, place.partition) for place in assignment})
        except Exception:
            self._fail("partitions could not be taken over")

    async def _take_over(self, assignment: set[tuple[str, int]]) -> None:
        numbers = {
            name: {
                number
                for _, number in assignment
                if all((topic.name, number) in assignment for topic in partitions.agent.inputs)
            }
            for name, partitions in self._partitions.items()
        }
        log.info("assigned", partitions={name: sorted(given) for name, given in numbers.items()})
        await asyncio.gather(*(self._partitions[name].assign(given, self._cover) for name, given in numbers.items()))

    async def _cover(self, numbers: set[int]) -> None:
        while True:
            try:
                return await self._references.cover(numbers)
            except (KafkaError, OSError) as error:
                log.warning("the reference cannot be read now", error=repr(error))
                await asyncio.sleep(START_PAUSE_S)

    async def _on_stopping(self, *_: Any, **__: Any) -> None:
        """Faust has stopped reading; state is written before we leave the group."""
        await asyncio.gather(*(partitions.close() for partitions in self._partitions.values()))

    def _fail(self, what: str, **more: Any) -> None:
        log.critical(what, exc_info=True, **more)
        self._exit_code = EXIT_FAULT
        self._ending.set()

    def _stalled(self, why: str) -> None:
        log.critical("no progress although there is work", why=why)
        self._exit_code = EXIT_STALLED
        self._ending.set()

    @property
    def is_ready(self) -> bool:
        """Whether everything that is ours has been recovered and is judged as it comes."""
        return self._app.started and all(partitions.ready for partitions in self._partitions.values())

    def facts(self) -> dict[str, Any]:
        """How the worker does, for the health page."""
        return {
            "worker": self.name,
            "ready": self.is_ready,
            "agents": {
                name: {"partitions": partitions.numbers, "judged": partitions.judged}
                for name, partitions in self._partitions.items()
            },
            "sent": self._sender.sent,
            "reference_read_at": None if self._references.read_at is None else self._references.read_at.isoformat(),
        }

    async def run(self) -> int:
        """Work until told to end; the exit code.

        Raises:
            TopicsWrong: topics are missing or do not fit together.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ending.set)
        async with AsyncExitStack() as stack:
            if self._health_port is not None:
                await stack.enter_async_context(serve_health(self._health_port, self.facts, self._liveness.is_alive))
            await self._warm_up()
            await self._reach_broker()
            stack.push_async_callback(self._sender.stop)
            stack.push_async_callback(self._references.close)
            saving = asyncio.create_task(self._checkpoint())
            tasks = [asyncio.create_task(work) for work in (self._start(), self._tick(), self._liveness.watch())]
            await self._ending.wait()
            await _cancelled(*tasks)
            log.info("ending")
            with suppress(asyncio.CancelledError):
                await self._app.stop()
            await _cancelled(saving)  # only now: what it has begun to write is not written again
        return self._exit_code

    async def _warm_up(self) -> None:
        for agent in self._agents:
            if agent.warm_up is not None:
                began = time.monotonic()
                await asyncio.to_thread(agent.warm_up)
                log.info("warmed up", agent=agent.name, s=round(time.monotonic() - began, 1))
        # What is loaded now stays, and the state to come holds no cycles: little for the collector to look for.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)

    async def _reach_broker(self) -> None:
        """Wait for the broker, and see that the topics are as they must be."""
        while not self._ending.is_set():
            try:
                await check_topics(self._settings, self._agents)
                await self._sender.start()
                return
            except (KafkaError, OSError) as error:
                log.warning("the broker is not there yet", broker=self._settings.broker, error=repr(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), START_PAUSE_S)

    async def _start(self) -> None:
        try:
            await self._app.start()
            log.info("worker started", worker=self.name, agents=[agent.name for agent in self._agents])
            while not self._app.crashed:
                await asyncio.sleep(TICK_S)
            raise self._app.crash_reason or RuntimeError("Faust ended")
        except Exception:
            self._fail("Faust ended")

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self._guarded("timers", [partitions.tick() for partitions in self._partitions.values()])

    async def _checkpoint(self) -> None:
        while True:
            await asyncio.sleep(self._settings.worker_checkpoint_s)
            await self._guarded("checkpoint", [partitions.checkpoint() for partitions in self._partitions.values()])

    async def _guarded(self, what: str, work: Sequence[Any]) -> None:
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("failed", what=what, exc_info=result)
                self._exit_code = EXIT_FAULT
                self._ending.set()


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def input_topics(agents: Sequence[Agent]) -> dict[str, Topic]:
    """The input topics of `agents` by name."""
    return {topic.name: topic for agent in agents for topic in agent.inputs}
