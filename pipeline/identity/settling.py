"""What does an officer's word after the video check change? It was the person, it was not, or it could not be told."""

from typing import Any

import msgspec

from pipeline.answers import answer
from pipeline.authority import Refusal, refusal
from pipeline.identity import calls
from pipeline.identity.person import SETTLED_KEPT, Doubt
from pipeline.identity.turn import Turn
from schemas.command import SettleIdentity
from schemas.incident import IncidentType

VERDICTS: dict[str, IncidentType] = {"same_person": "identity.confirmed", "different_person": "identity.refuted"}


def settle(turn: Turn, command: SettleIdentity) -> None:
    """Obey `command`, once, or say why not."""
    if command.command_id in turn.person.obeyed:
        return
    turn.change(obeyed=(*turn.person.obeyed, command.command_id)[-SETTLED_KEPT:])
    doubt = next((one for one in turn.person.doubts if one.incident_id == command.incident_id), None)
    refused = refusal(command, {turn.agency})
    if refused is None and doubt is None:
        refused = Refusal("unknown_incident", "there is no open doubt of that id; it may have been settled")
    if refused is not None or doubt is None:
        turn.emit(answer(command, "refused", refused))
        return
    type_ = VERDICTS.get(command.verdict)
    if type_ is None:  # it stays open: somebody has to find out
        turn.emit(answer(command, "done", effect=doubt.incident_id))
        return
    evidence: dict[str, Any] = {
        "settles": doubt.incident_id,
        "checkin_id": doubt.checkin_id,
        "slot_id": doubt.slot_id,
        "by": command.by,
        "reason": command.reason,
        "verdict": command.verdict,
    }
    incident_id = turn.incident(type_, doubt.incident_id, command.at, evidence)
    turn.change(doubts=tuple(one for one in turn.person.doubts if one.incident_id != doubt.incident_id))
    if type_ == "identity.confirmed":
        _confirmed(turn, doubt)
    turn.emit(answer(command, "done", effect=incident_id))


def _confirmed(turn: Turn, doubt: Doubt) -> None:
    """It was the person: the slot is met, and tries begin anew."""
    turn.change(failed_in_row=0, unsure_in_row=0, retry_at=None)
    held = next((one for one in turn.person.open if one.slot.slot_id == doubt.slot_id and not one.met_by), None)
    if held is not None:
        turn.put_slot(msgspec.structs.replace(held, met_by=doubt.checkin_id or doubt.incident_id))
        calls.tell(turn, held.slot, "met")
