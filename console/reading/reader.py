"""What can be asked of the read model? One method a question of docs/api.md.

`agency`: whose eyes it is for, None for all. Every method may raise `Away` and `Starting`; those that name something
`Unknown` and `OtherAgency`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

from console.reading import cases, changes, duties, features, one, people, scope
from console.reading.cases import State
from console.reading.changes import Change, Eyes
from console.reading.overview import overview
from console.reading.refusals import Away, Starting, Unknown
from console.reading.shelf import Shelf, answering
from console.reading.wearers import Roll
from pipeline.readmodel.answers import (
    AlertList,
    AlertView,
    Card,
    Day,
    FenceVersions,
    FenceVersionView,
    Ledger,
    Messages,
    Overview,
    People,
    Person,
    Positions,
    TaskList,
    TaskView,
    Timeline,
    Track,
)
from pipeline.readmodel.layout import LEAVES_ASKED, index, index_key, versions
from pipeline.readmodel.people import FenceVersion
from schemas.command import CommandResult
from schemas.incident import Incident
from schemas.reference import Fence, Leave, Subject
from schemas.times import Instant, from_epoch, instant

RESULT_POLL_S = 0.05


class Reader:
    """Asks the read model in the Redis at `url`."""

    def __init__(self, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.shelf = Shelf(url)
        self._clock = clock
        self._rolls: dict[str | None, Roll] = {}

    async def close(self) -> None:
        """Let go of connections."""
        await self.shelf.close()

    async def _now(self) -> Instant:
        """The time, once it is sure that the model is full."""
        await self.shelf.check()
        return instant(self._clock())

    async def alerts(self, agency: str | None, state: State = "open", limit: int = 500) -> AlertList:
        """Alerts, open or closed."""
        now = await self._now()
        found, total = await cases.alerts(self.shelf, agency, state, limit)
        return AlertList(alerts=found, total=total, now=now)

    async def alert(self, agency: str | None, alert_id: str) -> AlertView:
        """One alert."""
        await self._now()
        return await cases.alert(self.shelf, agency, alert_id)

    async def tasks(self, agency: str | None, state: State = "open", limit: int = 500) -> TaskList:
        """Tasks, open or closed."""
        now = await self._now()
        found, total = await cases.tasks(self.shelf, agency, state, limit)
        return TaskList(tasks=found, total=total, now=now)

    async def task(self, agency: str | None, task_id: str) -> TaskView:
        """One task."""
        await self._now()
        return await cases.task(self.shelf, agency, task_id)

    async def people(self, agency: str | None) -> People:
        """Everyone of the agency."""
        now = await self._now()
        return People(people=tuple(await people.everyone(self.shelf, agency, now)), now=now)

    async def find(self, agency: str | None, code: str, limit: int = 50) -> list[Person]:
        """People by the beginning of subject_id or case_ref."""
        now = await self._now()
        return await people.found(self.shelf, agency, code, limit, now)

    async def positions(self, agency: str | None) -> Positions:
        """Where everyone of the agency is."""
        now = await self._now()
        rows = await people.position_rows(self.shelf, await people.everyone(self.shelf, agency, now))
        return Positions(rows=rows, now=now)

    async def condition(self) -> dict[str, Any]:
        """Whether it can be asked, for health pages."""
        try:
            await self.shelf.check()
        except (Away, Starting) as why:
            return {"ready": False, "why": "away" if isinstance(why, Away) else "starting"}
        return {"ready": True}

    async def card(self, agency: str | None, subject_id: str) -> Card:
        """A person's card."""
        return await one.card(self.shelf, agency, subject_id, await self._now())

    async def timeline(self, agency: str | None, subject_id: str, limit: int = 200) -> Timeline:
        """What happened to a person, the latest first."""
        await self._now()
        return Timeline(timeline=await one.timeline(self.shelf, agency, subject_id, limit))

    async def ledger(self, agency: str | None, subject_id: str) -> Ledger:
        """Where a person's points went."""
        await self._now()
        await scope.subject_of(self.shelf, agency, subject_id)
        return await one.ledger(self.shelf, subject_id)

    async def track(self, agency: str | None, subject_id: str, since: Instant, until: Instant) -> Track:
        """Where a person was."""
        await self._now()
        return await one.track(self.shelf, agency, subject_id, since, until)

    async def incident(
        self, agency: str | None, subject_id: str, incident_id: str
    ) -> tuple[Incident, Subject, Fence | None]:
        """An incident, whose it is, and the fence that it was judged by."""
        await self._now()
        return await one.incident(self.shelf, agency, subject_id, incident_id)

    async def leaves(self, agency: str | None) -> list[Leave]:
        """Leaves that wait for a decision, the first to begin first."""
        await self._now()
        found = await self.shelf.documents("leaves", await self.shelf.members([LEAVES_ASKED]), Leave)
        subjects = await self.shelf.documents("subjects", [leave.subject_id for leave in found.values()], Subject)
        return [
            leave
            for leave in found.values()
            if agency is None or (leave.subject_id in subjects and subjects[leave.subject_id].agency == agency)
        ]

    async def leave(self, agency: str | None, leave_id: str) -> Leave:
        """One leave."""
        await self._now()
        found = await self.shelf.document("leaves", leave_id, Leave)
        if found is None:
            raise Unknown("leave", leave_id)
        await scope.subject_of(self.shelf, agency, found.subject_id)
        return found

    async def fences(self, agency: str | None) -> dict[str, Any]:
        """Fences as they are now, as GeoJSON in WGS 84."""
        now = await self._now()
        return features.collection(await duties.fences(self.shelf, agency), now)

    async def fence_versions(self, agency: str | None, fence_id: str) -> FenceVersions:
        """All versions of a fence, the latest first, as stored."""
        await self._now()
        known = await self.shelf.all_of(versions(fence_id), FenceVersion)
        if not known:
            raise Unknown("fence", fence_id)
        latest = max(known.values(), key=lambda version: version.version)
        scope.owned(agency, latest.feature.properties.agency)
        views = (
            FenceVersionView(version=v.version, said_at=v.said_at, feature=v.feature)
            for v in sorted(known.values(), key=lambda version: -version.version)
        )
        return FenceVersions(versions=tuple(views))

    async def overview(self, agency: str | None, days: int = 7) -> Overview:
        """How an agency does."""
        return await overview(self.shelf, agency, days, await self._now())

    async def result(self, command_id: str) -> CommandResult | None:
        """What became of a command; None: it is not judged yet."""
        return await self.shelf.document("results", command_id, CommandResult)

    async def await_result(self, command_id: str, timeout_s: float) -> CommandResult | None:
        """The same, waiting for it."""
        end = time.monotonic() + timeout_s
        while True:
            found = await self.result(command_id)
            if (found is not None and found.outcome != "waiting") or time.monotonic() >= end:
                return found
            await asyncio.sleep(RESULT_POLL_S)

    async def subject_agency(self, subject_id: str) -> str:
        """Whose a person is."""
        subject = await self.shelf.document("subjects", subject_id, Subject)
        if subject is None:
            raise Unknown("subject", subject_id)
        return subject.agency

    async def day(self, subject_id: str) -> Day:
        """What a person has to do now."""
        now = await self._now()
        subject = await scope.subject_of(self.shelf, None, subject_id)
        known = await one.person(self.shelf, subject, now)
        return await duties.day(self.shelf, subject, known, now)

    async def my_messages(self, subject_id: str) -> Messages:
        """What was said to a person."""
        await self._now()
        return Messages(messages=await one.own_messages(self.shelf, subject_id))

    async def my_leaves(self, subject_id: str) -> list[Leave]:
        """A person's leaves."""
        await self._now()
        return await one.leaves_of(self.shelf, subject_id)

    async def read_rights(self, subject_id: str, version: str) -> Instant | None:
        """When a person confirmed that they read that text of rights and duties; None: not yet."""
        await self._now()
        async with answering():
            at_s = await self.shelf.redis.zscore(index_key(index("rights", subject_id)), version)
        return None if at_s is None else from_epoch(float(at_s))

    def changes(
        self, agency: str | None, after: str | None = None, *, principal: str = "", subject_id: str = ""
    ) -> AsyncIterator[Change]:
        """Events for whoever follows, see `console.reading.changes`."""
        roll = self._rolls.setdefault(agency, Roll(self.shelf, agency, self._clock))
        return changes.follow(self.shelf, Eyes(agency, principal, subject_id), after, self._clock, roll)
