"""How does an agency do? Numbers for supervisors and analysts, as JSON and as CSV for a spreadsheet."""

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import Parameter

from console.callers import ANALYSTS, Call, let_in, services_of_call
from console.readings import enter
from pipeline.readmodel.answers import Overview

Days = Annotated[int, Parameter(ge=1, le=90, description="how many days back")]


async def _overview(request: Call, days: int, what: str) -> Overview:
    caller, services = await let_in(request, ANALYSTS), services_of_call(request)
    await enter(services, caller, what, days=days)
    return await services.reader.overview(caller.scope, days)


@get("/api/v1/overview", summary="Numbers", tags=["overview"])
async def overview(request: Call, days: Days = 7) -> Overview:
    """Open and overdue, time to acknowledge, precision, silent devices, load."""
    return await _overview(request, days, "overview")


@get("/api/v1/overview.csv", summary="Numbers for a spreadsheet", tags=["overview"], media_type="text/csv")
async def overview_csv(request: Call, days: Days = 7) -> Response[bytes]:
    """One line a number: section, of what, name, number."""
    found = await _overview(request, days, "overview.csv")
    sink = io.StringIO()
    writer = csv.writer(sink)
    writer.writerow(("section", "of", "measure", "value"))
    writer.writerows([_harmless(cell) for cell in line] for line in lines_of(found))
    headers = {"content-disposition": f'attachment; filename="fenceline-overview-{found.now.date()}.csv"'}
    # The mark lets a spreadsheet know that it is UTF-8.
    return Response(b"\xef\xbb\xbf" + sink.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=headers)


def lines_of(found: Overview) -> Iterator[tuple[Any, ...]]:
    """All numbers, one a line."""
    for section in ("alerts", "tasks", "people"):
        part = getattr(found, section)
        for name in part.__struct_fields__:
            yield section, "", name, getattr(part, name)
    for name in ("count", "mean_s", "median_s", "p90_s"):
        yield "acknowledged", "", name, getattr(found.acknowledged, name)
    for up_to_s, count in found.acknowledged.histogram:
        yield "acknowledged", "longer" if up_to_s is None else f"up to {up_to_s:g} s", "count", count
    for one in found.precision:
        for name in ("right", "wrong", "unresolved", "precision", "low", "high"):
            yield "precision", f"{one.of} {one.name}", name, getattr(one, name)
        for outcome, count in one.outcomes.items():
            yield "precision", f"{one.of} {one.name}", outcome, count
    for device in found.silent:
        yield "silent", device.device_id, "since", str(device.since)
    for person in found.load:
        yield "load", person.principal, "alerts", person.alerts
        yield "load", person.principal, "tasks", person.tasks
    for day in found.by_day:
        for name in ("raised", "acknowledged", "resolved"):
            yield "by_day", day.day, name, getattr(day, name)


def _harmless(cell: Any) -> Any:
    """A cell that a spreadsheet takes for text, not for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


ROUTES = [overview, overview_csv]
