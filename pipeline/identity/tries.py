"""What is told of a try to check in: to the person a result, to everybody an incident, to humans a doubt to settle."""

from datetime import datetime
from typing import Any

import msgspec

from pipeline.identity import calls
from pipeline.identity.attempts import next_try
from pipeline.identity.outcome import TYPES, Outcome
from pipeline.identity.turn import Turn
from pipeline.step import Emission
from schemas.checkin import Checkin, CheckinResult
from schemas.ids import event_id
from schemas.message import to_builtins

REFUSALS = {
    "replayed": "These pictures were sent before. Take new ones.",
    "too_soon": "Wait a little before you try again.",
}


def refused(turn: Turn, checkin: Checkin, code: str) -> None:
    """A check-in that is not even judged."""
    outcome = Outcome("rejected", (code,), (REFUSALS[code],), {}, 1.0)
    _incident(turn, checkin, outcome, "")
    _result(turn, checkin, outcome, "", turn.person.retry_at)


def tell(turn: Turn, checkin: Checkin, outcome: Outcome) -> None:
    """A check-in that was judged: count it, tell of it, and let it meet its slot."""
    held = turn.slot_at(checkin.received_at)
    slot_id = held.slot.slot_id if held else ""
    retry_at = _count(turn, checkin, outcome)
    if held is not None:
        met_by = checkin.checkin_id if outcome.state == "done" else ""
        turn.put_slot(
            msgspec.structs.replace(
                held,
                met_by=met_by,
                tries=(*held.tries, outcome.reasons[0] if outcome.reasons else "done"),
                doubtful=held.doubtful or outcome.state == "doubtful",
            )
        )
        if met_by:
            calls.tell(turn, held.slot, "met")
    link = _incident(turn, checkin, outcome, slot_id)
    _result(turn, checkin, outcome, slot_id, retry_at, link)


def _count(turn: Turn, checkin: Checkin, outcome: Outcome) -> datetime | None:
    """Count failures in a row; when the next try is allowed."""
    if outcome.state == "done":
        turn.change(failed_in_row=0, unsure_in_row=0, retry_at=None)
        return None
    if not outcome.attributable:
        return turn.person.retry_at
    failed = turn.person.failed_in_row + 1
    retry_at = next_try(failed, checkin.received_at, turn.rules)
    unsure = turn.person.unsure_in_row + 1 if outcome.state == "unsure" else 0
    turn.change(failed_in_row=failed, unsure_in_row=unsure, retry_at=retry_at)
    return retry_at


def _incident(turn: Turn, checkin: Checkin, outcome: Outcome, slot_id: str) -> str:
    """Tell of it; the link to the video check where one is needed."""
    type_ = TYPES[outcome.state]
    evidence: dict[str, Any] = {
        "checkin_id": checkin.checkin_id,
        "slot_id": slot_id,
        "reason": outcome.reasons[0] if outcome.reasons else "",
        "reasons": list(outcome.reasons),
        "advice": list(outcome.advice),
        **outcome.evidence,
    }
    if checkin.place is not None:
        evidence["place"] = to_builtins(checkin.place)
    if outcome.state == "doubtful":
        evidence["pictures"] = [to_builtins(picture) for picture in checkin.pictures]
        evidence |= turn.video_check(event_id("incident", type_, turn.key, checkin.checkin_id))
    incident_id = turn.incident(
        type_,
        checkin.checkin_id,
        checkin.received_at,
        evidence,
        confidence=outcome.confidence,
        attributable=outcome.attributable,
    )
    if outcome.state != "doubtful":
        return ""
    turn.doubt(incident_id, checkin.checkin_id, slot_id)
    return str(evidence["join_link"])


def _result(
    turn: Turn, checkin: Checkin, outcome: Outcome, slot_id: str, retry_at: datetime | None, link: str = ""
) -> None:
    result_id = event_id("checkin-result", checkin.checkin_id)
    result = CheckinResult(
        result_id=result_id,
        checkin_id=checkin.checkin_id,
        subject_id=turn.key,
        at=turn.now,
        state=outcome.state,
        reasons=outcome.reasons if outcome.state != "doubtful" else ("a_person_will_look",),
        advice=outcome.advice,
        failed_in_row=turn.person.failed_in_row,
        retry_at=retry_at,
        slot_id=slot_id,
        join_link=link,
    )
    turn.emit(Emission("checkin-results", turn.key, result, result_id))
