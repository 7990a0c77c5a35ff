"""What is known about a person that may move the score? Incidents, leaves, rulings: a set, in no order of arrival."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from pipeline.leave import Permit, Stray, granted
from pipeline.whereabouts import places_of
from schemas.command import ConfirmEntry, ContestEntry, DecideAppeal, ReverseEntry
from schemas.incident import Incident
from schemas.message import Message, Moment
from schemas.reference import Leave, Severity

EVIDENCE_FIELDS = 12
EVIDENCE_TEXT = 200

RulingCommand = ConfirmEntry | ReverseEntry | ContestEntry | DecideAppeal
RulingAct = Literal["confirm", "reverse", "contest", "uphold", "overturn"]


class Deed(Message, frozen=True, kw_only=True):
    """What the ledger keeps of an incident."""

    incident_id: str
    type: str
    agency: str = ""
    severity: Severity = "medium"
    occurred_at: Moment
    detected_at: Moment
    attributable: bool = True
    fence_id: str = ""
    fence_name: str = ""
    breach_id: str = ""
    settles: str = ""
    keep_out: bool = False
    places: tuple[tuple[float, float, float], ...] = ()
    evidence: dict[str, Any] = {}


class Ruling(Message, frozen=True, kw_only=True):
    """What a person decided about one entry."""

    command_id: str
    entry_id: str
    act: RulingAct
    by: str
    at: Moment
    note: str = ""


class Facts(Message, frozen=True, kw_only=True):
    """All of it. `as_of`: the latest moment that is known to have passed."""

    as_of: Moment
    deeds: dict[str, Deed] = {}
    permits: dict[str, Permit] = {}
    rulings: dict[str, Ruling] = {}

    def seen(self, at: datetime) -> "Facts":
        """The same facts at a moment that is not before `as_of`."""
        return self if at <= self.as_of else msgspec.structs.replace(self, as_of=at)

    def with_deed(self, deed: Deed) -> "Facts":
        """With an incident. Told twice, it is one; was it once called nobody's fault, then it is."""
        known = self.deeds.get(deed.incident_id)
        if known is not None:
            blameless = not (known.attributable and deed.attributable)
            first = min(known, deed, key=_order)
            deed = msgspec.structs.replace(first, attributable=not blameless)
        facts = msgspec.structs.replace(self, deeds={**self.deeds, deed.incident_id: deed})
        return facts.seen(deed.detected_at)

    def with_leave(self, leave: Leave, said_at: datetime) -> "Facts":
        """With what `leave`, said at `said_at`, leaves of the right that was given."""
        permit = granted(leave, said_at.timestamp(), self.permits.get(leave.leave_id))
        permits = {name: known for name, known in self.permits.items() if name != leave.leave_id}
        if permit is not None:
            permits[leave.leave_id] = permit
        return msgspec.structs.replace(self, permits=permits)

    def with_ruling(self, ruling: Ruling) -> "Facts":
        """With a ruling; the same command twice is one."""
        facts = msgspec.structs.replace(self, rulings={**self.rulings, ruling.command_id: ruling})
        return facts.seen(ruling.at)

    def since(self, closed_before: datetime) -> "Facts":
        """Without what cannot move any entry that began at `closed_before` or later."""
        breaches = {
            deed.breach_id for deed in self.deeds.values() if _opens(deed) and deed.occurred_at >= closed_before
        }
        return msgspec.structs.replace(
            self,
            deeds={
                name: deed
                for name, deed in self.deeds.items()
                if deed.occurred_at >= closed_before or (deed.breach_id and deed.breach_id in breaches)
            },
            permits={name: one for name, one in self.permits.items() if one.t_until >= closed_before.timestamp()},
            rulings={name: one for name, one in self.rulings.items() if one.at >= closed_before - timedelta(days=1)},
        )


def stray_of(deed: Deed) -> Stray:
    """`deed` as a leave is asked about it."""
    return Stray(deed.breach_id, deed.fence_id, deed.occurred_at, deed.places)


def _order(deed: Deed) -> tuple[datetime, datetime, str]:
    return deed.detected_at, deed.occurred_at, repr(deed.evidence)


def _opens(deed: Deed) -> bool:
    return deed.type == "breach.opened"


def deed_from(incident: Incident) -> Deed:
    """What the ledger keeps of `incident`."""
    settles = incident.evidence.get("settles", "") if incident.type.startswith("identity.") else ""
    return Deed(
        incident_id=incident.incident_id,
        type=incident.type,
        agency=incident.agency,
        severity=incident.severity,
        occurred_at=incident.occurred_at,
        detected_at=incident.detected_at,
        attributable=incident.attributable,
        fence_id=incident.fence_id,
        fence_name=incident.fence_name,
        breach_id=incident.breach_id,
        settles=settles if isinstance(settles, str) else "",
        keep_out=incident.evidence.get("rule") == "keep_out",
        places=places_of(incident),
        evidence=_shown(incident.evidence),
    )


def _shown(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Of the evidence, what a line of the ledger shows: plain values; the incident itself has the rest."""
    plain = {
        name: value
        for name, value in sorted(evidence.items())
        if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= EVIDENCE_TEXT)
    }
    return dict(list(plain.items())[:EVIDENCE_FIELDS])


def ruling_from(command: RulingCommand) -> Ruling:
    """What a command rules."""
    act: RulingAct
    match command:
        case ConfirmEntry():
            act = "confirm"
        case ReverseEntry():
            act = "reverse"
        case ContestEntry():
            act = "contest"
        case DecideAppeal():
            act = "uphold" if command.decision == "uphold" else "overturn"
    return Ruling(
        command_id=command.command_id,
        entry_id=command.entry_id,
        act=act,
        by=command.by,
        at=command.at,
        note=command.reason,
    )
