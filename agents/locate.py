"""Where are they, and should they be there? From fixes to incidents, over fences, activations and leaves."""

from datetime import datetime, timedelta

from agents.agent import Agent
from pipeline.locate import LocateCore
from pipeline.reference import Reference
from pipeline.step import Entry, Record
from schemas.fix import Fix
from schemas.message import encode
from schemas.times import from_epoch, instant
from schemas.topics import (
    ACTIVATIONS,
    FENCES,
    FIXES,
    INCIDENTS,
    LEAVES,
    OUTAGES,
    POSITION_ANSWERS,
    POSITION_ASKS,
    PULSES,
    SUBJECTS,
)

_BEGIN = from_epoch(1_800_000_000)
_FENCE = b"""{"type":"Feature","geometry":{"type":"Point","coordinates":[110,30]},"properties":{"fence_id":"f",
"rule":"stay_in","datum":"wgs84","buffer_m":200,"effective_from":"2020-01-01T00:00:00Z"}}"""


def warm_up() -> None:
    """Judge a few reports of nobody, so that what is compiled when it is first used has been.

    Compiling takes seconds and holds up the whole process, heartbeats too: it must be over before the group is joined.
    """
    reference = Reference(open_world=True)
    reference.learn(FENCES.name, b"f", _FENCE, _BEGIN)
    core = LocateCore(reference)
    steps = [0, 1, 2, 4, 3, 5, 6, 6, *range(10, 40), 8]
    for offset, step in enumerate(steps):
        at = _BEGIN + timedelta(seconds=10 * step)
        frame = [_fix(f"d{number}", at, 30 + (step % 20) * 0.0004 * number) for number in range(3)]
        core.apply([Record(FIXES.name, 0, offset, b"d", encode(frame), at.timestamp())], at)
    late = _BEGIN + timedelta(hours=12)
    core.wake(late)
    again = LocateCore(reference)
    again.restore(Entry(key, value or b"") for piece in core.changed() for key, value in piece)
    again.apply([Record(FIXES.name, 0, len(steps), b"d", encode([_fix("d1", late, 30.0)]), late.timestamp())], late)


def _fix(device_id: str, at: datetime, lat: float) -> Fix:
    return Fix(device_id=device_id, fix_time=instant(at), lat=lat, lon=110.0, accuracy_m=8.0, received_at=instant(at))


AGENT = Agent(
    name="locate",
    inputs=(FIXES, POSITION_ASKS),
    outputs=(INCIDENTS, PULSES, POSITION_ANSWERS),
    reference=(FENCES, ACTIVATIONS, SUBJECTS, LEAVES, OUTAGES),
    knowledge=Reference,
    core=lambda partition, reference: LocateCore(reference, source=f"locate/{partition}"),
    warm_up=warm_up,
)
