"""How does a check-in that is due begin and end? The person is called; then it is met, missed, or left to a human."""

from typing import Any, Literal

from pipeline.identity.person import Held
from pipeline.identity.plan import Slot
from pipeline.identity.turn import Turn
from pipeline.step import Emission
from schemas.alert import Notice
from schemas.checkin import CheckinCall
from schemas.ids import event_id

Event = Literal["called", "met", "missed", "doubtful", "withdrawn"]


def tell(turn: Turn, slot: Slot, event: Event) -> None:
    """Tell what became of a slot. The person is told when it opens; of one that was missed the alert tells them."""
    call_id = event_id("call", slot.slot_id, event)
    notices: tuple[Notice, ...] = ()
    if event == "called":
        notice_id = event_id("notice", call_id)
        told: dict[str, Any] = {"audience": "subject", "recipient": turn.key, "template": "checkin.called"}
        notices = (Notice(notice_id=notice_id, urgent=True, **told),)
    call = CheckinCall(
        call_id=call_id,
        slot_id=slot.slot_id,
        subject_id=turn.key,
        agency=turn.agency,
        plan_id=turn.person.plan.plan_id if turn.person.plan else "",
        event=event,
        at=turn.now,
        opens_at=slot.opens_at,
        closes_at=slot.closes_at,
        tell=notices,
    )
    turn.emit(Emission("checkin-calls", turn.key, call, call_id))


def close(turn: Turn, held: Held) -> None:
    """A slot is over: met, missed by one who did not try, or a matter for a human."""
    turn.drop_slot(held.slot.slot_id)
    if held.met_by:
        return
    if held.doubtful:  # the doubt is with a human already
        tell(turn, held.slot, "doubtful")
        return
    evidence = {
        "slot_id": held.slot.slot_id,
        "kind": held.slot.kind,
        "opens_at": str(held.slot.opens_at),
        "closes_at": str(held.slot.closes_at),
        "tries": list(held.tries),
    }
    if not held.tries:
        turn.incident("checkin.missed", held.slot.slot_id, held.slot.closes_at, evidence)
        tell(turn, held.slot, "missed")
        return
    incident_id = event_id("incident", "identity.doubtful", turn.key, held.slot.slot_id)
    evidence |= {"reason": "tried", "reasons": ["tried"], **turn.video_check(incident_id)}
    turn.incident("identity.doubtful", held.slot.slot_id, held.slot.closes_at, evidence, confidence=0.5)
    turn.doubt(incident_id, "", held.slot.slot_id)
    tell(turn, held.slot, "doubtful")
