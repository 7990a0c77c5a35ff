"""When does a duty hold? Weekly windows, iCalendar rules, exceptions and holidays, as edges in seconds since 1970.

The wall clock rules, as a person reads it. A window begins at the first moment at which the clock of its place shows
`start` or later, and ends at the first moment at which it shows `end` or later:

- a time that the clock skips in spring is reached when the clock jumps over it; a window that lies wholly in the gap
  does not happen;
- a time that the clock shows twice in autumn is reached the first time, so a curfew until 01:30 ends once, at the first
  01:30, and one from 01:30 starts at the first.

A recurrence begins by the same rule and lasts `duration_s` elapsed seconds (RFC 5545, 3.3.6). Exceptions and holidays
are local dates on which nothing begins; the night that began the evening before runs to its end. A schedule of
exceptions or holidays alone holds on all other days, from midnight to midnight. Spells that touch are one.

A duty holds from the moment of its beginning up to, and not including, that of its end.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
import numpy as np
from numpy.typing import NDArray

from fences.recurrence import EARLIEST_YEAR, LATEST_YEAR, Beginnings
from schemas.message import Invalid
from schemas.reference import Schedule, Window
from schemas.times import from_epoch

CHUNK_S = 64 * 86400
"""Edges are worked out for this long at a time, when first asked for."""

HORIZON_CHUNKS = 52
"""How far `next_edge` looks: nine years, in which every leap day and every yearly rule has come."""

_FIRST_S = datetime(EARLIEST_YEAR, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()
_LAST_S = datetime(LATEST_YEAR, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp()
_WHOLE_DAYS = (Window(start="00:00", end="24:00"),)


class Edge(NamedTuple):
    """A duty begins (`on`) or ends at `at_s`, seconds since 1970."""

    at_s: float
    on: bool


class _Chunk(NamedTuple):
    before: bool  # whether the duty held just before the chunk
    edges: NDArray[np.float64]  # alternating, the first against `before`


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _zone(name: str, field: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(f"no time zone {name!r}; give an IANA name such as Asia/Shanghai", field) from error


def _holidays(code: str, field: str) -> holidays.HolidayBase | None:
    if not code:
        return None
    country, _, part = code.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError as error:
        raise Invalid(f"no holidays known for {code!r}; give a code such as CN, or DE-BY", field) from error


def _exceptions(texts: tuple[str, ...], field: str) -> frozenset[date]:
    found = set()
    for place, text in enumerate(texts):
        try:
            found.add(date.fromisoformat(text))
        except ValueError as error:
            raise Invalid(f"{text!r} is not a date such as 2026-12-25", f"{field}[{place}]") from error
    return frozenset(found)


class CompiledSchedule:
    """A schedule that answers for any moment. What it remembers is only what it would work out again."""

    def __init__(self, schedule: Schedule, field: str = "$") -> None:
        self._zone = _zone(schedule.time_zone, f"{field}.time_zone")
        self._off = _exceptions(schedule.exceptions, f"{field}.exceptions")
        self._holidays = _holidays(schedule.holidays, f"{field}.holidays")
        self._rules = [
            Beginnings(one, self._zone, f"{field}.recurrences[{place}]")
            for place, one in enumerate(schedule.recurrences)
        ]
        for place, window in enumerate(schedule.windows):
            if not window.days:
                raise Invalid("no day of the week; leave days out for all", f"{field}.windows[{place}].days")
        if not schedule.windows and not schedule.recurrences and not self._off and self._holidays is None:
            raise Invalid("names no time; leave the schedule out for a duty that always holds", field)
        self._windows = schedule.windows or (() if schedule.recurrences else _WHOLE_DAYS)
        self._chunks: dict[int, _Chunk] = {}

    def active(self, at_s: float) -> bool:
        """Whether the duty holds at `at_s`, seconds since 1970. Times outside 1970 to 2200 are read as its ends."""
        at_s = min(max(at_s, _FIRST_S), _LAST_S)
        chunk = self._chunk(int(at_s // CHUNK_S))
        return chunk.before ^ bool(np.searchsorted(chunk.edges, at_s, "right") & 1)

    def active_at(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """`active` for each of `times_s` (n,)."""
        times_s = np.clip(times_s, _FIRST_S, _LAST_S)
        numbers = (times_s // CHUNK_S).astype(np.int64)
        holds = np.empty(len(times_s), np.bool_)
        for number in np.unique(numbers).tolist():
            rows = numbers == number
            chunk = self._chunk(number)
            holds[rows] = chunk.before ^ (np.searchsorted(chunk.edges, times_s[rows], "right") & 1).astype(np.bool_)
        return holds

    def next_edge(self, after_s: float) -> Edge | None:
        """The first edge later than `after_s`, or None when nothing changes within nine years."""
        first = int(min(max(after_s, _FIRST_S), _LAST_S) // CHUNK_S)
        for number in range(first, first + HORIZON_CHUNKS):
            chunk = self._chunk(number)
            place = int(np.searchsorted(chunk.edges, after_s, "right"))
            if place < len(chunk.edges):
                return Edge(float(chunk.edges[place]), not chunk.before ^ bool(place & 1))
        return None

    def edges(self, after_s: float, until_s: float) -> list[Edge]:
        """All edges later than `after_s` and not later than `until_s`, in order."""
        found = []
        edge = self.next_edge(after_s)
        while edge is not None and edge.at_s <= until_s:
            found.append(edge)
            edge = self.next_edge(edge.at_s)
        return found

    def _chunk(self, number: int) -> _Chunk:
        known = self._chunks.get(number)
        if known is not None:
            return known
        start, end = float(number * CHUNK_S), float((number + 1) * CHUNK_S)
        merged: list[list[float]] = []
        for since, until in sorted(self._spells(start, end)):
            if merged and since <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], until)
            else:
                merged.append([since, until])
        inside = [edge for spell in merged for edge in spell if start <= edge < end]
        chunk = _Chunk(any(since < start <= until for since, until in merged), np.array(inside, np.float64))
        if len(self._chunks) > 2 * HORIZON_CHUNKS:
            self._chunks.clear()
        self._chunks[number] = chunk
        return chunk

    def _spells(self, start_s: float, end_s: float) -> list[tuple[float, float]]:
        """All spells, of positive length, that may overlap or touch the time from `start_s` to `end_s`."""
        first, last = (from_epoch(at).astimezone(self._zone).date() for at in (start_s, end_s))
        spells = []
        for ordinal in range(first.toordinal() - 2, last.toordinal() + 1):
            day = date.fromordinal(ordinal)
            if self._is_off(day):
                continue
            for window in self._windows:
                if day.weekday() in window.days:
                    begin, end = _minutes(window.start), _minutes(window.end)
                    end += 1440 if end <= begin else 0
                    midnight = datetime.combine(day, time())
                    spells.append(
                        (
                            self._reached(midnight + timedelta(minutes=begin)),
                            self._reached(midnight + timedelta(minutes=end)),
                        )
                    )
        for rule in self._rules:
            reach = timedelta(days=2 + rule.duration_s // 86400)
            for begins in rule.between(first - reach, last):
                if not self._is_off(begins.date()):
                    since = self._reached(begins)
                    spells.append((since, since + rule.duration_s))
        return [(since, until) for since, until in spells if since < until]

    def _is_off(self, day: date) -> bool:
        return day in self._off or (self._holidays is not None and day in self._holidays)

    def _reached(self, wall: datetime) -> float:
        """The first moment at which the clock shows `wall` or later."""
        early = wall.replace(tzinfo=self._zone).timestamp()
        late = wall.replace(tzinfo=self._zone, fold=1).timestamp()
        if early <= late:  # an ordinary time, or the first of two
            return early
        before, at = int(late) - 1, int(early)  # skipped: look for the jump, between the two readings
        while at - before > 1:
            middle = (before + at) // 2
            if from_epoch(middle).astimezone(self._zone).replace(tzinfo=None) >= wall:
                at = middle
            else:
                before = middle
        return float(at)


@lru_cache(maxsize=65_536)
def _compiled(schedule: Schedule) -> CompiledSchedule:
    return CompiledSchedule(schedule)


def compile_schedule(schedule: Schedule, field: str = "$.properties.schedule") -> CompiledSchedule:
    """`schedule`, ready to answer; equal schedules share their work.

    Raises:
        Invalid: an unknown time zone, country, date or rule; `field` is where the schedule stands in its message.
    """
    try:
        return _compiled(schedule)
    except Invalid as error:
        raise Invalid(error.reason, field + error.field.removeprefix("$")) from error


__all__ = ["CompiledSchedule", "Edge", "compile_schedule"]
