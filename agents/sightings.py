"""Where is everyone? Fixes projected: read in bulk, written once a second, judged against today's fences.

The devices of our partitions are held in memory, and fetched from Redis when they are first seen again. What Redis has
not been told is read again after a crash, so it is enough to write now and then; a row a device, whatever came.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition

from agents.agent import Agent
from agents.following import Batch, Follower, after
from agents.modelstore import ModelStore
from agents.reference import References
from agents.sender import Sender
from fenceline.settings import Settings
from pipeline.columns import fix_columns
from pipeline.readmodel import layout
from pipeline.readmodel.positions import Ways, Whereabouts, pack, unpack
from pipeline.readmodel.verdicts import activations_now, verdicts
from pipeline.reference import Reference
from schemas.topics import ACTIVATIONS, FENCES, FIXES, LEAVES, SUBJECTS

log = structlog.get_logger()

AT_ONCE = 500
FLUSH_S = 1.0
LOOK_AGAIN_S = 15.0
"""How often all devices are judged anew: hours begin and end, and fences change, while nobody moves."""
LOOK_AT_ONCE = 5_000
TELL_AT_ONCE = 2_000
TRACK_KEPT_S = (layout.TRACK_DAYS + 1) * layout.DAY_S

KNOWN = Agent(
    name="project",
    inputs=(FIXES,),
    outputs=(),
    core=lambda number, known: None,  # type: ignore[arg-type,return-value]  # noqa: ARG005  # nothing is decided here
    reference=(FENCES, ACTIVATIONS, SUBJECTS, LEAVES),
    knowledge=Reference,
)


class Sightings:
    """Projects the topic `fixes`."""

    def __init__(
        self, settings: Settings, store: ModelStore, group: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.follower = Follower(settings, store, group, [FIXES.name], self._begin, self._take, AT_ONCE)
        self._store = store
        self._clock = clock
        self._sender = Sender(settings.broker, lambda: float("inf"))
        self._references = References([KNOWN], settings.broker, self._sender, lambda: False)
        self._reference: Reference = self._references.of(KNOWN)
        self._places: set[TopicPartition] = set()
        self._whereabouts = Whereabouts()
        self._reached: dict[TopicPartition, int] = {}
        self._flushed_s = self._looked_s = 0.0

    async def run(self) -> None:
        """Follow until cancelled."""
        await self.follower.run()

    async def close(self) -> None:
        """Let go of the reference topics."""
        await self._references.close()
        await self._sender.stop()

    async def _begin(self, given: set[TopicPartition]) -> None:
        await self._references.cover([place.partition for place in given])
        self._whereabouts, self._reached = Whereabouts(), {}
        self._looked_s = 0.0

    async def _take(self, batch: Batch) -> None:
        if batch:
            records = [record for run in batch.values() for record in run]
            columns, _ = fix_columns(records, datetime.now(UTC))  # what is refused is reported by who judges
            await self._fetch({fix.device_id for fix in columns.fixes})
            self._whereabouts.take(columns)
            self._reached |= after(batch)
            self.follower.projected += len(columns.fixes)
        if self._clock() - self._flushed_s >= FLUSH_S and self._reached:
            await self._flush()
        if self._clock() - self._looked_s >= LOOK_AGAIN_S:
            await self._look_again()

    async def _fetch(self, device_ids: Iterable[str]) -> None:
        """Hold devices as Redis knows them."""
        new = [device_id for device_id in device_ids if device_id not in self._whereabouts.devices]
        for begin in range(0, len(new), LOOK_AT_ONCE):
            part = new[begin : begin + LOOK_AT_ONCE]
            for device_id, raw in zip(part, await self._store.redis.hmget(layout.POSITIONS, part), strict=True):
                if raw is not None:
                    self._whereabouts.devices[device_id] = unpack(raw)

    async def _flush(self) -> None:
        self._flushed_s = self._clock()
        moved, ways = self._whereabouts.taken()
        reached, self._reached = self._reached, {}
        self._judge(moved)
        await self._write(moved, ways, reached)

    def _judge(self, device_ids: list[str]) -> list[str]:
        """Set the verdicts of devices; those whose verdict changed."""
        now_s = self._clock()
        known = [self._whereabouts.devices[device_id] for device_id in device_ids]
        found = verdicts(self._reference, activations_now(self._reference, device_ids, now_s), known, now_s)
        changed = []
        for device_id, one, verdict in zip(device_ids, known, found.tolist(), strict=True):
            if one.verdict != verdict:
                one.verdict = verdict
                changed.append(device_id)
        return changed

    async def _look_again(self) -> None:
        """Judge all anew, a part at a time, also those that nothing was heard of since we began."""
        self._looked_s = self._clock()
        await self._fetch(dict.fromkeys(self._reference.activations.devices))
        device_ids = list(self._whereabouts.devices)
        for begin in range(0, len(device_ids), LOOK_AT_ONCE):
            changed = self._judge(device_ids[begin : begin + LOOK_AT_ONCE])
            if changed:
                await self._write(changed, Ways({}), {})
            await asyncio.sleep(0)

    async def _write(self, moved: list[str], ways: Ways, reached: dict[TopicPartition, int]) -> None:
        rows = {device_id: pack(self._whereabouts.devices[device_id]) for device_id in moved}

        def put(pipe: Any) -> None:
            if rows:
                pipe.hset(layout.POSITIONS, mapping=rows)
            for (device_id, day), pieces in ways.pieces.items():
                key = layout.track_key(device_id, day)
                pipe.append(key, bytes(pieces))
                pipe.expireat(key, day * layout.DAY_S + TRACK_KEPT_S)

        await self.follower.write(reached, put)
        told = list(rows.items())
        for begin in range(0, len(told), TELL_AT_ONCE):
            await self._store.redis.publish(layout.MOVED, msgspec.msgpack.encode(told[begin : begin + TELL_AT_ONCE]))
