"""How does an agency do? Numbers for those who are answerable for it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import TypeVar
from zoneinfo import ZoneInfo

from console.reading import people
from console.reading.shelf import Shelf
from pipeline.alerting.precision import precision_of
from pipeline.readmodel.answers import (
    Acknowledged,
    AlertNumbers,
    ColourNumbers,
    DayNumbers,
    Load,
    Overview,
    Person,
    Silent,
    TaskNumbers,
)
from pipeline.readmodel.facts import Device
from pipeline.readmodel.layout import JOINT, index
from schemas.alert import Alert
from schemas.task import Task
from schemas.times import Instant

T = TypeVar("T")

UP_TO_S = (30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
MOST_SILENT = 200


async def overview(shelf: Shelf, agency: str | None, days: int, now: Instant) -> Overview:
    """The last `days` days of an agency, or of all."""
    agencies = await shelf.agencies(agency)
    everyone = await people.everyone(shelf, agency, now)
    zone = _zone(everyone)
    ids: list[str] = []
    for one in agencies:
        ids += await shelf.between(index("alerts-raised", one), (now - timedelta(days=days)).timestamp(), "+inf")
    raised = list((await shelf.documents("alerts", ids, Alert)).values())
    open_alerts = await _of(shelf, "alerts", "alerts-open", agencies, Alert)
    open_tasks = await _of(shelf, "tasks", "tasks-open", agencies, Task)
    waiting = [one for one in open_alerts if one.state in ("wearer", "open")]
    return Overview(
        now=now,
        days=days,
        alerts=AlertNumbers(
            open=len(open_alerts),
            unacknowledged=len(waiting),
            overdue=sum(one.level > 0 or _is_past(one.escalates_at, now) for one in waiting),
        ),
        tasks=TaskNumbers(open=len(open_tasks), overdue=sum(_is_past(one.due_at, now) for one in open_tasks)),
        acknowledged=_acknowledged(raised),
        precision=tuple(precision_of(raised)),
        silent=await _silent(shelf, agencies, everyone),
        load=_load(open_alerts, open_tasks),
        by_day=_by_day(raised, days, now, zone),
        people=ColourNumbers(**{name: sum(one.colour == name for one in everyone) for name in _COLOURS}),
    )


_COLOURS = ("green", "yellow", "red")


def _zone(everyone: Sequence[Person]) -> ZoneInfo:
    """The clock that most of the agency's people live by."""
    common = Counter(one.time_zone for one in everyone).most_common(1)
    return ZoneInfo(common[0][0] if common else "UTC")


async def _of(shelf: Shelf, table: str, name: str, agencies: Sequence[str], kind: type[T]) -> list[T]:
    ids = await shelf.members([index(name, one) for one in agencies])
    return list((await shelf.documents(table, ids, kind)).values())


def _is_past(due_at: datetime | None, now: datetime) -> bool:
    return due_at is not None and due_at <= now


def _acknowledged(raised: Sequence[Alert]) -> Acknowledged:
    took = sorted(
        (one.acknowledged_at - one.raised_at).total_seconds() for one in raised if one.acknowledged_at is not None
    )
    edges = (-1.0, *UP_TO_S)
    told: list[tuple[float | None, int]] = [
        (high, sum(low < one <= high for one in took)) for low, high in pairwise(edges)
    ]
    told.append((None, sum(one > UP_TO_S[-1] for one in took)))
    return Acknowledged(
        count=len(took),
        mean_s=round(sum(took) / len(took), 1) if took else None,
        median_s=round(median(took), 1) if took else None,
        p90_s=round(took[min(len(took) - 1, int(0.9 * len(took)))], 1) if took else None,
        histogram=tuple(told),
    )


async def _silent(shelf: Shelf, agencies: Sequence[str], everyone: Sequence[Person]) -> tuple[Silent, ...]:
    """Devices that somebody wears now, the longest silent first."""
    worn = {(one.subject_id, device_id) for one in everyone for device_id in one.device_ids}
    pairs = (one.split(JOINT) for one in await shelf.members([index("silent", one) for one in agencies]))
    silent = [device_id for subject_id, device_id in pairs if (subject_id, device_id) in worn]
    known = await shelf.documents("devices", silent[:MOST_SILENT], Device)
    return tuple(
        Silent(device_id=one.device_id, subject_id=one.subject_id, since=one.silent_since)
        for one in known.values()
        if one.silent_since is not None
    )


def _load(alerts: Sequence[Alert], tasks: Sequence[Task]) -> tuple[Load, ...]:
    has = Counter(one.acknowledged_by for one in alerts if one.acknowledged_by)
    does = Counter(one.owner for one in tasks if one.owner)
    names = sorted(has.keys() | does.keys(), key=lambda name: (-has[name] - does[name], name))
    return tuple(Load(principal=name, alerts=has[name], tasks=does[name]) for name in names)


def _by_day(raised: Sequence[Alert], days: int, now: datetime, zone: ZoneInfo) -> tuple[DayNumbers, ...]:
    today = now.astimezone(zone).date()
    names = [(today - timedelta(days=back)).isoformat() for back in reversed(range(days))]

    def on(moment: datetime | None) -> str:
        return "" if moment is None else moment.astimezone(zone).date().isoformat()

    began = Counter(on(one.raised_at) for one in raised)
    taken = Counter(on(one.acknowledged_at) for one in raised)
    settled = Counter(on(one.at) for one in raised if one.state == "resolved")
    return tuple(DayNumbers(day=d, raised=began[d], acknowledged=taken[d], resolved=settled[d]) for d in names)
