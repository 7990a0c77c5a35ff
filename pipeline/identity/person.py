"""What is kept of one person between two events: plan, slots, tries, doubts, what was seen before."""

from typing import Annotated

import msgspec

from pipeline.identity.plan import Slot
from schemas.checkin import Checkin, Examined, PositionAnswer
from schemas.message import Message, Moment
from schemas.plan import CheckinPlan

SHAS_KEPT = 200
SETTLED_KEPT = 64
DOUBTS_KEPT = 16


class Pending(Message, frozen=True, kw_only=True):
    """A check-in that is not settled: its parts arrive on different topics, in any order."""

    checkin_id: str
    checkin: Checkin | None = None
    examined: Examined | None = None
    position: PositionAnswer | None = None
    position_asked: bool = False
    settle_by: Annotated[Moment, msgspec.Meta(description="judged then without what has not come")]


class Held(Message, frozen=True, kw_only=True):
    """A slot that is open or was met, with the tries in it."""

    slot: Slot
    met_by: str = ""
    tries: tuple[str, ...] = ()
    """Codes of what became of tries in it."""

    doubtful: bool = False


class Doubt(Message, frozen=True, kw_only=True):
    """An `identity.doubtful` that no human has settled."""

    incident_id: str
    checkin_id: str
    slot_id: str = ""
    at: Moment


class Person(Message, frozen=True, kw_only=True):
    """One person's state. `upcoming`: slots that are not open yet, worked out up to `planned_until`."""

    plan: CheckinPlan | None = None
    planned_until: Moment | None = None
    upcoming: tuple[Slot, ...] = ()
    open: tuple[Held, ...] = ()
    pending: tuple[Pending, ...] = ()
    failed_in_row: int = 0
    unsure_in_row: int = 0
    retry_at: Moment | None = None
    doubts: tuple[Doubt, ...] = ()
    shas: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    obeyed: tuple[str, ...] = ()
    enrolled: bool = False
    order_id: str = ""
    retain_until: Moment | None = None
    erasing: bool = False
