"""Is it one person, or a whole place? The judge over an agency's signals: a `pipeline.step.Core` of `alert-signals`.

Alerts are decided person by person, over many partitions; an outage shows only to whoever sees an agency's people
together. Signals are few (only of rules with `gather`) and small.

| event | what follows |
| --- | --- |
| signal | waits `hold_s`, in the bucket of its place (a square of `cell_deg`), or of the outage it came marked with |
| `at_least` people in a bucket within `span_s` (two, if marked) | one alert for the agency; all who wait there join |
| signal for a place that is out | joins; people are told again when there are ten times as many |
| hold is over | released alone: the person's own alert |
| `back_share` are back | after `still_after_s` those who are not are released: their own alerts |
| `longest_s` passed, or an officer resolves it | the same, at once |

Signals of tamper, SOS or another person do not exist: nothing here can hold them up.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pipeline.alerting.case import Office
from pipeline.alerting.orders import AlertCommand, obey
from pipeline.alerting.outage import AreaOutage, Member
from pipeline.alerting.policy import AlertRules, Gather
from pipeline.alerting.waiting import Pending, WaitingRoom
from pipeline.casebook import Casebook
from pipeline.hearsay import heard_command
from pipeline.rejection import rejected, written_at
from pipeline.step import Change, Emission, Entry, Record
from schemas.alert import AREA_PREFIX, Release, Signal
from schemas.ids import event_id
from schemas.message import Invalid, decode, encode
from schemas.times import Instant, instant

PENDING, OUTAGE, MEMBER = b"pending/", b"outage/", b"member/"
MARKED_AT_LEAST = 2
"""An outage that was found upstream needs no crowd here to be believed."""


class AreaCore:
    """All agencies whose key lies in one partition."""

    def __init__(self, reference: Casebook) -> None:
        self._reference = reference
        self._waiting = WaitingRoom()
        self._outages: dict[str, AreaOutage] = {}
        self._changed: set[bytes] = set()

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take back waiting signals, outages, and their members.

        What is judged again is known again: by incident, by command. So `as_of` need not be asked.
        """
        for key, value, _ in entries:
            if value:
                self._restore(key, value)

    def _restore(self, key: bytes, value: bytes) -> None:
        kind, _, name = key.partition(b"/")
        if kind + b"/" == PENDING:
            self._waiting.put(decode(value, Pending))
            return
        alert_id, _, _ = name.decode().partition("/")
        outage = self._outages.setdefault(alert_id, AreaOutage(alert_id))
        if kind + b"/" == MEMBER:
            outage.restore_member(decode(value, Member))
        else:
            outage.restore(value)

    def apply(self, batch: Sequence[Record], now: datetime) -> list[Emission]:
        """Judge a batch in the order given."""
        emissions: list[Emission] = []
        for record in batch:
            at = instant(written_at(record, now))
            emissions += self.wake(at)
            try:
                if record.topic == "commands":
                    emissions += self._on_command(record, at)
                else:
                    emissions += self._on_signal(decode(record.value, Signal), at)
            except Invalid as why:
                emissions.append(rejected(record, why, at))
        return emissions

    def _office(self, at: datetime) -> Office:
        return Office(self._reference.alert.at(at), self._reference.rosters)

    def _on_signal(self, signal: Signal, at: Instant) -> list[Emission]:
        if signal.over:
            return self._on_over(signal, at)
        office = self._office(at)
        clause = office.rules.clauses.get(signal.rule)
        running = [one for one in self._outages.values() if one.is_of(signal.area_key, signal.rule)]
        if signal.incident_id in self._waiting or any(signal.incident_id in one for one in running):
            return []
        if clause is None or clause.gather is None:
            return [_release(signal, "alone", "", at)]
        bucket = _bucket(signal, office.rules)
        for outage in running:
            if outage.takes(bucket):
                joined = self._join(outage, signal, at)
                return [joined, *self._grown(outage, at, office)]
        return self._wait(signal, bucket, clause.gather, running, at)

    def _wait(
        self, signal: Signal, bucket: str, gather: Gather, running: Sequence[AreaOutage], at: Instant
    ) -> list[Emission]:
        until = instant(at + timedelta(seconds=gather.hold_s))
        pending = Pending(signal=signal, bucket=bucket, since=at, until=until)
        self._waiting.put(pending)
        self._changed.add(PENDING + signal.incident_id.encode())
        there = self._waiting.together(pending, timedelta(seconds=gather.span_s))
        at_least = MARKED_AT_LEAST if signal.outage_id else gather.at_least
        if len({one.signal.subject_id for one in there}) < at_least:
            return []
        office = self._office(at)
        spreading = next((one for one in running if one.spreads(at)), None)
        first = there[0].signal
        outage = spreading or AreaOutage(event_id("alert", first.area_key, first.incident_id))
        self._outages[outage.alert_id] = outage
        outage.buckets.add(bucket)
        joined = [self._join(outage, one.signal, at) for one in there]
        told = outage.open(first, at, office) if spreading is None else self._grown(outage, at, office)
        return [*told, *joined]

    def _join(self, outage: AreaOutage, signal: Signal, at: Instant) -> Emission:
        self._drop_pending(signal.incident_id)
        outage.join(signal)
        self._mark(outage, signal.subject_id)
        return _release(signal, "absorbed", outage.alert_id, at)

    def _grown(self, outage: AreaOutage, at: Instant, office: Office) -> list[Emission]:
        self._mark(outage)
        return outage.grown(at, office)

    def _on_over(self, signal: Signal, at: Instant) -> list[Emission]:
        self._drop_pending(signal.incident_id)
        for outage in self._outages.values():
            if outage.is_of(signal.area_key, signal.rule) and outage.leave(signal):
                self._mark(outage, signal.subject_id)
                outage.waned(at, self._office(at).rules)
        return []

    def _on_command(self, record: Record, at: Instant) -> list[Emission]:
        if not record.key.startswith(AREA_PREFIX.encode()):
            return []
        command = heard_command(record.value)
        if not isinstance(command, AlertCommand):
            return []
        outage = self._outages.get(command.alert_id)
        if outage is not None and not outage.obeys(command.command_id):
            return []
        case = outage.case if outage is not None else None
        after, said = obey(case, command, self._office(at), {case.alert.agency} if case else (), at)
        if after is None or outage is None:
            return said
        outage.case = after
        self._mark(outage)
        if after.alert.state != "resolved" or outage.is_done:
            return said
        outage.end(at, self._office(at).rules)
        return [*said, *self._let_go(outage, at)]

    def wake(self, now: datetime) -> list[Emission]:
        """Fire what is due by `now`, in order of the due time."""
        emissions: list[Emission] = []
        while (due := self.next_wake()) is not None and due <= now:
            for pending in self._waiting.take_due(due):
                self._changed.add(PENDING + pending.signal.incident_id.encode())
                emissions.append(_release(pending.signal, "alone", "", due))
            for outage in list(self._outages.values()):
                emissions += self._on_timer(outage, due)
        return emissions

    def _on_timer(self, outage: AreaOutage, due: Instant) -> list[Emission]:
        office = self._office(due)
        next_at = outage.next_at()
        if next_at is None or next_at > due:
            return []
        self._mark(outage)
        if outage.is_forgotten(due):
            del self._outages[outage.alert_id]
            return []
        was_done = outage.is_done
        emissions = outage.timer(due, office)
        return [*emissions, *(self._let_go(outage, due) if outage.is_done and not was_done else ())]

    def _let_go(self, outage: AreaOutage, at: Instant) -> list[Emission]:
        """Whoever is not back when an outage is over gets an alert of their own."""
        self._changed |= {_member_key(outage.alert_id, subject_id) for subject_id in outage.members}
        emissions = [_still(outage, member, at) for member in outage.members.values() if not member.over]
        outage.empty()
        self._mark(outage)
        return emissions

    def _drop_pending(self, incident_id: str) -> None:
        if self._waiting.drop(incident_id):
            self._changed.add(PENDING + incident_id.encode())

    def _mark(self, outage: AreaOutage, subject_id: str = "") -> None:
        self._changed.add(OUTAGE + outage.alert_id.encode())
        if subject_id:
            self._changed.add(_member_key(outage.alert_id, subject_id))

    def next_wake(self) -> Instant | None:
        """When a signal's hold or an outage's timer is due."""
        moments = [self._waiting.next_due()]
        moments += [one.next_at() for one in self._outages.values()]
        return min((one for one in moments if one is not None), default=None)

    def changed(self) -> Iterator[list[Change]]:
        """Waiting signals, outages and members that are new, changed or gone: all in one piece."""
        changed, self._changed = self._changed, set()
        yield [(key, self._entry(key)) for key in sorted(changed)]

    def _entry(self, key: bytes) -> bytes | None:
        kind, _, name = key.partition(b"/")
        if kind + b"/" == PENDING:
            pending = self._waiting.get(name.decode())
            return None if pending is None else encode(pending)
        alert_id, _, subject_id = name.decode().partition("/")
        outage = self._outages.get(alert_id)
        if outage is None:
            return None
        if kind + b"/" == OUTAGE:
            return outage.saved()
        member = outage.members.get(subject_id)
        return None if member is None else encode(member)


def _member_key(alert_id: str, subject_id: str) -> bytes:
    return MEMBER + f"{alert_id}/{subject_id}".encode()


def _bucket(signal: Signal, rules: AlertRules) -> str:
    """What counts as one place: the outage it came marked with, else a square, else all whose place is not known."""
    if signal.outage_id:
        return f"outage:{signal.outage_id}"
    if signal.lat is None or signal.lon is None:
        return "somewhere"
    side = rules.outage.cell_deg
    return f"cell:{signal.lat // side:.0f},{signal.lon // side:.0f}"


def _release(
    signal: Signal | Member, verdict: Literal["alone", "absorbed", "still"], alert_id: str, at: Instant, rule: str = ""
) -> Emission:
    release_id = event_id("alert-release", signal.incident_id, verdict, alert_id)
    release = Release(
        release_id=release_id,
        subject_id=signal.subject_id,
        rule=signal.rule if isinstance(signal, Signal) else rule,
        incident_id=signal.incident_id,
        verdict=verdict,
        alert_id=alert_id,
        at=at,
    )
    return Emission("alert-releases", signal.subject_id, release, release_id)


def _still(outage: AreaOutage, member: Member, at: Instant) -> Emission:
    return _release(member, "still", outage.alert_id, at, outage.rule)
