"""Commands: all that a person decides, with who, when and why; and what became of each."""

from typing import Annotated, Any, Literal, Union

import msgspec

from schemas.alert import Outcome
from schemas.credential import Role
from schemas.message import Id, Message, Moment, invalid_from
from schemas.reference import Severity

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class _Command(Message, frozen=True, kw_only=True, tag_field="kind"):
    """What all commands have; on the topic `commands`, key `subject_id`.

    `by`, `role` and `agency` come from the token of whoever sent it, never from the body of a request. A command with
    a `command_id` seen before is the same command. For an alert about an area `subject_id` is the alert's own
    (``area:<agency>``).
    """

    command_id: Id
    subject_id: Id
    by: Id
    role: Role
    agency: str = ""
    at: Moment
    reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class AcknowledgeAlert(_Command, frozen=True, kw_only=True, tag="alert.acknowledge"):
    """I have seen it and am on it: escalation stops."""

    alert_id: Id


class EscalateAlert(_Command, frozen=True, kw_only=True, tag="alert.escalate"):
    """Up the chain now, without waiting."""

    alert_id: Id


class HandOverAlert(_Command, frozen=True, kw_only=True, tag="alert.hand_over"):
    """Someone else of the same house has it from now on, and is told. Of an alert that was acknowledged."""

    alert_id: Id
    to: Id


class ResolveAlert(_Command, frozen=True, kw_only=True, tag="alert.resolve"):
    """Settled, and what it was: the outcomes make up each rule's precision."""

    alert_id: Id
    outcome: Outcome


class ConfirmEntry(_Command, frozen=True, kw_only=True, tag="score.confirm"):
    """A human has looked: the provisional deduction holds."""

    entry_id: Id


class ReverseEntry(_Command, frozen=True, kw_only=True, tag="score.reverse"):
    """The deduction was wrong."""

    entry_id: Id
    reason: Reason


class ContestEntry(_Command, frozen=True, kw_only=True, tag="score.contest"):
    """The person (or someone for them) contests a deduction."""

    entry_id: Id
    reason: Reason


class DecideAppeal(_Command, frozen=True, kw_only=True, tag="score.decide"):
    """An officer decides over a contested deduction."""

    entry_id: Id
    decision: Literal["uphold", "reverse"]
    reason: Reason


class CreateTask(_Command, frozen=True, kw_only=True, tag="task.create"):
    """Ask an agency for something. The task's id follows from `command_id`."""

    task_kind: Id
    to_agency: Id
    to_role: Literal["officer", "supervisor", "agency"] = "officer"
    title: Annotated[str, msgspec.Meta(max_length=500)] = ""
    severity: Severity = "medium"
    due_at: Moment | None = None
    incident_id: str = ""
    alert_id: str = ""
    entry_id: str = ""
    details: dict[str, Any] = {}


class ReceiveTask(_Command, frozen=True, kw_only=True, tag="task.receive"):
    """It has come in: the receipt."""

    task_id: Id


class AcceptTask(_Command, frozen=True, kw_only=True, tag="task.accept"):
    """I do it."""

    task_id: Id


class HandOverTask(_Command, frozen=True, kw_only=True, tag="task.hand_over"):
    """Another agency or role is to do it; it starts anew there, with the same due time unless one is given."""

    task_id: Id
    to_agency: Id
    to_role: Literal["officer", "supervisor", "agency"] = "officer"
    due_at: Moment | None = None
    reason: Reason


class FinishTask(_Command, frozen=True, kw_only=True, tag="task.done"):
    """Done, with what came of it."""

    task_id: Id
    outcome: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class DeclineTask(_Command, frozen=True, kw_only=True, tag="task.decline"):
    """Not ours, or not possible, and why."""

    task_id: Id
    reason: Reason


class CancelTask(_Command, frozen=True, kw_only=True, tag="task.cancel"):
    """No longer needed, and why."""

    task_id: Id
    reason: Reason


class AskLeave(_Command, frozen=True, kw_only=True, tag="leave.ask"):
    """The person asks to be elsewhere for a time. The leave's id follows from `command_id`."""

    starts_at: Moment
    ends_at: Moment
    fences: tuple[str, ...] | None = None
    region: dict[str, Any] | None = None


class DecideLeave(_Command, frozen=True, kw_only=True, tag="leave.decide"):
    """An officer approves or refuses a leave."""

    leave_id: Id
    decision: Literal["approve", "refuse"]


class WithdrawLeave(_Command, frozen=True, kw_only=True, tag="leave.withdraw"):
    """The person no longer wants it, or an officer takes an approval back, with the reason."""

    leave_id: Id


class SettleIdentity(_Command, frozen=True, kw_only=True, tag="identity.settle"):
    """After the video check: it was the person, it was not, or it could not be told."""

    incident_id: Id
    verdict: Literal["same_person", "different_person", "undetermined"]


class ConfirmRights(_Command, frozen=True, kw_only=True, tag="rights.confirm"):
    """The person has read the text of rights and duties of that version."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class PutFence(_Command, frozen=True, kw_only=True, tag="fence.put"):
    """A fence is drawn, or drawn anew; `subject_id` is ``area:<agency>``. The console judges it and writes the fence.

    `sha256`: of the Feature's JSON on the topic `fences`, which has it whole.
    """

    fence_id: Id
    version: Annotated[int, msgspec.Meta(ge=1)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class WithdrawFence(_Command, frozen=True, kw_only=True, tag="fence.withdraw"):
    """A fence no longer holds; `subject_id` is ``area:<agency>``."""

    fence_id: Id


Command = Union[  # noqa: UP007  # one name for the sum, readable in the topic list
    AcknowledgeAlert,
    EscalateAlert,
    HandOverAlert,
    ResolveAlert,
    ConfirmEntry,
    ReverseEntry,
    ContestEntry,
    DecideAppeal,
    CreateTask,
    ReceiveTask,
    AcceptTask,
    HandOverTask,
    FinishTask,
    DeclineTask,
    CancelTask,
    AskLeave,
    DecideLeave,
    WithdrawLeave,
    SettleIdentity,
    ConfirmRights,
    PutFence,
    WithdrawFence,
]

_COMMAND: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def read_command(raw: bytes) -> Command:
    """The command in a value of the topic `commands`.

    Raises:
        Invalid: not a command; the field says which kind or word.
    """
    try:
        return _COMMAND.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_from(error) from error


class CommandResult(Message, frozen=True, kw_only=True):
    """What became of a command, on the topic `command-results`, key `subject_id`.

    waiting: what it names is not known yet (the stream may still bring it); it takes effect when it is.
    """

    result_id: Id
    command_id: Id
    kind: str
    subject_id: Id
    by: str
    role: str
    agency: str = ""
    at: Moment
    outcome: Literal["done", "refused", "waiting"]
    code: Annotated[str, msgspec.Meta(description="for programs: no_authority, unknown_alert, wrong_state ...")] = ""
    reason: Annotated[str, msgspec.Meta(description="for people")] = ""
    effect: Annotated[str, msgspec.Meta(description="the id of what it changed or made")] = ""
