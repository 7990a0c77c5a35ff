"""Who is there, how do they stand, and where are they?"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from console.reading import scope
from console.reading.shelf import Shelf, answering
from pipeline.readmodel import layout
from pipeline.readmodel.answers import Person
from pipeline.readmodel.layout import JOINT, index, of_subject
from pipeline.readmodel.positions import Position, unpack
from pipeline.readmodel.standing import PositionRow, Troubles, person_of, position_row, troubles
from schemas.reference import Activation, Subject
from schemas.score import Score

NO_CHAR = "\uffff"
MANY = 200
"""For more people than this one long list is read faster than a short one each."""


async def everyone(shelf: Shelf, agency: str | None, now: datetime) -> list[Person]:
    """All people of `agency`, and those about whom it has tasks in hand."""
    agencies = await shelf.agencies(agency)
    names = await shelf.members([index("people", one) for one in agencies])
    if agency is not None:
        names = list(dict.fromkeys([*names, *sorted(await scope.handed(shelf, agency))]))
    return await persons(shelf, names, now)


async def persons(shelf: Shelf, names: Iterable[str], now: datetime) -> list[Person]:
    """Those of `names` that there are."""
    subjects = await shelf.documents("subjects", names, Subject)
    scores = await shelf.documents("scores", subjects, Score)
    activations = await _activations(shelf, subjects)
    open_ = await _troubles(shelf, sorted({one.agency for one in subjects.values()}))
    return [
        person_of(subject, scores.get(name), activations.get(name, []), open_, now)
        for name, subject in subjects.items()
    ]


async def _activations(shelf: Shelf, names: Collection[str]) -> dict[str, list[Activation]]:
    if len(names) > MANY:
        members = await shelf.members([index("activations", agency) for agency in await shelf.agencies(None)])
        ids = [name for subject_id, _, name in (one.partition(JOINT) for one in members) if subject_id in names]
    else:
        ids = await shelf.members([of_subject("activations", name) for name in names])
    found: defaultdict[str, list[Activation]] = defaultdict(list)
    for one in (await shelf.documents("activations", ids, Activation)).values():
        found[one.subject_id].append(one)
    return found


async def _troubles(shelf: Shelf, agencies: list[str]) -> Troubles:
    names = ("alerts-open-of", "breaches-open", "silent")
    return troubles(*[await shelf.members([index(name, agency) for agency in agencies]) for name in names])


async def found(shelf: Shelf, agency: str | None, code: str, limit: int, now: datetime) -> list[Person]:
    """Those whose subject_id or case begins with `code`, in any case of letters."""
    code = code.strip().casefold()
    if not code:
        return []
    names: dict[str, None] = {}
    for one in await shelf.agencies(agency):
        async with answering():
            members = await shelf.redis.zrange(
                layout.index_key(index("codes", one)), f"[{code}", f"[{code}{NO_CHAR}", bylex=True, offset=0, num=limit
            )
        names |= dict.fromkeys(member.decode().rpartition(JOINT)[2] for member in members)
    if agency is not None:
        handed = await shelf.documents("subjects", sorted(await scope.handed(shelf, agency)), Subject)
        names |= {
            name: None
            for name, subject in handed.items()
            if name.casefold().startswith(code) or subject.case_ref.casefold().startswith(code)
        }
    return await persons(shelf, list(names)[:limit], now)


async def places(shelf: Shelf, device_ids: Iterable[str]) -> dict[str, Position]:
    """Where devices are, those that were ever heard."""
    names = list(dict.fromkeys(device_ids))
    if not names:
        return {}
    async with answering():
        rows = await shelf.redis.hmget(layout.POSITIONS, names)
    return {name: unpack(raw) for name, raw in zip(names, rows, strict=True) if raw is not None}


async def position_rows(shelf: Shelf, people: Iterable[Person]) -> list[PositionRow]:
    """Where `people` are: the devices that they wear now, as far as they were heard since they wear them."""
    people = list(people)
    known = await places(shelf, [device_id for one in people for device_id in one.device_ids])
    return [
        row_of(one, device_id, known[device_id])
        for one in people
        for device_id in one.device_ids
        if device_id in known and is_theirs(one, known[device_id])
    ]


def is_theirs(person: Person, position: Position) -> bool:
    """Whether the device was on this person then: where it was before is another's matter."""
    return person.starts_at is None or position.t_ms >= person.starts_at.timestamp() * 1000


def row_of(person: Person, device_id: str, at: Position) -> PositionRow:
    """The row of a device."""
    return position_row(person, device_id, at.t_ms, at.lat, at.lon, at.accuracy_m, at.verdict)
