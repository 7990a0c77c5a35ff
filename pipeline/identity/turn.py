"""One event's turn over a person's state: what changed so far, what is to be sent, what is due next."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from pipeline.identity.known import Known
from pipeline.identity.person import DOUBTS_KEPT, SETTLED_KEPT, Doubt, Held, Pending, Person
from pipeline.identity.plan import Slot
from pipeline.identity.rules import IdentityRules
from pipeline.step import Emission, Step
from schemas.ids import event_id
from schemas.incident import Incident, IncidentType
from schemas.reference import Severity
from schemas.times import Instant, instant

SEVERITIES: dict[IncidentType, Severity] = {
    "checkin.done": "low",
    "checkin.rejected": "low",
    "checkin.doubtful": "low",
    "checkin.missed": "medium",
    "identity.doubtful": "high",
    "identity.confirmed": "low",
    "identity.refuted": "critical",
}


class Turn:
    """The state as it becomes, for the person `key`."""

    def __init__(self, key: str, person: Person, known: Known, now: datetime) -> None:
        self.key = key
        self.before = person
        self.person = person
        self.known = known
        self.rules: IdentityRules = known.rules
        self.now: Instant = instant(now)
        self._emissions: list[Emission] = []
        self._forgotten = False

    def change(self, **fields: Any) -> None:
        """Set fields of the state."""
        self.person = msgspec.structs.replace(self.person, **fields)

    def forget(self) -> None:
        """Keep nothing of the person."""
        self._forgotten = True

    def emit(self, emission: Emission) -> None:
        """Send `emission`."""
        self._emissions.append(emission)

    def step(self, wake_at: datetime | None) -> Step[Person]:
        """The turn's result."""
        if self._forgotten or self.person == Person():
            return Step(None, tuple(self._emissions))
        kept = self.before if self.person == self.before else self.person
        return Step(kept, tuple(self._emissions), wake_at)

    @property
    def agency(self) -> str:
        """Whose person it is."""
        return self.known.agency_of(self.key, self.person.plan.agency if self.person.plan else "default")

    # check-ins that are not settled

    def pending(self, checkin_id: str) -> Pending:
        """What has come of a check-in."""
        for waiting in self.person.pending:
            if waiting.checkin_id == checkin_id:
                return waiting
        settle_by = instant(self.now + timedelta(seconds=self.rules.result_wait_s))
        return Pending(checkin_id=checkin_id, settle_by=settle_by)

    def put_pending(self, pending: Pending) -> None:
        """Keep what has come of a check-in."""
        others = tuple(one for one in self.person.pending if one.checkin_id != pending.checkin_id)
        self.change(pending=(*others, pending))

    def forget_pending(self, checkin_id: str) -> None:
        """It is settled."""
        self.change(pending=tuple(one for one in self.person.pending if one.checkin_id != checkin_id))

    def settled(self, checkin_id: str) -> None:
        """Remember that a check-in is settled, so that what comes of it again changes nothing."""
        self.change(settled=(*self.person.settled, checkin_id)[-SETTLED_KEPT:])

    # slots

    def slot_at(self, moment: datetime) -> Held | None:
        """The open slot that a check-in received at `moment` would meet: the one that closes first."""
        fitting = [held for held in self.person.open if not held.met_by and _within(held.slot, moment)]
        return min(fitting, key=lambda held: (held.slot.closes_at, held.slot.slot_id), default=None)

    def put_slot(self, held: Held) -> None:
        """Keep what became of a slot."""
        self.change(open=tuple(held if one.slot.slot_id == held.slot.slot_id else one for one in self.person.open))

    def drop_slot(self, slot_id: str) -> None:
        """It is over."""
        self.change(open=tuple(one for one in self.person.open if one.slot.slot_id != slot_id))

    def closes_at(self, held: Held) -> Instant:
        """When a slot is over: after its end, with time for what is on its way."""
        return instant(held.slot.closes_at + timedelta(seconds=self.rules.grace_s))

    def is_over(self, held: Held) -> bool:
        """Whether a slot is over, and nothing sent within it is still unsettled."""
        return self.closes_at(held) <= self.now and not self._is_awaited(held)

    def _is_awaited(self, held: Held) -> bool:
        return not held.met_by and any(
            one.checkin is not None and _within(held.slot, one.checkin.received_at) for one in self.person.pending
        )

    # what is due

    def deadlines(self) -> Iterator[datetime]:
        """When anything of slots and check-ins is due next."""
        for waiting in self.person.pending:
            yield waiting.settle_by
        for slot in self.person.upcoming:
            yield slot.opens_at
        for held in self.person.open:
            if not self._is_awaited(held):
                yield self.closes_at(held)

    def erase_at(self) -> Instant | None:
        """When the person's face is to be deleted: the end of the order, as plan and enrolment say it; the later."""
        plan = self.person.plan
        if plan is not None and plan.ends_at is None:
            return None
        ends = [self.person.retain_until] if self.person.retain_until else []
        if plan is not None and plan.ends_at is not None:
            ends.append(plan.ends_at + timedelta(days=plan.keep_days))
        return instant(max(ends)) if ends else None

    def video_check(self, incident_id: str) -> dict[str, Any]:
        """Where and until when an officer and the person are to see each other, because of an incident."""
        deadline = instant(self.now + timedelta(seconds=self.rules.video_check_s))
        return {"join_link": self.known.join_link(incident_id), "deadline": str(deadline)}

    def doubt(self, incident_id: str, checkin_id: str, slot_id: str) -> None:
        """Keep a doubt until a human settles it."""
        doubt = Doubt(incident_id=incident_id, checkin_id=checkin_id, slot_id=slot_id, at=self.now)
        self.change(doubts=(*self.person.doubts, doubt)[-DOUBTS_KEPT:])

    def incident(
        self,
        type_: IncidentType,
        cause: str,
        occurred_at: datetime,
        evidence: dict[str, Any],
        *,
        confidence: float = 1.0,
        attributable: bool = True,
    ) -> str:
        """Send an incident; its id. `cause`: what makes it this one: a check-in, a slot, a command."""
        incident_id = event_id("incident", type_, self.key, cause)
        incident = Incident(
            incident_id=incident_id,
            type=type_,
            subject_id=self.key,
            agency=self.agency,
            severity=SEVERITIES[type_],
            occurred_at=instant(occurred_at),
            detected_at=self.now,
            confidence=confidence,
            attributable=attributable,
            evidence=evidence,
            rule_version=self.rules.version,
        )
        self.emit(Emission("incidents", self.key, incident, incident_id))
        return incident_id


def _within(slot: Slot, moment: datetime) -> bool:
    return slot.opens_at <= moment <= slot.closes_at
