"""Alerts: the queue, and what a person on duty does with it."""

from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter

from console.callers import DESK, Call, let_in, services_of_call
from console.commanding import Judged, give
from console.problems import invalid
from console.readings import enter
from pipeline.readmodel.answers import AlertList, AlertView
from schemas.alert import Outcome
from schemas.message import Id

MOST = 500
Side = Annotated[Literal["open", "closed"], Parameter(query="state", description="what is in hand, or what is over")]
Limit = Annotated[int, Parameter(ge=1, le=2000, description="how many at most")]
NoteText = Annotated[str, msgspec.Meta(max_length=2000)]


class Note(msgspec.Struct, frozen=True):
    """A word on it, for the record."""

    note: NoteText = ""


class HandOver(msgspec.Struct, frozen=True):
    """To whom an alert goes."""

    to: Id
    note: NoteText = ""


class Resolution(msgspec.Struct, frozen=True):
    """What it was."""

    outcome: Outcome
    note: NoteText = ""


@get("/api/v1/alerts", summary="The queue", tags=["alerts"])
async def alerts(request: Call, side: Side = "open", limit: Limit = MOST) -> AlertList:
    """Open: worst, then oldest first. Closed: the latest first."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    await enter(services, caller, "alerts", state=side)
    return await services.reader.alerts(caller.scope, side, limit)


@get("/api/v1/alerts/{alert_id:str}", summary="One alert", tags=["alerts"])
async def alert(request: Call, alert_id: str) -> AlertView:
    """As it stands now."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.alert(caller.scope, alert_id)
    await enter(services, caller, "alert", found.subject_id, alert_id=alert_id)
    return found


async def _order(request: Call, alert_id: str, kind: str, **fields: object) -> Response[Judged]:
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.alert(caller.scope, alert_id)
    return await give(request, caller, kind, found.subject_id, {"alert_id": alert_id, **fields}, about=alert_id)


@post("/api/v1/alerts/{alert_id:str}/take", status_code=200, summary="I am on it", tags=["alerts"])
async def take(request: Call, alert_id: str, data: Note) -> Response[Judged]:
    """Acknowledge: escalation stops."""
    return await _order(request, alert_id, "alert.acknowledge", reason=data.note)


@post("/api/v1/alerts/{alert_id:str}/escalate", status_code=200, summary="Up the chain now", tags=["alerts"])
async def escalate(request: Call, alert_id: str, data: Note) -> Response[Judged]:
    """Tell those of the next step without waiting."""
    return await _order(request, alert_id, "alert.escalate", reason=data.note)


@post("/api/v1/alerts/{alert_id:str}/hand-over", status_code=200, summary="Someone else has it", tags=["alerts"])
async def hand_over(request: Call, alert_id: str, data: HandOver) -> Response[Judged]:
    """Of an alert that was taken: `to` has it from now on, and is told."""
    return await _order(request, alert_id, "alert.hand_over", to=data.to, reason=data.note)


@post("/api/v1/alerts/{alert_id:str}/resolve", status_code=200, summary="Settled", tags=["alerts"])
async def resolve(request: Call, alert_id: str, data: Resolution) -> Response[Judged]:
    """And what it was: the outcomes make up each rule's precision."""
    if data.outcome == "other" and not data.note.strip():
        raise invalid("say in the note what it was", "$.note")
    return await _order(request, alert_id, "alert.resolve", outcome=data.outcome, reason=data.note)


ROUTES = [alerts, alert, take, escalate, hand_over, resolve]
