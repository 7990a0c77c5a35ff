"""What is said back to whoever gave a command: done, refused with a reason, or waiting."""

from datetime import datetime
from typing import Literal

from pipeline.authority import Refusal, kind_of
from pipeline.step import Emission
from schemas.command import Command, CommandResult
from schemas.ids import event_id
from schemas.times import instant


def answer(
    command: Command,
    outcome: Literal["done", "refused", "waiting"],
    refusal: Refusal | None = None,
    effect: str = "",
    at: datetime | None = None,
) -> Emission:
    """The result of `command`, to be sent; `at`: when it took effect, if later than the command."""
    result_id = event_id("command-result", command.command_id, outcome)
    result = CommandResult(
        result_id=result_id,
        command_id=command.command_id,
        kind=kind_of(command),
        subject_id=command.subject_id,
        by=command.by,
        role=command.role,
        agency=command.agency,
        at=instant(at or command.at),
        outcome=outcome,
        code=refusal.code if refusal else "",
        reason=refusal.reason if refusal else "",
        effect=effect if outcome == "done" else "",
    )
    return Emission("command-results", command.subject_id, result, result_id)
