"""When may this be told? Quiet hours hold back what is not urgent, until they end."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.alerting.policy import QuietHours
from schemas.reference import Severity
from schemas.times import Instant, instant


def not_before(at: datetime, severity: Severity, hours: QuietHours | None, zone: ZoneInfo) -> Instant | None:
    """The end of the quiet hours in which `at` lies, when they hold back `severity`; else None: at once."""
    if hours is None or severity not in hours.severities:
        return None
    local = at.astimezone(zone)
    clock, start, end = f"{local:%H:%M}", hours.start, hours.end
    quiet = start <= clock < end if start < end else clock >= start or clock < end
    if not quiet:
        return None
    day = local.date() if clock < end else local.date() + timedelta(days=1)
    hour, minute = (int(part) for part in end.split(":"))
    return instant(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC))
