"""What does a person's command do to an alert? It is acknowledged, escalated, handed over, resolved; or a refusal."""

from collections.abc import Collection
from datetime import datetime

from pipeline.alerting.case import Case, Office, acknowledged, escalated_by, handed_over, resolved
from pipeline.answers import answer
from pipeline.authority import Refusal, refusal
from pipeline.step import Emission
from schemas.command import AcknowledgeAlert, EscalateAlert, HandOverAlert, ResolveAlert

AlertCommand = AcknowledgeAlert | EscalateAlert | HandOverAlert | ResolveAlert

OBEYED: dict[str, tuple[str, ...]] = {
    "AcknowledgeAlert": ("wearer", "open"),
    "EscalateAlert": ("wearer", "open", "acknowledged"),
    "HandOverAlert": ("acknowledged",),
    "ResolveAlert": ("wearer", "open", "acknowledged", "cleared"),
}
"""In which states of an alert a command is obeyed. What a machine cleared may still be given an outcome."""


def obey(
    case: Case | None, command: AlertCommand, office: Office, agencies: Collection[str], at: datetime
) -> tuple[Case | None, list[Emission]]:
    """The case after `command` (None: unchanged), and what is to be sent: the change, and the result."""
    refused = _refused(case, command, agencies)
    if refused is not None or case is None:
        return None, [answer(command, "refused", refused)]
    cause = command.command_id
    match command:
        case AcknowledgeAlert():
            case = acknowledged(case, command.by, cause, command.reason, command.at)
        case EscalateAlert():
            case = escalated_by(case, command.by, cause, office, at)
        case HandOverAlert():
            case = handed_over(case, command.by, command.to, cause, command.reason, at)
        case ResolveAlert():
            case = resolved(case, command.by, cause, outcome=command.outcome, note=command.reason, at=at)
    return case, [change_of(case), answer(command, "done", effect=case.alert.alert_id)]


def change_of(case: Case) -> Emission:
    """The last change of a case, to be sent."""
    return Emission("alerts", case.alert.subject_id, case.alert, case.alert.change_id)


def _refused(case: Case | None, command: AlertCommand, agencies: Collection[str]) -> Refusal | None:
    if case is None:
        return Refusal("unknown_alert", f"{command.subject_id} has no alert {command.alert_id} that is still kept")
    refused = refusal(command, agencies)
    if refused is not None:
        return refused
    state = case.alert.state
    if state not in OBEYED[type(command).__name__]:
        by = f" by {case.alert.acknowledged_by}" if state == "acknowledged" else ""
        return Refusal("wrong_state", f"the alert is {state}{by}")
    return None
