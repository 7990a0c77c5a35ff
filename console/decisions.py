"""What people decide about one person: entries of the ledger, identity, leaves."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter

from console.alerts import Note, NoteText
from console.callers import DESK, OFFICERS, Call, Caller, let_in, services_of_call
from console.commanding import Judged, give
from console.readings import enter
from console.tasks import Aware, Because
from schemas.command import Reason
from schemas.message import Id, Message
from schemas.reference import Leave


class Appeal(msgspec.Struct, frozen=True):
    """What becomes of a contested deduction, and why."""

    decision: Literal["uphold", "reverse"]
    reason: Reason


class Verdict(msgspec.Struct, frozen=True):
    """Who it was, after the video check."""

    verdict: Literal["same_person", "different_person", "undetermined"]
    note: NoteText = ""


class LeaveWish(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when, why, and where; `region`: a GeoJSON geometry, WGS 84; `fences`: absent for all."""

    starts_at: Aware
    ends_at: Aware
    reason: Reason
    fences: list[Id] | None = None
    region: dict[str, Any] | None = None


class LeaveDecision(msgspec.Struct, frozen=True):
    """Whether a leave is granted."""

    decision: Literal["approve", "refuse"]
    note: NoteText = ""


class Leaves(Message, frozen=True, kw_only=True, omit_defaults=False):
    """Leaves."""

    leaves: list[Leave]


async def about(request: Call, caller: Caller, subject_id: str, kind: str, **fields: Any) -> Response[Judged]:
    """Give a command about a person whom we know.

    Raises:
        Refused, Unknown: as `give`; no such person.
    """
    await services_of_call(request).reader.subject_agency(subject_id)
    return await give(request, caller, kind, subject_id, fields)


_ENTRY = "/api/v1/subjects/{subject_id:str}/entries/{entry_id:str}"


@post(f"{_ENTRY}/confirm", status_code=200, summary="A provisional deduction holds", tags=["score"])
async def confirm(request: Call, subject_id: str, entry_id: str, data: Note) -> Response[Judged]:
    """A human has looked."""
    caller = await let_in(request, DESK)
    return await about(request, caller, subject_id, "score.confirm", entry_id=entry_id, reason=data.note)


@post(f"{_ENTRY}/reverse", status_code=200, summary="A deduction was wrong", tags=["score"])
async def reverse(request: Call, subject_id: str, entry_id: str, data: Because) -> Response[Judged]:
    """And why."""
    caller = await let_in(request, DESK)
    return await about(request, caller, subject_id, "score.reverse", entry_id=entry_id, reason=data.reason)


@post(f"{_ENTRY}/contest", status_code=200, summary="Contest a deduction for the person", tags=["score"])
async def contest(request: Call, subject_id: str, entry_id: str, data: Because) -> Response[Judged]:
    """As they asked for."""
    caller = await let_in(request, DESK)
    return await about(request, caller, subject_id, "score.contest", entry_id=entry_id, reason=data.reason)


@post(f"{_ENTRY}/decide", status_code=200, summary="Decide over a contested deduction", tags=["score"])
async def decide(request: Call, subject_id: str, entry_id: str, data: Appeal) -> Response[Judged]:
    """Uphold or reverse it."""
    caller = await let_in(request, DESK)
    fields = {"entry_id": entry_id, "decision": data.decision, "reason": data.reason}
    return await about(request, caller, subject_id, "score.decide", **fields)


@post(
    "/api/v1/subjects/{subject_id:str}/identity/{incident_id:str}/settle",
    status_code=200,
    summary="Who it was",
    tags=["people"],
)
async def settle(request: Call, subject_id: str, incident_id: str, data: Verdict) -> Response[Judged]:
    """After the video check."""
    caller = await let_in(request, DESK)
    fields = {"incident_id": incident_id, "verdict": data.verdict, "reason": data.note}
    return await about(request, caller, subject_id, "identity.settle", **fields)


@get("/api/v1/leaves", summary="Leaves", tags=["leaves"])
async def leaves(request: Call, wanted: Annotated[Literal["asked"], Parameter(query="state")] = "asked") -> Leaves:
    """Those of my agency's people that wait for a decision; a person's others stand on the card."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    await enter(services, caller, "leaves", state=wanted)
    return Leaves(leaves=await services.reader.leaves(caller.scope))


@post("/api/v1/subjects/{subject_id:str}/leaves", status_code=200, summary="Ask for leave for them", tags=["leaves"])
async def ask_leave(request: Call, subject_id: str, data: LeaveWish) -> Response[Judged]:
    """The effect is the leave's id."""
    caller = await let_in(request, OFFICERS)
    return await about(request, caller, subject_id, "leave.ask", **leave_fields(data))


def leave_fields(wish: LeaveWish) -> dict[str, Any]:
    """`wish` as the command has it."""
    return {name: getattr(wish, name) for name in LeaveWish.__struct_fields__}


@post("/api/v1/leaves/{leave_id:str}/decide", status_code=200, summary="Grant or refuse", tags=["leaves"])
async def decide_leave(request: Call, leave_id: str, data: LeaveDecision) -> Response[Judged]:
    """A leave that was asked for."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.leave(caller.scope, leave_id)
    fields = {"leave_id": leave_id, "decision": data.decision, "reason": data.note}
    return await give(request, caller, "leave.decide", found.subject_id, fields)


@post("/api/v1/leaves/{leave_id:str}/withdraw", status_code=200, summary="Take it back", tags=["leaves"])
async def withdraw_leave(request: Call, leave_id: str, data: Note) -> Response[Judged]:
    """One that was asked for or granted."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.leave(caller.scope, leave_id)
    return await give(request, caller, "leave.withdraw", found.subject_id, {"leave_id": leave_id, "reason": data.note})


ROUTES = [confirm, reverse, contest, decide, settle, leaves, ask_leave, decide_leave, withdraw_leave]
