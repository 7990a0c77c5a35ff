"""Who is on duty at a moment? Weekly shifts in local time, over midnight and changes of clocks, and swaps."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.message import Invalid
from schemas.reference import Window
from schemas.roster import Roster, Shift

MINUTES_OF_DAY = 24 * 60


class Rosters:
    """The rosters of all agencies."""

    def __init__(self) -> None:
        self._by_id: dict[str, Roster] = {}

    def learn(self, roster: Roster) -> None:
        """Add a roster, or its new version.

        Raises:
            Invalid: as `check_roster`.
        """
        check_roster(roster)
        self._by_id[roster.roster_id] = roster

    def forget(self, roster_id: str) -> None:
        """Take a roster back."""
        self._by_id.pop(roster_id, None)

    def on_duty(self, agency: str, audience: str, at: datetime) -> tuple[str, ...]:
        """The principals on duty, in the order in which they are to be told; empty when nobody is."""
        people: dict[str, None] = {}
        for roster_id in sorted(self._by_id):
            roster = self._by_id[roster_id]
            if roster.agency == agency and roster.audience == audience:
                people.update(dict.fromkeys(on_duty(roster, at)))
        return tuple(people)

    def time_zone_of(self, agency: str, default: str) -> ZoneInfo:
        """Where an agency's people are awake: the time zone of its rosters (the first by id)."""
        zones = [self._by_id[name].time_zone for name in sorted(self._by_id) if self._by_id[name].agency == agency]
        return ZoneInfo(zones[0] if zones else default)


def check_roster(roster: Roster) -> None:
    """Nothing, if `roster` can be used.

    Raises:
        Invalid: its time zone is unknown, or a swap ends before it begins.
    """
    try:
        ZoneInfo(roster.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"no time zone {roster.time_zone!r}; write one like Asia/Shanghai", "$.time_zone") from error
    for place, stand in enumerate(roster.stands):
        if stand.ends_at <= stand.starts_at:
            raise Invalid("a swap must end after it begins", f"$.stands[{place}].ends_at")


def on_duty(roster: Roster, at: datetime) -> tuple[str, ...]:
    """Who of one roster is on duty: those of a swap if there is one, else of all shifts that run at `at`."""
    for stand in roster.stands:
        if stand.starts_at <= at < stand.ends_at:
            return stand.people
    local = at.astimezone(ZoneInfo(roster.time_zone))
    running = [shift for shift in roster.shifts if _runs(shift, local)]
    return tuple(dict.fromkeys(name for shift in running for name in shift.people))


def _runs(shift: Shift, local: datetime) -> bool:
    return any(in_window(window, local) for window in shift.windows)


def in_window(window: Window, local: datetime) -> bool:
    """Whether a weekly window holds at a `local` wall-clock time; one past midnight counts to the day it began on."""
    start, end = _minute(window.start), _minute(window.end)
    minute, weekday = local.hour * 60 + local.minute, local.weekday()
    if start < end:
        return weekday in window.days and start <= minute < end
    yesterday = (local - timedelta(days=1)).weekday()
    return (weekday in window.days and minute >= start) or (yesterday in window.days and minute < end)


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)
