"""May this person give this command? By role, by whose person it is, and by agency; one table."""

from collections.abc import Collection
from typing import NamedTuple

from schemas.command import Command
from schemas.credential import Role


class Refusal(NamedTuple):
    """Why a command is refused: a code for programs, words for people."""

    code: str
    reason: str


_OFFICERS: tuple[Role, ...] = ("officer", "supervisor")
_AGENCY: tuple[Role, ...] = ("officer", "supervisor", "agency")

MAY: dict[str, tuple[Role, ...]] = {
    "alert.acknowledge": _AGENCY,
    "alert.escalate": _AGENCY,
    "alert.hand_over": _AGENCY,
    "alert.resolve": _OFFICERS,
    "score.confirm": _OFFICERS,
    "score.reverse": _OFFICERS,
    "score.contest": ("subject", *_OFFICERS),
    "score.decide": _OFFICERS,
    "task.create": (*_AGENCY, "service"),
    "task.receive": (*_AGENCY, "service"),
    "task.accept": _AGENCY,
    "task.hand_over": _AGENCY,
    "task.done": _AGENCY,
    "task.decline": _AGENCY,
    "task.cancel": _AGENCY,
    "leave.ask": ("subject", *_OFFICERS),
    "leave.decide": _OFFICERS,
    "leave.withdraw": ("subject", *_OFFICERS),
    "identity.settle": _OFFICERS,
    "rights.confirm": ("subject",),
    "fence.put": _OFFICERS,
    "fence.withdraw": _OFFICERS,
}
"""Which roles may give which command. A subject only for itself, the others only within their agency."""


def kind_of(command: Command) -> str:
    """The command's kind as it is written on the topic."""
    return str(command.__struct_config__.tag)


def refusal(command: Command, agencies: Collection[str]) -> Refusal | None:
    """Why `command` is refused, or None. `agencies`: those that own what the command is about."""
    kind = kind_of(command)
    roles = MAY[kind]
    if command.role not in roles:
        return Refusal("no_authority", f"{kind} is not for a {command.role}, but for: {', '.join(roles)}")
    if command.role == "subject":
        if command.by != command.subject_id:
            return Refusal("no_authority", f"{command.by} may not speak for {command.subject_id}")
        return None
    if command.role != "service" and command.agency not in agencies:
        owners = ", ".join(sorted(owner for owner in agencies if owner)) or "nobody known"
        return Refusal("other_agency", f"this belongs to {owners}; {command.by} is of {command.agency or 'no agency'}")
    return None
