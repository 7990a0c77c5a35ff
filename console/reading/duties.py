"""Which fences are there, and what do they ask of a person today?"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from console.reading import features, one
from console.reading.shelf import Shelf
from pipeline.readmodel.answers import Day, DueCheckin, Duty, Person
from pipeline.readmodel.checkins import due
from pipeline.readmodel.layout import index, of_subject
from schemas.checkin import CheckinCall
from schemas.plan import CheckinPlan
from schemas.reference import Fence, Subject
from schemas.times import Instant

LONGEST_CALL = timedelta(days=1)
"""A check-in that opened longer ago is not of today."""
AHEAD = timedelta(days=7)
"""So far ahead the person is told which check-ins come."""


async def fences(shelf: Shelf, agency: str | None) -> list[Fence]:
    """Fences as they are now, by id."""
    names = await shelf.members([index("fences", name) for name in await shelf.agencies(agency)])
    found = await shelf.documents("fences", sorted(names), Fence)
    return list(found.values())


async def day(shelf: Shelf, subject: Subject, known: Person, now: Instant) -> Day:
    """The duties of a person, those that hold now first."""
    binding = await one.fences_on(shelf, subject.subject_id, subject.agency)
    told = [
        Duty(
            fence_id=fence.properties.fence_id,
            name=fence.properties.name,
            rule=fence.properties.rule,
            now=features.duty_now(fence.properties, now),
            changes_at=features.changes_at(fence.properties, now),
            feature=features.feature(fence, now),
        )
        for fence in binding
    ]
    return Day(
        now=now,
        person=known,
        duties=tuple(sorted(told, key=lambda duty: (not duty.now, duty.fence_id))),
        leaves=tuple(leave for leave in await one.leaves_of(shelf, subject.subject_id) if leave.ends_at > now),
        checkins=await _checkins(shelf, subject, now),
        state=known.state,
    )


async def _checkins(shelf: Shelf, subject: Subject, now: datetime) -> tuple[DueCheckin, ...]:
    """The check-ins of the person's day, and what comes next."""
    name = subject.subject_id
    today = datetime.combine(now.astimezone(ZoneInfo(subject.time_zone)).date(), time(), ZoneInfo(subject.time_zone))
    ids = await shelf.between(of_subject("calls", name), (today - LONGEST_CALL).timestamp(), "+inf")
    calls = tuple((await shelf.documents("calls", ids, CheckinCall)).values())
    return due(calls, await shelf.document("plans", name, CheckinPlan), today, now, now + AHEAD)
