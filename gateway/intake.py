"""What becomes of a reading? Good fixes go to the broker, the rest to the rejected topic, and both are counted.

The one way in for HTTP and MQTT: checked against the token, stamped with the time of receipt, framed, acknowledged.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from msgspec.structs import force_setattr

from gateway.bodies import Reading, Unusable, raw_at
from gateway.metrics import Metrics, Name
from gateway.publisher import Publisher
from gateway.rejections import Rejections
from gateway.tokens import NotCovered
from schemas.credential import ANY_DEVICE, Credential
from schemas.fix import Fix
from schemas.message import Invalid
from schemas.times import instant

_ENCODER = msgspec.json.Encoder()

NAMED = 5
"""How many devices a log line names."""


class Receipt(NamedTuple):
    """What the broker has: so many fixes on `fixes`, and these on `fixes.rejected`. `device_ids`: the first few."""

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
        return Receipt(len(good), unusable, list(dict.fromkeys(device_id for device_id, _ in good[:NAMED])))

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
        received = msgspec.Raw(_quoted(self._now()))
        covered = frozenset(credential.device_ids)
        every = ANY_DEVICE in covered
        good: list[tuple[str, bytes]] = []
        unusable = list(reading.unusable)
        for fix, place in zip(reading.fixes, reading.places, strict=True):
            if not every and fix.device_id not in covered:
                unusable.append(Unusable(place, raw_at(reading, place), NotCovered(fix.device_id), fix.device_id))
                continue
            try:
                good.append((fix.device_id, stamped(fix, received)))
            except ValueError as error:
                why = Invalid(str(error), "$.fix_time")
                unusable.append(Unusable(place, raw_at(reading, place), why, fix.device_id))
        unusable.sort(key=lambda one: one.place)
        return good, unusable


def stamped(fix: Fix, received: msgspec.Raw) -> bytes:
    """The JSON of `fix`, its time in UTC with milliseconds, `received_at` as in `received`; uses up `fix`.

    The times go in as ready JSON: msgspec writes plain datetimes with microseconds, and the way through `Instant` and
    the encoder's hook costs twice the rest of the work on a fix.

    Raises:
        ValueError: its time is outside the calendar in UTC.
    """
    at = fix.fix_time if fix.fix_time.tzinfo is UTC else instant(fix.fix_time)
    force_setattr(fix, "fix_time", msgspec.Raw(_quoted(at)))
    force_setattr(fix, "received_at", received)
    return _ENCODER.encode(fix)


def _quoted(at: datetime) -> bytes:
    return f'"{at.isoformat(timespec="milliseconds")[:23]}Z"'.encode()
