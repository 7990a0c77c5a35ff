"""Which local day, and which local week? Caps go by the day, clean weeks from Monday to Sunday, where people live."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.times import Instant, instant


def zone_of(name: str, default: str) -> ZoneInfo:
    """The time zone called `name`, or `default` when there is none of that name."""
    try:
        return ZoneInfo(name or default)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(default)


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of `moment` where the person lives; on the second of midnight the new day has begun."""
    return moment.astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> Instant:
    """When `day` begins. Where clocks skip midnight, the first moment that exists."""
    return instant(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def week_start(moment: datetime, zone: ZoneInfo) -> Instant:
    """When the week (Monday to Sunday) of `moment` began."""
    day = local_day(moment, zone)
    return midnight(day - timedelta(days=day.weekday()), zone)


def weeks(first: datetime, until: datetime, zone: ZoneInfo) -> Iterator[tuple[Instant, Instant]]:
    """(begin, end) of each whole week from the one that holds `first` to the last that has ended by `until`.

    Weeks are whole local days, so one with a change of clocks is an hour shorter or longer.
    """
    day = local_day(first, zone)
    monday = day - timedelta(days=day.weekday())
    while True:
        begin, end = midnight(monday, zone), midnight(monday + timedelta(days=7), zone)
        if end > until:
            return
        yield begin, end
        monday += timedelta(days=7)
