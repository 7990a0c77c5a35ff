"""Tasks: what agencies ask of each other, and what becomes of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post

from console.alerts import MOST, Limit, NoteText, Side
from console.callers import DESK, Call, let_in, services_of_call
from console.commanding import Judged, give
from console.readings import enter
from pipeline.readmodel.answers import TaskList, TaskView
from schemas.command import Reason
from schemas.message import Id
from schemas.reference import Severity

ToRole = Literal["officer", "supervisor", "agency"]
Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """Work asked of an agency."""

    subject_id: Id
    task_kind: Id
    to_agency: Id
    to_role: ToRole = "officer"
    title: Annotated[str, msgspec.Meta(max_length=500)] = ""
    severity: Severity = "medium"
    due_at: Aware | None = None
    alert_id: str = ""
    incident_id: str = ""
    entry_id: str = ""
    note: NoteText = ""


class Finished(msgspec.Struct, frozen=True):
    """What came of it."""

    outcome: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    note: NoteText = ""


class Because(msgspec.Struct, frozen=True):
    """Why."""

    reason: Reason


class TaskHandOver(msgspec.Struct, frozen=True, kw_only=True):
    """Whose it is from now on, and why."""

    to_agency: Id
    to_role: ToRole = "officer"
    due_at: Aware | None = None
    reason: Reason


@get("/api/v1/tasks", summary="Work", tags=["tasks"])
async def tasks(request: Call, side: Side = "open", limit: Limit = MOST) -> TaskList:
    """Open: overdue first, then by due time."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    await enter(services, caller, "tasks", state=side)
    return await services.reader.tasks(caller.scope, side, limit)


@get("/api/v1/tasks/{task_id:str}", summary="One task", tags=["tasks"])
async def task(request: Call, task_id: str) -> TaskView:
    """As it stands now."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.task(caller.scope, task_id)
    await enter(services, caller, "task", found.subject_id, task_id=task_id)
    return found


@post("/api/v1/tasks", status_code=200, summary="Ask an agency for something", tags=["tasks"])
async def create(request: Call, data: NewTask) -> Response[Judged]:
    """The effect is the new task's id."""
    caller, services = await let_in(request, DESK), services_of_call(request)
    if await services.reader.subject_agency(data.subject_id) != caller.agency:
        await services.reader.card(caller.scope, data.subject_id)  # another's person: only with a task about them
    fields = {name: getattr(data, name) for name in NewTask.__struct_fields__ if name not in ("note", "subject_id")}
    return await give(request, caller, "task.create", data.subject_id, {**fields, "reason": data.note})


async def _order(request: Call, task_id: str, kind: str, **fields: Any) -> Response[Judged]:
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.task(caller.scope, task_id)
    return await give(request, caller, kind, found.subject_id, {"task_id": task_id, **fields}, about=task_id)


@post("/api/v1/tasks/{task_id:str}/receive", status_code=200, summary="It has come in", tags=["tasks"])
async def receive(request: Call, task_id: str) -> Response[Judged]:
    """The receipt."""
    return await _order(request, task_id, "task.receive")


@post("/api/v1/tasks/{task_id:str}/accept", status_code=200, summary="I do it", tags=["tasks"])
async def accept(request: Call, task_id: str) -> Response[Judged]:
    """From now on it is the caller's."""
    return await _order(request, task_id, "task.accept")


@post("/api/v1/tasks/{task_id:str}/done", status_code=200, summary="Done", tags=["tasks"])
async def done(request: Call, task_id: str, data: Finished) -> Response[Judged]:
    """With what came of it."""
    return await _order(request, task_id, "task.done", outcome=data.outcome, reason=data.note)


@post("/api/v1/tasks/{task_id:str}/decline", status_code=200, summary="Not ours, or not possible", tags=["tasks"])
async def decline(request: Call, task_id: str, data: Because) -> Response[Judged]:
    """And why."""
    return await _order(request, task_id, "task.decline", reason=data.reason)


@post("/api/v1/tasks/{task_id:str}/cancel", status_code=200, summary="No longer needed", tags=["tasks"])
async def cancel(request: Call, task_id: str, data: Because) -> Response[Judged]:
    """And why."""
    return await _order(request, task_id, "task.cancel", reason=data.reason)


@post("/api/v1/tasks/{task_id:str}/hand-over", status_code=200, summary="Another agency's", tags=["tasks"])
async def hand_over(request: Call, task_id: str, data: TaskHandOver) -> Response[Judged]:
    """It starts anew there."""
    return await _order(
        request,
        task_id,
        "task.hand_over",
        to_agency=data.to_agency,
        to_role=data.to_role,
        due_at=data.due_at,
        reason=data.reason,
    )


ROUTES = [tasks, task, create, receive, accept, done, decline, cancel, hand_over]
