"""Which alerts and tasks are there, and how do they stand?"""

from collections.abc import Sequence
from typing import Literal

from console.reading import scope
from console.reading.refusals import Unknown
from console.reading.shelf import Shelf
from pipeline.readmodel.answers import AlertView, TaskView, task_view
from pipeline.readmodel.layout import index
from pipeline.readmodel.words import alert_view
from schemas.alert import Alert
from schemas.incident import Incident
from schemas.reference import Subject
from schemas.task import Task

State = Literal["open", "closed"]


async def alert_views(shelf: Shelf, alerts: Sequence[Alert]) -> tuple[AlertView, ...]:
    """`alerts` in words."""
    incidents = await shelf.documents(
        "incidents", [one.incident_ids[0] for one in alerts if one.incident_ids], Incident
    )
    subjects = await shelf.documents("subjects", [one.subject_id for one in alerts], Subject)
    return tuple(
        alert_view(one, incidents.get(one.incident_ids[0]) if one.incident_ids else None, subjects.get(one.subject_id))
        for one in alerts
    )


async def alerts(shelf: Shelf, agency: str | None, state: State, limit: int) -> tuple[tuple[AlertView, ...], int]:
    """Alerts of the agency, open ones the worst and oldest first, closed ones the latest first; and how many."""
    names = [index(f"alerts-{state}", one) for one in await shelf.agencies(agency)]
    ids = await shelf.members(names, limit, latest=state == "closed")
    found = await shelf.documents("alerts", ids, Alert)
    return await alert_views(shelf, list(found.values())), await shelf.size(names)


async def alert(shelf: Shelf, agency: str | None, alert_id: str) -> AlertView:
    """One alert.

    Raises:
        Unknown, OtherAgency: there is none, or for others.
    """
    found = await shelf.document("alerts", alert_id, Alert)
    if found is None:
        raise Unknown("alert", alert_id)
    if found.agency != agency:
        await _seen(shelf, agency, found.subject_id, found.agency)
    return (await alert_views(shelf, [found]))[0]


async def _seen(shelf: Shelf, agency: str | None, subject_id: str, *owners: str) -> None:
    """Nothing, if something about the person and of `owners` is for `agency`."""
    subject = await shelf.document("subjects", subject_id, Subject)
    if subject is None or not await scope.sees(shelf, agency, subject):
        scope.owned(agency, *owners)


async def tasks(shelf: Shelf, agency: str | None, state: State, limit: int) -> tuple[tuple[TaskView, ...], int]:
    """Tasks of the agency, open ones by due time, closed ones the latest first; and how many."""
    names = [index(f"tasks-{state}", one) for one in await shelf.agencies(agency)]
    ids = await shelf.members(names, limit, latest=state == "closed")
    found = await shelf.documents("tasks", ids, Task)
    return tuple(map(task_view, found.values())), await shelf.size(names)


async def task(shelf: Shelf, agency: str | None, task_id: str) -> TaskView:
    """One task; also for who asked for it, and whose person it is about.

    Raises:
        Unknown, OtherAgency: there is none, or for others.
    """
    found = await shelf.document("tasks", task_id, Task)
    if found is None:
        raise Unknown("task", task_id)
    if agency not in (found.agency, found.from_agency):
        await _seen(shelf, agency, found.subject_id, found.agency, found.from_agency)
    return task_view(found)
