"""Where does input go that could not be used? To `fixes.rejected`: the bytes, why, and the way it came."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gateway.bodies import Unusable
from gateway.metrics import Metrics, Name
from gateway.publisher import away
from pipeline.step import rejected_topic
from schemas.ids import event_id
from schemas.incident import Rejection
from schemas.message import encode
from schemas.times import instant
from schemas.topics import FIXES

KEPT_BYTES = 64 * 1024
"""Longer input is cut to this; its whole length and SHA-256 stay known."""

FIXES_REJECTED = rejected_topic(FIXES.name)


def rejection(unusable: Unusable, source: str, principal: str, at: datetime) -> Rejection:
    """The record of one thing that could not be used, come through `source` from `principal`."""
    raw_sha256 = sha256(unusable.raw).hexdigest()
    return Rejection(
        rejection_id=event_id("rejection", source, principal, at.isoformat(), unusable.place, raw_sha256),
        source=source,
        reason=unusable.why.reason,
        field=unusable.why.field,
        rejected_at=instant(at),
        device_id=unusable.device_id,
        key=principal.encode(),
        raw=unusable.raw[:KEPT_BYTES],
        raw_size=unusable.raw_size or len(unusable.raw),
        raw_sha256=unusable.raw_sha256 or raw_sha256,
        raw_truncated=max(unusable.raw_size, len(unusable.raw)) > KEPT_BYTES,
    )


class Rejections:
    """Writes rejections, and counts those that the broker has."""

    def __init__(self, metrics: Metrics, ack_timeout_s: float, src: str, now: Callable[[], datetime]) -> None:
        self._metrics = metrics
        self._ack_timeout_s = ack_timeout_s
        self._src = src.encode()
        self._now = now

    def start(self, producer: AIOKafkaProducer) -> None:
        """Begin to write through `producer`, which has been started."""
        self._producer = producer

    async def keep(self, unusable: Sequence[Unusable], source: str, principal: str) -> None:
        """Write `unusable`, come through `source` (``http:/v1/fixes``, ``mqtt:...``) from `principal`.

        Raises:
            Refused: 503, the broker does not take it now; the sender is asked to keep what it has.
        """
        if not unusable:
            return
        now = self._now()
        written: list[asyncio.Future[object]] = []
        try:
            async with asyncio.timeout(self._ack_timeout_s):
                for one in unusable:
                    record = rejection(one, source, principal, now)
                    headers = [("id", record.rejection_id.encode()), ("src", self._src), ("type", b"Rejection")]
                    written.append(
                        await self._producer.send(FIXES_REJECTED, encode(record), key=source.encode(), headers=headers)
                    )
                    written[-1].add_done_callback(self._count(source.partition(":")[0]))
                await asyncio.gather(*map(asyncio.shield, written))
        except TimeoutError:
            raise away("the broker did not acknowledge in time") from None
        except KafkaError as error:
            raise away(f"the broker did not take it ({type(error).__name__})") from error

    def _count(self, way: str) -> Callable[["asyncio.Future[object]"], None]:
        def counted(done: "asyncio.Future[object]") -> None:
            if not done.cancelled() and done.exception() is None:
                self._metrics.count(Name.REJECTED, way=way)

        return counted
