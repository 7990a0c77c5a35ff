"""What do we have Faust's Kafka consumer do otherwise? Five things, by its own hooks.

- A fetch waits at most `FETCH_WAIT_MS` at the broker, not 1.5 s: a partition that was not part of a waiting fetch would
  have to wait for it.
- It starts reading where the checkpoint ends, not at the committed offset, which is a hint only.
- Each heartbeat that the group answers renews our lease on the partitions.
- It tells when it last heard from the broker how long a partition is, not only how long.
- When the worker ends it is waited for a few seconds, not a minute: where the broker is away it cannot say goodbye.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import faust
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.lease import Lease

FETCH_WAIT_MS = 100
FETCH_BYTES = 32 * 1024 * 1024
GOODBYE_S = 5.0


class _Thread(driver.AIOKafkaConsumerThread):
    shutdown_timeout = GOODBYE_S

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # fixed in Faust's source; read when the consumer starts
        consumer._fetch_max_bytes = FETCH_BYTES
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        coordinator = self._consumer._coordinator
        beat, lease = coordinator._do_heartbeat, cast(App, self.app).lease

        async def beat_and_renew() -> bool:
            sent_at = time.monotonic()
            answered = bool(await beat())
            if answered:
                lease.renew(sent_at)
            return answered

        coordinator._do_heartbeat = beat_and_renew

    async def on_partitions_assigned(self, assigned: Any, generation_id: int = 0) -> None:
        cast(App, self.app).lease.renew(time.monotonic())
        await super().on_partitions_assigned(assigned, generation_id)

    def polled(self, place: TP) -> tuple[int | None, int | None]:
        """The length of `place` as of the last answer to a fetch, and when that was read, in epoch ms; None: no answer
        since it is ours."""
        consumer = self._ensure_consumer()
        return consumer.highwater(place), consumer.last_poll_timestamp(place)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        ours = self.assignment()
        try:
            await self._ensure_consumer().commit(
                {
                    driver.ensure_aiokafka_TP(place): OffsetAndMetadata(n, "")
                    for place, n in offsets.items()
                    if place in ours
                }
            )
        except KafkaError:
            return False  # it is a hint only; Faust would end the worker
        return True

    async def seek_to_committed(self) -> Mapping[TP, int]:
        offsets = {TP(*place): offset for place, offset in (await super().seek_to_committed()).items()}
        reached = cast(App, self.app).reached()
        ours = {place: reached[place] for place in self.assignment() if place in reached}
        await self.seek_wait(ours)
        return {**offsets, **ours}


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _Transport(driver.Transport):
    Consumer = _Consumer


class App(faust.App):
    """A Faust app over our consumer. `reached`: the next offset of each (topic, partition) whose state we hold."""

    lease: Lease
    reached: Callable[[], dict[tuple[str, int], int]]

    def _new_transport(self) -> _Transport:
        return _Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Keep nothing on disk: there are no tables."""
