"""Which entries follow from the facts? The ledger is derived anew from all that is known, never patched.

`derive` goes through incidents in the order in which they happened. For each whose type has a clause in the rules that
were in force at that moment:

1. Withdrawn by a correction, nobody's fault, or within a leave: the entry is there, and reversed, with the cause.
2. Else rulings of people decide its state (`pipeline.scoring.standing`).
3. The first `grace` of a clause within the window are warnings.
4. Points: base x weight by severity x weight by duration (of a breach that is over), rounded half up, at least 1.
5. Caps: of the clause and of all clauses, by local day; what an officer has yet to confirm has caps of its own.

Then each whole week without a deduction that counts pays back points, oldest deductions first.

The same facts give the same entries in the same order, whatever the order in which they became known.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pipeline.leave import Permit, excusing
from pipeline.rulebook import ALWAYS, Rulebook
from pipeline.scoring.calendar import local_day, zone_of
from pipeline.scoring.facts import Deed, Facts, Ruling, stray_of
from pipeline.scoring.restoration import restorations
from pipeline.scoring.rules import Clause, ScoreRules
from pipeline.scoring.standing import Standing, fold, trial
from schemas.ids import event_id
from schemas.score import Cause, ScoreEntry


class Setting(NamedTuple):
    """What a ledger is derived with, beside the facts."""

    subject_id: str
    book: Rulebook[ScoreRules]
    time_zone: str


class _Excuse(NamedTuple):
    cause: Cause
    by: str
    at: datetime | None
    id: str


class _Links(NamedTuple):
    """What incidents say about other incidents."""

    withdrawn: Mapping[str, Deed]
    closed: Mapping[str, Deed]
    settled: Mapping[str, Deed]
    permits: Sequence[Permit]
    rulings: Mapping[str, list[Ruling]]


@lru_cache(maxsize=10_000)
def entry_id_of(subject_id: str, incident_id: str) -> str:
    """The id of the entry for an incident."""
    return event_id("score-entry", subject_id, incident_id)


def derive(
    facts: Facts, setting: Setting, carried: Iterable[ScoreEntry] = (), closed_before: datetime = ALWAYS
) -> tuple[ScoreEntry, ...]:
    """All entries, in order of their time.

    `carried`: entries from before `closed_before`, when the books of that time were closed; they go on to count for
    grace and for what is to be paid back, and are part of the result.
    """
    links = _linked(facts)
    now_in_force = setting.book.at(facts.as_of)
    zone = zone_of(setting.time_zone, now_in_force.time_zone)
    settled = list(carried)
    frame = _Frame(setting.subject_id, zone, links, _Tally(settled))
    entries = []
    for deed in sorted(facts.deeds.values(), key=lambda one: (one.occurred_at, one.incident_id)):
        rules = setting.book.at(deed.occurred_at)
        found = rules.clause_of(deed.type)
        if found is not None and deed.occurred_at >= closed_before:
            entries.append(_entry(deed, found, rules, frame))
    deductions = settled + entries
    paid = restorations(deductions, setting.book, setting.subject_id, (closed_before, facts.as_of), zone)
    return tuple(sorted(deductions + paid, key=lambda one: (one.occurred_at, one.kind, one.entry_id)))


def _linked(facts: Facts) -> _Links:
    rulings: dict[str, list[Ruling]] = defaultdict(list)
    for ruling in facts.rulings.values():
        rulings[ruling.entry_id].append(ruling)
    by_type: dict[str, list[Deed]] = defaultdict(list)
    for deed in sorted(facts.deeds.values(), key=lambda one: (one.detected_at, one.incident_id)):
        by_type[deed.type].append(deed)
    return _Links(
        withdrawn={deed.breach_id: deed for deed in by_type["breach.corrected"] if deed.breach_id},
        closed={deed.breach_id: deed for deed in by_type["breach.closed"] if deed.breach_id},
        settled={
            deed.settles: deed
            for deed in sorted(
                by_type["identity.confirmed"] + by_type["identity.refuted"],
                key=lambda one: (one.detected_at, one.incident_id),
            )
            if deed.settles
        },
        permits=tuple(facts.permits[name] for name in sorted(facts.permits)),
        rulings=rulings,
    )


class _Tally:
    """What the entries so far have used up: graces, and points by local day."""

    def __init__(self, carried: Iterable[ScoreEntry]) -> None:
        self._graced: dict[str, list[datetime]] = defaultdict(list)
        self._spent: dict[tuple[str, str, bool], int] = defaultdict(int)
        for entry in carried:
            if entry.kind != "restoration" and entry.state != "reversed":
                self._graced[entry.rule].append(entry.occurred_at)

    def warned_only(self, name: str, clause: Clause, at: datetime, window: timedelta) -> bool:
        """Count one more of a clause; true when it is within its grace."""
        earlier = sum(1 for other in self._graced[name] if other > at - window)
        self._graced[name].append(at)
        return earlier < clause.grace

    def spend(self, points: int, caps: Iterable[tuple[str, int | None]], day: str, firm: bool) -> int:
        """How much of `points` the caps leave; takes it from each."""
        caps = tuple(caps)
        rests = [cap - self._spent[name, day, firm] for name, cap in caps if cap is not None]
        points = max(0, min([points, *rests]))
        for name, _ in caps:
            self._spent[name, day, firm] += points
        return points


class _Frame(NamedTuple):
    """What all entries of one derivation share."""

    subject_id: str
    zone: ZoneInfo
    links: _Links
    tally: "_Tally"


def _entry(deed: Deed, found: tuple[str, Clause], rules: ScoreRules, frame: _Frame) -> ScoreEntry:
    subject_id, zone, links, tally = frame
    name, clause = found
    entry_id = entry_id_of(subject_id, deed.incident_id)
    excuse = _excuse(deed, clause, links)
    rulings = _rulings_on(links.rulings.get(entry_id, ()), links.settled.get(deed.incident_id))
    standing = fold(clause.provisional, rulings)
    day = local_day(deed.occurred_at, zone).isoformat()
    closed = links.closed.get(deed.breach_id) if deed.breach_id else None
    duration_s = max(0.0, (closed.occurred_at - deed.occurred_at).total_seconds()) if closed else None
    weight = _weight(deed, clause, rules, duration_s)
    full = _half_up(clause.points * weight)
    state, cause = (standing.state, standing.cause) if excuse is None else ("reversed", excuse.cause)
    warning, points = False, full
    if state != "reversed":
        warning = tally.warned_only(name, clause, deed.occurred_at, timedelta(days=rules.window_days))
        caps = (("", rules.day_cap), (name, clause.day_cap))
        points = 0 if warning else tally.spend(full, caps, day, standing.firm)
    by, at, settled_id = _settled(excuse, standing)
    return ScoreEntry(
        entry_id=entry_id,
        subject_id=subject_id,
        agency=deed.agency,
        kind="warning" if warning else "deduction",
        points=-points,
        state=state,
        firm=standing.firm,
        cause=cause,
        rule=name,
        rule_version=rules.version,
        occurred_at=deed.occurred_at,
        local_day=day,
        incident_id=deed.incident_id,
        incident_type=deed.type,
        breach_id=deed.breach_id,
        fence_id=deed.fence_id,
        fence_name=deed.fence_name,
        severity=deed.severity,
        duration_s=duration_s,
        base_points=clause.points,
        weight=weight,
        capped_from=full if points < full and not warning else None,
        settled_by=by,
        settled_at=at,
        settled_id=settled_id,
        note=standing.last.note if standing.last and excuse is None else "",
        evidence=deed.evidence,
    )


def _excuse(deed: Deed, clause: Clause, links: _Links) -> _Excuse | None:
    correction = links.withdrawn.get(deed.breach_id) if deed.breach_id else None
    if correction is not None and correction.evidence.get("reason") == "leave":
        by, leave_id = (str(correction.evidence.get(name, "")) for name in ("decided_by", "leave_id"))
        return _Excuse("leave", by, correction.detected_at, leave_id)
    if correction is not None:
        return _Excuse("corrected", "", correction.detected_at, correction.incident_id)
    if not deed.attributable:
        return _Excuse("not_attributable", "", None, "")
    permit = excusing(stray_of(deed), links.permits) if clause.excused_by_leave and not deed.keep_out else None
    if permit is not None:
        return _Excuse("leave", permit.leave.decided_by, None, permit.leave.leave_id)
    settled = links.settled.get(deed.incident_id)
    if settled is not None and settled.type == "identity.confirmed":
        return _Excuse("identity_confirmed", "", settled.detected_at, settled.incident_id)
    return None


def _rulings_on(rulings: Iterable[Ruling], settled: Deed | None) -> list[Ruling]:
    """What people ruled about an entry; a video check that found another person confirms it."""
    if settled is None or settled.type != "identity.refuted":
        return list(rulings)
    by = settled.evidence.get("by", "")
    confirmed = Ruling(
        command_id=settled.incident_id,
        entry_id="",
        act="confirm",
        by=by if isinstance(by, str) else "",
        at=settled.detected_at,
    )
    return [*rulings, confirmed]


def moves_nothing(
    ruling: Ruling, entry: ScoreEntry, facts: Facts, book: Rulebook[ScoreRules]
) -> tuple[str, str] | None:
    """Why `ruling` would not move `entry` (a code, and words), or None when it would."""
    deed = facts.deeds.get(entry.incident_id)
    found = book.at(deed.occurred_at).clause_of(deed.type) if deed is not None else None
    if deed is None or found is None:
        return "wrong_entry", "the entry is not a deduction that can be decided about"
    links = _linked(facts)
    rulings = _rulings_on(links.rulings.get(entry.entry_id, ()), links.settled.get(deed.incident_id))
    return trial(found[1].provisional, rulings, ruling)


def _settled(excuse: _Excuse | None, standing: Standing) -> tuple[str, datetime | None, str]:
    if excuse is not None:
        return excuse.by, excuse.at, excuse.id
    if standing.last is not None:
        return standing.last.by, standing.last.at, standing.last.command_id
    return "", None, ""


def _weight(deed: Deed, clause: Clause, rules: ScoreRules, duration_s: float | None) -> float:
    by_severity = rules.severity_weight if clause.severity_weight is None else clause.severity_weight
    weight = by_severity.get(deed.severity, 1.0)
    if duration_s is not None:
        reached = [step.weight for step in clause.duration_weight if duration_s >= step.from_s]
        weight *= reached[-1] if reached else 1.0
    return weight


def _half_up(points: float) -> int:
    """Whole points, a half counting as one; a duty that has a price never costs nothing."""
    return max(1, int(points + 0.5)) if points > 0 else 0
