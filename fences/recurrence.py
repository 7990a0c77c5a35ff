"""When does an iCalendar rule (RFC 5545, RRULE) begin a spell, by the wall clock of its place?

dateutil walks the rule. What it would walk for ever, or for minutes, is refused here with the field's name: rules finer
than a day, rules with hundreds of beginnings a day, rules that never happen.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from schemas.message import Invalid
from schemas.reference import Recurrence

HORIZON = timedelta(days=9 * 366)
"""A rule that does not happen in so long from its `dtstart` is taken for a mistake (leap days may be 8 years apart)."""

MOST_A_DAY = 48
LONGEST_S = 366 * 86400.0
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYSETPOS"} | {
    f"BY{unit}" for unit in ("MONTH", "MONTHDAY", "YEARDAY", "WEEKNO", "DAY", "HOUR", "MINUTE", "SECOND")
}


def _parts(text: str, field: str) -> dict[str, str]:
    body = text.strip().upper().removeprefix("RRULE:")
    parts: dict[str, str] = {}
    for item in body.strip(";").split(";"):
        name, equals, value = item.partition("=")
        if not equals or not value or name not in _PARTS or name in parts:
            raise Invalid(f"{item or text!r} is not a part of an RRULE such as FREQ=WEEKLY;BYDAY=SA,SU", field)
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise Invalid(f"FREQ must be one of {', '.join(_FREQUENCIES)}; for hours use BYHOUR", field)
    beginnings = 1
    for unit in ("BYHOUR", "BYMINUTE", "BYSECOND"):
        beginnings *= len(parts.get(unit, "0").split(","))
    if beginnings > MOST_A_DAY:
        raise Invalid(f"begins {beginnings} times a day; at most {MOST_A_DAY}", field)
    return parts


def _whole(parts: dict[str, str], name: str, most: int, field: str) -> int | None:
    text = parts.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise Invalid(f"{name} must be a whole number from 1 to {most}", field)
    return int(text)


def _until(text: str | None, zone: ZoneInfo, field: str) -> datetime | None:
    """UNTIL as a local time: RFC 5545 has it in UTC, many calendars write it local, or as a date (that day counts)."""
    if text is None:
        return None
    try:
        if len(text) == len("20261231"):
            return datetime.combine(datetime.strptime(text, "%Y%m%d").date(), time(23, 59, 59))
        at = datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S")  # local until said otherwise
    except ValueError as error:
        raise Invalid(f"UNTIL {text} is not written like 20261231T140000Z", field) from error
    return at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) if text.endswith("Z") else at


def local_start(text: str, field: str) -> datetime:
    """`dtstart` as a naive local time, whole seconds.

    Raises:
        Invalid: not an ISO 8601 local time, with an offset, or outside the years 1970 to 2200.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is not a local time such as 2026-11-23T21:00:00", field) from error
    if at.tzinfo is not None:
        raise Invalid(f"{text!r} must be a local time without an offset; the time zone is the schedule's", field)
    if not EARLIEST_YEAR <= at.year <= LATEST_YEAR:
        raise Invalid(f"the year {at.year} is not one from {EARLIEST_YEAR} to {LATEST_YEAR}", field)
    return at.replace(microsecond=0)


class Beginnings:
    """The local times at which a `Recurrence` begins; `duration_s` is how long each lasts, in elapsed seconds."""

    def __init__(self, recurrence: Recurrence, zone: ZoneInfo, field: str) -> None:
        parts = _parts(recurrence.rrule, f"{field}.rrule")
        self.start = local_start(recurrence.dtstart, f"{field}.dtstart")
        if recurrence.duration_s > LONGEST_S:
            raise Invalid(f"{recurrence.duration_s:g} s is longer than a year", f"{field}.duration_s")
        self.duration_s = recurrence.duration_s
        _whole(parts, "INTERVAL", 1000, f"{field}.rrule")
        self._count = _whole(parts, "COUNT", 100_000, f"{field}.rrule")
        self._until = _until(parts.get("UNTIL"), zone, f"{field}.rrule")
        kept = ";".join(f"{name}={value}" for name, value in parts.items() if name not in ("COUNT", "UNTIL"))
        try:
            self._rule: Any = rrulestr(kept, dtstart=self.start)
            first = next(self._walk(self.start + HORIZON), None)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise Invalid(f"not a rule that can be followed: {error}", f"{field}.rrule") from error
        if first is None:
            raise Invalid("never happens within nine years of its dtstart", f"{field}.rrule")

    def _walk(self, last: datetime) -> Iterator[datetime]:
        until = last if self._until is None else min(last, self._until)
        return islice(iter(self._rule.replace(until=until)), self._count)

    def between(self, first: date, last: date) -> list[datetime]:
        """Those from the day `first` to the day `last`, both included."""
        end = datetime.combine(last, time(23, 59, 59))
        return [at for at in self._walk(end) if at.date() >= first] if end >= self.start else []
