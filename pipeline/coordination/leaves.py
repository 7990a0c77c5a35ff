"""Who asks for leave, and who decides? Commands become records on `leaves` and, by person, on `leave-changes`."""

import msgspec

from pipeline.answers import answer
from pipeline.authority import Refusal, refusal
from pipeline.leave import check
from pipeline.step import Emission
from schemas.command import AskLeave, DecideLeave, WithdrawLeave
from schemas.ids import event_id
from schemas.message import Invalid
from schemas.reference import Leave

LeaveCommand = AskLeave | DecideLeave | WithdrawLeave


def obey(leaves: dict[str, Leave], command: LeaveCommand, agency: str) -> tuple[Leave | None, list[Emission]]:
    """The leave after `command` (None: nothing changed), and what is to be sent. `agency`: whose person it is."""
    refused = refusal(command, {agency})
    if refused is not None:
        return None, [answer(command, "refused", refused)]
    match command:
        case AskLeave():
            found: Leave | Refusal = _asked(command)
        case DecideLeave():
            found = _decided(leaves.get(command.leave_id), command)
        case WithdrawLeave():
            found = _withdrawn(leaves.get(command.leave_id), command)
    if isinstance(found, Refusal):
        return None, [answer(command, "refused", found)]
    said = event_id("leave-said", found.leave_id, command.command_id)
    return found, [
        Emission("leaves", found.leave_id, found, said),
        Emission("leave-changes", found.subject_id, found, said),
        answer(command, "done", effect=found.leave_id),
    ]


def _asked(command: AskLeave) -> Leave | Refusal:
    leave = Leave(
        leave_id=event_id("leave", command.command_id),
        subject_id=command.subject_id,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        reason=command.reason,
        fences=command.fences,
        region=command.region,
    )
    try:
        check(leave)
    except Invalid as why:
        return Refusal("unusable", str(why))
    return leave


def _decided(leave: Leave | None, command: DecideLeave) -> Leave | Refusal:
    if leave is None:
        return Refusal("unknown_leave", f"{command.subject_id} has no leave {command.leave_id}")
    if leave.state != "asked":
        return Refusal("wrong_state", f"the leave is {leave.state}; what was approved can be withdrawn")
    state = "approved" if command.decision == "approve" else "refused"
    return msgspec.structs.replace(leave, state=state, decided_by=command.by)


def _withdrawn(leave: Leave | None, command: WithdrawLeave) -> Leave | Refusal:
    if leave is None:
        return Refusal("unknown_leave", f"{command.subject_id} has no leave {command.leave_id}")
    if leave.state not in ("asked", "approved"):
        return Refusal("wrong_state", f"the leave is {leave.state}")
    return msgspec.structs.replace(leave, state="withdrawn", decided_by=command.by)
