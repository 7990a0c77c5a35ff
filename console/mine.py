"""The person's own: duties of the day, score and why, messages, leave, rights. Only what is about whoever asks."""

from typing import Annotated

import msgspec
from litestar import Response, get, post

from console.alerts import Note
from console.callers import PERSON, Call, let_in, services_of_call
from console.commanding import Judged, give
from console.decisions import Leaves, LeaveWish, leave_fields
from console.problems import unknown
from console.readings import enter
from console.tasks import Because
from pipeline.readmodel.answers import Day, Ledger, Messages
from schemas.message import Message, Moment

RIGHTS_VERSION = "2026-11"
"""Of the text of rights and duties that the pages show; a new text is to be read anew."""


class Rights(Message, frozen=True, kw_only=True):
    """Which text of rights and duties holds, and when the person confirmed that they read it."""

    version: str
    read_at: Moment | None = None


class Read(msgspec.Struct, frozen=True):
    """Which text was read."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


@get("/api/v1/my/day", summary="Today", tags=["my"])
async def day(request: Call) -> Day:
    """Duties, leaves and check-ins."""
    caller, services = await let_in(request, PERSON), services_of_call(request)
    await enter(services, caller, "my.day", caller.principal)
    return await services.reader.day(caller.principal)


@get("/api/v1/my/score", summary="My score and why", tags=["my"])
async def score(request: Call) -> Ledger:
    """The effects add up from 100 to the score."""
    caller, services = await let_in(request, PERSON), services_of_call(request)
    await enter(services, caller, "my.score", caller.principal)
    return await services.reader.ledger(None, caller.principal)


@get("/api/v1/my/messages", summary="What I was told", tags=["my"])
async def messages(request: Call) -> Messages:
    """The latest first."""
    caller, services = await let_in(request, PERSON), services_of_call(request)
    await enter(services, caller, "my.messages", caller.principal)
    return await services.reader.my_messages(caller.principal)


@post("/api/v1/my/entries/{entry_id:str}/contest", status_code=200, summary="Contest a deduction", tags=["my"])
async def contest(request: Call, entry_id: str, data: Because) -> Response[Judged]:
    """An officer decides, and says why."""
    caller = await let_in(request, PERSON)
    fields = {"entry_id": entry_id, "reason": data.reason}
    return await give(request, caller, "score.contest", caller.principal, fields)


@get("/api/v1/my/leaves", summary="My leaves", tags=["my"])
async def leaves(request: Call) -> Leaves:
    """Asked for, granted, refused."""
    caller, services = await let_in(request, PERSON), services_of_call(request)
    await enter(services, caller, "my.leaves", caller.principal)
    return Leaves(leaves=await services.reader.my_leaves(caller.principal))


@post("/api/v1/my/leaves", status_code=200, summary="Ask for leave", tags=["my"])
async def ask_leave(request: Call, data: LeaveWish) -> Response[Judged]:
    """The effect is the leave's id."""
    caller = await let_in(request, PERSON)
    return await give(request, caller, "leave.ask", caller.principal, leave_fields(data))


@post("/api/v1/my/leaves/{leave_id:str}/withdraw", status_code=200, summary="I no longer need it", tags=["my"])
async def withdraw_leave(request: Call, leave_id: str, data: Note) -> Response[Judged]:
    """A leave asked for or granted."""
    caller, services = await let_in(request, PERSON), services_of_call(request)
    if all(one.leave_id != leave_id for one in await services.reader.my_leaves(caller.principal)):
        raise unknown("leave", leave_id)
    fields = {"leave_id": leave_id, "reason": data.note}
    return await give(request, caller, "leave.withdraw", caller.principal, fields)


@get("/api/v1/my/rights", summary="My rights and duties", tags=["my"])
async def rights(request: Call) -> Rights:
    """Which text holds; `read_at` is there when this text was confirmed."""
    caller, services = await let_in(request, PERSON), services_of_call(request)
    return Rights(version=RIGHTS_VERSION, read_at=await services.reader.read_rights(caller.principal, RIGHTS_VERSION))


@post("/api/v1/my/rights/read", status_code=200, summary="I have read them", tags=["my"])
async def read_rights(request: Call, data: Read) -> Response[Judged]:
    """Confirms that the person read the text of that version."""
    caller = await let_in(request, PERSON)
    return await give(request, caller, "rights.confirm", caller.principal, {"version": data.version})


ROUTES = [day, score, messages, contest, leaves, ask_leave, withdraw_leave, rights, read_rights]
