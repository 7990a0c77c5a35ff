"""Who read whose record? An entry on `readings` before the answer is given, and so on the audit."""

from typing import Any
from uuid import uuid4

from console.callers import Caller
from console.services import Services
from schemas.alert import AREA_PREFIX
from schemas.audit import Reading
from schemas.times import instant
from schemas.topics import READINGS


async def enter(services: Services, caller: Caller, what: str, subject_id: str = "", **query: Any) -> None:
    """Enter that `caller` reads `what` of `subject_id`; of many people when none is named.

    Raises:
        Refused: 503, it could not be entered; then nothing may be told.
    """
    about = subject_id or f"{AREA_PREFIX}{caller.agency or 'all'}"
    reading = Reading(
        reading_id=str(uuid4()),
        subject_id=about,
        by=caller.principal,
        role=caller.role,
        agency=caller.agency,
        at=instant(services.now()),
        what=what,
        query={name: value for name, value in query.items() if value not in (None, "")},
    )
    await services.pen.write(READINGS.name, about, reading, reading.reading_id)
