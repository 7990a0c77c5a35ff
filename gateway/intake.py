"""What becomes of a reading? Good fixes go to the broker, the rest to the rejected topic, and both are counted.

The one way in for HTTP and MQTT: checked against the token, stamped with the time of receipt, framed, acknowledged.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import msgspec

from gateway.bodies import Reading, Unusable, raw_at
from gateway.metrics import Metrics, Name
from gateway.publisher import Publisher
from gateway.rejections import Rejections
from gateway.tokens import NotCovered
from pipeline.credentials import covers
from schemas.credential import Credential
from schemas.fix import Fix
from schemas.message import Invalid, encode
from schemas.times import Instant, instant


class Receipt(NamedTuple):
    """What the broker has: so many fixes on `fixes`, and these on `fixes.rejected`."""

    accepted: int
    rejected: list[Unusable]
    device_ids: list[str]


class Intake:
    """Takes readings in."""

    def __init__(
        self, publisher: Publisher, rejections: Rejections, metrics: Metrics, now: Callable[[], datetime]
    ) -> None:
        self._publisher = publisher
        self._rejections = rejections
        self._metrics = metrics
        self._now = now

    async def take(self, reading: Reading, credential: Credential, source: str) -> Receipt:
        """Send what is good in `reading` and keep what is not; returns when the broker has all of it.

        `source` is the way it came (``http:/v1/fixes``); its part before the colon labels the counters.

        Raises:
            Refused: 503, the broker does not have all of it; the sender is to send all of it again.
        """
        good, unusable = self._sorted(reading, credential)
        if good and unusable:
            fates = await asyncio.gather(
                self._publish(good, source),
                self._rejections.keep(unusable, source, credential.principal),
                return_exceptions=True,
            )
            for fate in fates:
                if fate is not None:
                    raise fate
        elif good:
            await self._publish(good, source)
        else:
            await self._rejections.keep(unusable, source, credential.principal)
        return Receipt(len(good), unusable, sorted({device_id for device_id, _ in good}))

    async def keep(self, unusable: Unusable, principal: str, source: str) -> None:
        """Keep what was not even read.

        Raises:
            Refused: 503, the broker does not have it.
        """
        await self._rejections.keep([unusable], source, principal)

    async def _publish(self, good: list[tuple[str, bytes]], source: str) -> None:
        await self._publisher.publish(good)
        self._metrics.count(Name.FIXES, len(good), way=source.partition(":")[0])

    def _sorted(self, reading: Reading, credential: Credential) -> tuple[list[tuple[str, bytes]], list[Unusable]]:
        received_at = instant(self._now())
        good: list[tuple[str, bytes]] = []
        unusable = list(reading.unusable)
        for fix, place in zip(reading.fixes, reading.places, strict=True):
            if not covers(credential, fix.device_id):
                unusable.append(Unusable(place, raw_at(reading, place), NotCovered(fix.device_id), fix.device_id))
                continue
            try:
                good.append((fix.device_id, stamped(fix, received_at)))
            except ValueError as error:
                why = Invalid(str(error), "$.fix_time")
                unusable.append(Unusable(place, raw_at(reading, place), why, fix.device_id))
        return good, sorted(unusable, key=lambda one: one.place)


def stamped(fix: Fix, received_at: Instant) -> bytes:
    """The JSON of `fix`, its time in UTC with milliseconds, received at `received_at`.

    Raises:
        ValueError: its time is outside the calendar in UTC.
    """
    return encode(msgspec.structs.replace(fix, fix_time=instant(fix.fix_time), received_at=received_at))
