"""What would have been said of these fixes? The core of `locate` over lines of a file, without a broker."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from pipeline.locate import LocateCore, LocateRules
from pipeline.reference import Reference
from pipeline.step import Emission, Record
from schemas.incident import Incident, Rejection
from schemas.times import from_epoch

LINES_AT_ONCE = 4096


def replay(
    lines: Iterable[bytes], reference: Reference, rules: LocateRules | None = None, until: datetime | None = None
) -> Iterator[Incident | Rejection]:
    """Incidents of the fixes in `lines` (JSON, a fix or a frame each), in the order in which they were settled; what
    could not be used comes as a `Rejection` with the line's number as its source (``fixes/0@17``, from 0).

    Timers fire up to the newest fix, or `until`.
    """
    core = LocateCore(reference, rules)
    said: list[Emission] = []
    newest = 0.0
    numbered = enumerate(lines)
    while some := list(islice(numbered, LINES_AT_ONCE)):
        batch = [Record("fixes", 0, number, b"", line, 0.0) for number, line in some if line.strip()]
        said += core.apply(batch, from_epoch(newest))
        newest = core.newest_s
    said += core.flush(until or from_epoch(newest))
    yield from (one.message for one in sorted(said, key=_settled))


def _settled(one: Emission) -> datetime:
    moment = one.message.detected_at if isinstance(one.message, Incident) else from_epoch(0)
    assert isinstance(moment, datetime)  # noqa: S101  # for the type checker
    return moment
