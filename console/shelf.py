"""Which fences are there, and which were there before? The topic `fences`, read to its end and followed."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from gateway.following import TopicFollower
from schemas.message import Invalid, decode
from schemas.reference import Fence
from schemas.times import Instant, from_epoch
from schemas.topics import FENCES


class Edition(NamedTuple):
    """What was said of a fence, and when; `fence` None: it was withdrawn."""

    said_at: Instant
    fence: Fence | None


class Shelf(TopicFollower):
    """All editions of all fences that the topic still holds, the latest last."""

    def __init__(self, broker: str) -> None:
        super().__init__(broker, FENCES.name, self._hear)
        self._by_id: dict[str, list[Edition]] = {}
        self.writing = asyncio.Lock()
        """Held while the next version of a fence is chosen and written."""

    def latest(self, fence_id: str) -> Fence | None:
        """The fence in force; None: unknown or withdrawn."""
        editions = self._by_id.get(fence_id)
        return editions[-1].fence if editions else None

    def editions(self, fence_id: str) -> list[Edition]:
        """All that was said of a fence, oldest first."""
        return list(self._by_id.get(fence_id, ()))

    def version(self, fence_id: str, version: int) -> Fence | None:
        """That version of a fence, as far as it is kept."""
        for edition in reversed(self._by_id.get(fence_id, ())):
            if edition.fence is not None and edition.fence.properties.version == version:
                return edition.fence
        return None

    def highest(self, fence_id: str) -> int:
        """The highest version ever said; 0: none."""
        return max((one.fence.properties.version for one in self._by_id.get(fence_id, ()) if one.fence), default=0)

    def learn(self, fence_id: str, fence: Fence | None, at: datetime) -> None:
        """Take in what was said; the same again is nothing new."""
        editions = self._by_id.setdefault(fence_id, [])
        if not editions and fence is None:
            del self._by_id[fence_id]
        elif not editions or editions[-1].fence != fence:
            editions.append(Edition(from_epoch(at.timestamp()), fence))

    def _hear(self, record: Any) -> None:
        with suppress(Invalid):  # the worker says on fences.rejected what is wrong with it
            fence_id = (record.key or b"").decode("utf-8", "replace")
            fence = decode(record.value, Fence) if record.value else None
            self.learn(fence_id, fence, from_epoch(record.timestamp / 1000))
