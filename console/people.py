"""The people: who they are on the map and in the search, and one person's card, timeline, score and track."""

from datetime import timedelta
from typing import Annotated

from litestar import get
from litestar.params import Parameter

from console.callers import DESK, Call, let_in, services_of_call
from console.problems import invalid
from console.readings import enter
from pipeline.readmodel.answers import Card, Ledger, People, Person, Positions, Timeline, Track
from schemas.message import Message
from schemas.times import Instant, instant, parse

LONGEST_TRACK = timedelta(days=31)
Some = Annotated[int, Parameter(ge=1, le=200, description="how many at most")]
Many = Annotated[int, Parameter(ge=1, le=2000, description="how many at most")]


class Found(Message, frozen=True, kw_only=True, omit_defaults=False):
    """People by the beginning of a name."""

    subjects: list[Person]


@get("/api/v1/people", summary="Everyone of my agency", tags=["people"])
async def people(request: Call) -> People:
    """For the map's join and the search."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    await enter(services, caller, "people")
    return await services.reader.people(caller.scope)


@get("/api/v1/subjects", summary="Find somebody", tags=["people"])
async def find(request: Call, code: str = "", limit: Some = 50) -> Found:
    """By the beginning of `subject_id` or `case_ref`."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    await enter(services, caller, "search", code=code[:64])
    return Found(subjects=await services.reader.find(caller.scope, code[:64], limit))


@get("/api/v1/positions", summary="Where everyone was last", tags=["people"])
async def positions(request: Call) -> Positions:
    """In columns."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    await enter(services, caller, "positions")
    return await services.reader.positions(caller.scope)


@get("/api/v1/subjects/{subject_id:str}", summary="A person's card", tags=["people"])
async def card(request: Call, subject_id: str) -> Card:
    """All that stands now."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.card(caller.scope, subject_id)
    await enter(services, caller, "card", subject_id)
    return found


@get("/api/v1/subjects/{subject_id:str}/timeline", summary="What happened", tags=["people"])
async def timeline(request: Call, subject_id: str, limit: Many = 200) -> Timeline:
    """The latest first."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.timeline(caller.scope, subject_id, limit)
    await enter(services, caller, "timeline", subject_id)
    return found


@get("/api/v1/subjects/{subject_id:str}/score", summary="Where every point went", tags=["people"])
async def score(request: Call, subject_id: str) -> Ledger:
    """The effects add up from 100 to the score."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.ledger(caller.scope, subject_id)
    await enter(services, caller, "score", subject_id)
    return found


@get("/api/v1/subjects/{subject_id:str}/track", summary="Where they were", tags=["people"])
async def track(
    request: Call,
    subject_id: str,
    since: Annotated[str, Parameter(query="from", description="RFC 3339; default: a day before `to`")] = "",
    until: Annotated[str, Parameter(query="to", description="RFC 3339; default: now")] = "",
) -> Track:
    """Positions, fences and incidents of a time; at most 31 days."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    end = moment(until, "to") or instant(services.now())
    start = moment(since, "from") or instant(end - timedelta(days=1))
    if not start < end:
        raise invalid("`from` must lie before `to`", "from")
    if end - start > LONGEST_TRACK:
        raise invalid(f"at most {LONGEST_TRACK.days} days", "from")
    found = await services.reader.track(caller.scope, subject_id, start, end)
    await enter(services, caller, "track", subject_id, **{"from": str(start), "to": str(end)})
    return found


def moment(text: str, field: str) -> Instant | None:
    """The time in a query; None when there is none.

    Raises:
        Refused: 400, it is no time.
    """
    if not text:
        return None
    try:
        return parse(text.replace(" ", "+"))
    except ValueError as error:
        raise invalid(f"{text[:64]!r} is no time: {error}", field, "RFC 3339, as 2026-11-23T09:30:00Z") from error


ROUTES = [people, find, positions, card, timeline, score, track]
