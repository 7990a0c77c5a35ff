"""One outage: who is in it, how large it grew, when it is over, and the alert that tells of it."""

from datetime import datetime, timedelta

import msgspec

from pipeline.alerting.case import Case, Office, tell_step, timer_due
from pipeline.alerting.orders import change_of
from pipeline.alerting.policy import AlertRules
from pipeline.step import Emission
from schemas.alert import Alert, AlertEvent, Area, Signal
from schemas.ids import event_id
from schemas.message import Message, Moment, decode, encode
from schemas.times import Instant, instant

TELL_AGAIN = 10
"""People are told again when an outage has grown to this many times what they were told."""

STILL_SPREADING = timedelta(seconds=600)
"""A place that goes quiet this soon after the last one is part of the same outage."""

EXAMPLES = 10


class Member(Message, frozen=True, kw_only=True):
    """A person in an outage."""

    subject_id: str
    incident_id: str
    over: bool = False


class Extent(Message, frozen=True, kw_only=True):
    """What is kept of an outage beside its members. Moments: the next word on its size, the last one to join, the
    moment at which those who are not back are let go, and the latest such moment."""

    case: Case
    area_key: str
    rule: str
    buckets: tuple[str, ...]
    area: Area
    told_people: int
    joined_at: Moment
    ends_at: Moment
    say_at: Moment | None = None
    still_at: Moment | None = None
    done_at: Moment | None = None
    forget_at: Moment | None = None
    obeyed: tuple[str, ...] = ()


