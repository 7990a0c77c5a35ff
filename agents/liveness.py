"""Does the worker get on with its work? If there is work and nothing is judged for long, it had better start again.

Faust's consumers have been seen to stall silently. So the lag is asked of the broker by a connection of our own, and
compared with the positions that agents have reached. A broker that does not answer proves nothing against the worker.
A thread looks after the event loop itself.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from agents.partitions import Partitions
from agents.reader import LogReader

EXIT_STALLED = 75

log = structlog.get_logger()

Place = tuple[str, str, int]
"""Agent, topic and partition."""


class Liveness:
    """Watches the progress of `agents`; calls `stalled` with the reason when there has been none for `patience_s`."""

    def __init__(
        self, broker: str, patience_s: float, agents: Collection[Partitions], stalled: Callable[[str], None]
    ) -> None:
        self._broker = broker
        self._patience_s = patience_s
        self._agents = agents
        self._stalled = stalled
        self._seen: dict[Place, tuple[int, float]] = {}
        self._beat_at = time.monotonic()
        self.lag = 0

    @property
    def is_alive(self) -> Callable[[], bool]:
        """Whether the event loop and the agents get on."""
        return lambda: time.monotonic() - self._beat_at < self._patience_s

    async def watch(self) -> None:
        """Look again and again; ends only by being cancelled."""
        threading.Thread(target=self._watch_loop, name="liveness", daemon=True).start()
        period_s = min(10.0, self._patience_s / 4)
        while True:
            await asyncio.sleep(period_s)
            self._beat_at = time.monotonic()
            try:
                why = await self._look()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("the lag cannot be known now", error=repr(error))
                self._seen.clear()
                continue
            if why:
                self._stalled(why)

    async def _look(self) -> str:
        """Which partition has not moved for too long although there is more of it; empty if none."""
        wanted = {
            (partitions.agent.name, topic, number): offset
            for partitions in self._agents
            for (topic, number), offset in partitions.positions().items()
        }
        async with LogReader(self._broker) as reader:
            ends = await reader.ends({TopicPartition(topic, number) for _, topic, number in wanted})
        behind = {place: ends[TopicPartition(*place[1:])] - offset for place, offset in wanted.items()}
        self.lag = sum(max(lag, 0) for lag in behind.values())
        return self._stuck(wanted, behind, time.monotonic())

    def _stuck(self, wanted: Mapping[Place, int], behind: Mapping[Place, int], now: float) -> str:
        """Which place has stood at one offset with more behind it at every look for too long.

        One that had nothing to do for an hour, and a moment ago something came, has not stood for an hour.
        """
        self._seen = {
            place: self._seen[place] if self._seen.get(place, (-1, 0.0))[0] == offset else (offset, now)
            for place, offset in wanted.items()
            if behind[place] > 0
        }
        for place, (offset, since) in self._seen.items():
            if now - since > self._patience_s:
                return (
                    f"{'/'.join(map(str, place))} stands at {offset}, {behind[place]} behind, for {now - since:.0f} s"
                )
        return ""

    def _watch_loop(self) -> None:
        """End the process when its event loop has not come round for twice as long: nothing else can."""
        while True:
            time.sleep(self._patience_s / 4)
            if time.monotonic() - self._beat_at > 2 * self._patience_s:
                log.critical("the event loop stands still")
                os._exit(EXIT_STALLED)
