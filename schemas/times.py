"""How a moment is written: RFC 3339 in UTC with milliseconds, and nothing else."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache


class Instant(datetime):
    """An aware moment in UTC with whole milliseconds, written as ``2026-11-23T09:30:00.125Z``.

    A type of its own because msgspec writes plain datetimes with microseconds; the encoder in
    `schemas.message` knows this one.
    """

    __slots__ = ()

    def __str__(self) -> str:
        # not strftime, which writes the year 1 as "1"
        return f"{self.isoformat(timespec='milliseconds')[:23]}Z"


def instant(moment: datetime) -> Instant:
    """`moment` in UTC, cut (not rounded) to milliseconds, so that it is never later than it was.

    Raises:
        ValueError: `moment` has no offset from UTC, or lies outside the years 1 to 9999 there.
    """
    if type(moment) is Instant:
        return moment
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()} has no offset from UTC; write it like 2026-11-23T09:30:00.000Z")
    try:
        at = moment.astimezone(UTC)
    except OverflowError as error:  # msgspec lets only ValueError out as a fault of the data
        raise ValueError(f"time {moment.isoformat()} lies outside the years 1 to 9999 in UTC") from error
    millis = at.microsecond // 1000 * 1000
    return Instant(at.year, at.month, at.day, at.hour, at.minute, at.second, millis, UTC)


_EPOCH = Instant(1970, 1, 1, tzinfo=UTC)


def from_epoch(seconds: float) -> Instant:
    """The moment `seconds` after 1970-01-01T00:00:00Z, to the nearest millisecond."""
    millis = round(seconds * 1000)
    return _EPOCH + timedelta(0, millis // 1000, millis % 1000 * 1000)


@lru_cache(1024)
def _minute(number: int) -> str:
    return str(_EPOCH + timedelta(minutes=number))[:17]


def written(seconds: float) -> str:
    """As `from_epoch` writes it; quicker for many of the same minutes."""
    minute, millis = divmod(round(seconds * 1000), 60_000)
    return f"{_minute(minute)}{millis // 1000:02}.{millis % 1000:03}Z"


def parse(text: str) -> Instant:
    """The moment that an RFC 3339 `text` names.

    Raises:
        ValueError: not RFC 3339, or without an offset.
    """
    return instant(datetime.fromisoformat(text))
