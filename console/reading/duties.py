"""Which fences are there, and what do they ask of a person today?"""

from console.reading import features, one
from console.reading.shelf import Shelf
from pipeline.readmodel.answers import Day, Duty, Person
from pipeline.readmodel.layout import index
from schemas.reference import Fence, Subject
from schemas.times import Instant


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
        checkins=(),
        state=known.state,
    )