class AreaOutage:
    """An outage while it lasts, and its alert for as long as that may be given an outcome."""

    def __init__(self, alert_id: str) -> None:
        self.alert_id = alert_id
        self.members: dict[str, Member] = {}
        self.buckets: set[str] = set()
        self._incidents: set[str] = set()
        self._extent: Extent | None = None
        self._area = Area(subjects=1)
        self._back = 0

    @property
    def case(self) -> Case | None:
        """The alert's case; None before it is opened."""
        return self._extent.case if self._extent is not None else None

    @case.setter
    def case(self, case: Case | None) -> None:
        if self._extent is not None and case is not None:
            self._extent = msgspec.structs.replace(self._extent, case=case)

    def obeys(self, command_id: str) -> bool:
        """Whether a command is new to it; it is then taken note of."""
        if self._extent is None or command_id in self._extent.obeyed:
            return False
        self._extent = msgspec.structs.replace(self._extent, obeyed=(*self._extent.obeyed[-49:], command_id))
        return True

    @property
    def rule(self) -> str:
        """The clause whose incidents it gathers."""
        return self._extent.rule if self._extent is not None else ""

    @property
    def is_done(self) -> bool:
        """Whether nobody joins any more."""
        return self._extent is not None and self._extent.done_at is not None

    def __contains__(self, incident_id: str) -> bool:
        return incident_id in self._incidents

    def is_of(self, area_key: str, rule: str) -> bool:
        """Whether it may take signals of this area and rule."""
        one = self._extent
        return one is not None and one.done_at is None and (one.area_key, one.rule) == (area_key, rule)

    def takes(self, bucket: str) -> bool:
        """Whether a place is part of it."""
        return bucket in self.buckets

    def spreads(self, at: datetime) -> bool:
        """Whether another place that goes out at `at` is part of it."""
        return self._extent is not None and at - self._extent.joined_at <= STILL_SPREADING

    def join(self, signal: Signal) -> None:
        """Take a person in. A person is counted once, with the latest incident."""
        self._incidents.add(signal.incident_id)
        known = self.members.get(signal.subject_id)
        self.members[signal.subject_id] = Member(subject_id=signal.subject_id, incident_id=signal.incident_id)
        if known is not None:
            self._back -= known.over
            return
        area = self._area
        subjects = len(self.members)
        south, north = _wider(area.south, area.north, signal.lat)
        west, east = _wider(area.west, area.east, signal.lon)
        carriers = area.carriers
        if signal.carrier:
            carriers = {**carriers, signal.carrier: carriers.get(signal.carrier, 0) + 1}
        examples = area.examples
        if len(examples) < EXAMPLES:
            examples = (*examples, signal.subject_id)
        self._area = Area(
            subjects=subjects, south=south, west=west, north=north, east=east, carriers=carriers, examples=examples
        )

    def leave(self, signal: Signal) -> bool:
        """Take note that a person's incident is over; False when it is not of this outage."""
        member = self.members.get(signal.subject_id)
        if member is None or member.incident_id != signal.incident_id or member.over:
            return False
        self.members[signal.subject_id] = msgspec.structs.replace(member, over=True)
        self._back += 1
        return True

    def _now(self) -> Area:
        return msgspec.structs.replace(self._area, subjects=len(self.members), still=len(self.members) - self._back)

    def open(self, first: Signal, at: Instant, office: Office) -> list[Emission]:
        """The alert, raised and told to the agency."""
        rules = office.rules
        alert = Alert(
            alert_id=self.alert_id,
            change_id=event_id("alert-change", self.alert_id, "raised", first.incident_id),
            seq=1,
            event="raised",
            state="open",
            at=at,
            subject_id=first.area_key,
            agency=first.agency,
            rule="outage",
            rule_version=rules.version,
            severity=rules.outage.severity,
            incident_type=rules.clauses[first.rule].types[0],
            raised_at=at,
            first_occurred_at=first.occurred_at,
            last_occurred_at=first.occurred_at,
            count=len(self.members),
            incident_ids=(first.incident_id,),
            attributable=False,
            area=self._now(),
        )
        case = tell_step(Case(alert=alert, group="outage"), 0, office, at)
        self._extent = Extent(
            case=case,
            area_key=first.area_key,
            rule=first.rule,
            buckets=(),
            area=self._area,
            told_people=len(self.members),
            joined_at=at,
            ends_at=instant(at + timedelta(seconds=rules.outage.longest_s)),
        )
        return [change_of(case)]

    def _changed(self, event: AlertEvent, at: Instant, cause: str, **changes: object) -> Case:
        """The case after one more change; a change is named by its cause and by how many are in it."""
        assert self._extent is not None  # noqa: S101  # only of an opened outage
        case = self._extent.case
        alert = msgspec.structs.replace(
            case.alert,
            **{
                "change_id": event_id("alert-change", self.alert_id, event, cause),
                "seq": case.alert.seq + 1,
                "event": event,
                "at": at,
                "by": "",
                "tell": (),
                "count": len(self.members),
                "area": self._now(),
                **changes,
            },
        )
        return msgspec.structs.replace(case, alert=alert)

    def grown(self, at: Instant, office: Office) -> list[Emission]:
        """What is said when somebody joined: at once if it is ten times as large, else once in a while."""
        extent = self._extent
        if extent is None:
            return []
        extent = msgspec.structs.replace(extent, joined_at=at)
        if len(self.members) < TELL_AGAIN * extent.told_people or extent.case.alert.state == "resolved":
            if extent.say_at is None:
                say_at = instant(at + timedelta(seconds=office.rules.outage.say_again_s))
                extent = msgspec.structs.replace(extent, say_at=say_at)
            self._extent = extent
            return []
        self._extent = extent
        case = self._changed("counted", at, f"grown/{len(self.members)}")
        case = tell_step(case, case.alert.level, office, at)
        self._extent = msgspec.structs.replace(extent, case=case, told_people=len(self.members), say_at=None)
        return [change_of(case)]

    def waned(self, at: Instant, rules: AlertRules) -> None:
        """Somebody is back: when most are, the rest has a while before they are let go."""
        extent = self._extent
        if extent is None:
            return
        if extent.say_at is None:
            extent = msgspec.structs.replace(extent, say_at=instant(at + timedelta(seconds=rules.outage.say_again_s)))
        if extent.still_at is None and self._back >= rules.outage.back_share * len(self.members):
            still_at = instant(at + timedelta(seconds=rules.outage.still_after_s))
            extent = msgspec.structs.replace(extent, still_at=still_at)
        self._extent = extent

    def next_at(self) -> Instant | None:
        """When it next has something to do."""
        extent = self._extent
        if extent is None:
            return None
        lasting = (extent.ends_at, extent.say_at, extent.still_at) if extent.done_at is None else (extent.forget_at,)
        moments = [one for one in (*lasting, extent.case.due_at) if one is not None]
        return instant(min(moments)) if moments else None

    def is_forgotten(self, due: Instant) -> bool:
        """Whether it is over for so long that its alert need not be kept."""
        return self._extent is not None and self._extent.forget_at is not None and due >= self._extent.forget_at

    def timer(self, due: Instant, office: Office) -> list[Emission]:
        """What happens at `due`: escalation, a word on its size, or its end."""
        extent = self._extent
        if extent is None:
            return []
        said: list[Emission] = []
        if extent.case.due_at is not None and extent.case.due_at <= due:
            case = timer_due(extent.case, office)
            extent = self._extent = msgspec.structs.replace(extent, case=case)
            said.append(change_of(case))
        if extent.done_at is None and (
            extent.ends_at <= due or (extent.still_at is not None and extent.still_at <= due)
        ):
            return [*said, *self._over(due, office.rules)]
        if extent.say_at is not None and extent.say_at <= due:
            case = self._changed("counted", due, f"size/{due}")
            self._extent = msgspec.structs.replace(extent, case=case, say_at=None)
            said.append(change_of(case))
        return said

    def _over(self, at: Instant, rules: AlertRules) -> list[Emission]:
        """It is over: cleared when nobody had taken it up, else left to whoever did."""
        extent = self._extent
        assert extent is not None  # noqa: S101  # only of an opened outage
        if extent.case.alert.state == "open":
            case = self._changed("cleared", at, str(at), state="cleared", ended_at=at, escalates_at=None)
        elif extent.case.alert.state == "acknowledged":
            case = self._changed("ended", at, str(at), ended_at=at, escalates_at=None)
        else:
            case = extent.case
        case = msgspec.structs.replace(case, due_at=None, closed_at=at)
        self._extent = msgspec.structs.replace(extent, case=case)
        self.end(at, rules)
        return [change_of(case)] if case.alert.change_id != extent.case.alert.change_id else []

    def end(self, at: Instant, rules: AlertRules) -> None:
        """Nobody joins any more."""
        if self._extent is not None:
            forget_at = instant(at + timedelta(days=rules.keep_closed_days))
            self._extent = msgspec.structs.replace(
                self._extent, done_at=at, forget_at=forget_at, say_at=None, still_at=None
            )

    def empty(self) -> None:
        """Forget who was in it."""
        self.members.clear()
        self._incidents.clear()
        self._back = 0

    def saved(self) -> bytes:
        """What is kept of it, beside its members."""
        assert self._extent is not None  # noqa: S101  # only of an opened outage
        return encode(msgspec.structs.replace(self._extent, buckets=tuple(sorted(self.buckets)), area=self._area))

    def restore(self, value: bytes) -> None:
        """Take back what `saved` gave."""
        self._extent = decode(value, Extent)
        self.buckets = set(self._extent.buckets)
        self._area = self._extent.area

    def restore_member(self, member: Member) -> None:
        """Take back a member."""
        self.members[member.subject_id] = member
        self._incidents.add(member.incident_id)
        self._back += member.over


def _wider(least: float | None, most: float | None, value: float | None) -> tuple[float | None, float | None]:
    if value is None:
        return least, most
    return (value if least is None else min(least, value)), (value if most is None else max(most, value))
