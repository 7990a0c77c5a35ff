"""Who is there, under which order, with which score, leave and fences? Reference data as a console looks for it."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.readmodel.draft import Draft, Places, Reading, Row, Told, kept
from pipeline.readmodel.layout import AGENCIES, LEAVES_ASKED, age, index, joined, ledger, of_subject, versions
from schemas.message import Message, Moment, decode, encode
from schemas.outage import Outage
from schemas.reference import Activation, Fence, Leave, Subject
from schemas.roster import RuleSet
from schemas.score import Score, ScoreEntry

LEAVE_OVER = frozenset({"refused", "withdrawn", "ended"})


class FenceVersion(Message, frozen=True, kw_only=True):
    """A version of a fence, and when it was said."""

    version: int
    said_at: Moment
    feature: Fence


def subject_places(subject: Subject) -> Places:
    """By agency, and by the beginnings of what people call the case."""
    name, agency = subject.subject_id, subject.agency
    codes = {name.casefold(), subject.case_ref.casefold()} - {""}
    return {
        (index("people", agency), name): 0.0,
        **{(index("codes", agency), joined(code, name)): 0.0 for code in sorted(codes)},
    }


def read_subject(subject_id: str, subject: Subject | None) -> Reading:
    """Keep the person, but not the contacts: nobody asks a console for them."""
    bare = None if subject is None else msgspec.structs.replace(subject, contacts={}, time_zone=_zone(subject))

    def told(old: Subject | None, new: Subject | None) -> list[Told]:
        agencies = {one.agency for one in (old, new) if one is not None}
        return [Told("person", subject_id, subject_id, tuple(sorted(agencies)))]

    reading = kept(("subjects", subject_id), bare, Subject, subject_places, told)

    def apply(draft: Draft) -> None:
        reading.apply(draft)
        if bare is not None:
            draft.move({}, {(AGENCIES, bare.agency): 0.0})

    return Reading(reading.wants, apply)


def _zone(subject: Subject) -> str:
    """The person's time zone; UTC where there is none of that name, so that the rest can still be shown."""
    try:
        return ZoneInfo(subject.time_zone).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"


def activation_places(activation: Activation) -> Places:
    """By person, device and agency."""
    name, from_s = activation.activation_id, activation.starts_at.timestamp()
    places: Places = {
        (of_subject("activations", activation.subject_id), name): from_s,
        (index("activations", activation.agency), joined(activation.subject_id, name)): from_s,
        (index("activations-on", activation.device_id), name): from_s,
    }
    if activation.ends_at is not None:
        places[age("activations"), name] = activation.ends_at.timestamp()
    return places


def read_activation(activation_id: str, activation: Activation | None) -> Reading:
    """Keep which device is on whom."""

    def told(old: Activation | None, new: Activation | None) -> list[Told]:
        return [Told("person", one.subject_id, one.subject_id, (one.agency,)) for one in (old, new) if one is not None]

    return kept(("activations", activation_id), activation, Activation, activation_places, told)


def read_score(subject_id: str, score: Score | None) -> Reading:
    """Keep the sum."""
    agencies = (score.agency,) if score is not None and score.agency else ()
    return kept(
        ("scores", subject_id),
        score,
        Score,
        lambda _: {},
        lambda old, new: [Told("score", subject_id, subject_id, agencies)],  # noqa: ARG005
    )


def read_entry(entry: ScoreEntry) -> Reading:
    """Keep the latest line of each entry."""
    return kept(
        (ledger(entry.subject_id), entry.entry_id),
        entry,
        ScoreEntry,
        lambda _: {},
        lambda old, new: [Told("score", entry.subject_id, entry.subject_id)],  # noqa: ARG005
    )


def leave_places(leave: Leave) -> Places:
    """By person; what waits for a decision for all."""
    name, from_s = leave.leave_id, leave.starts_at.timestamp()
    places: Places = {(of_subject("leaves", leave.subject_id), name): from_s}
    if leave.state == "asked":
        places[LEAVES_ASKED, name] = from_s
    places[age("leaves"), name] = leave.ends_at.timestamp()
    return places


def read_leave(leave: Leave) -> Reading:
    """Keep a leave as it was last said."""
    return kept(
        ("leaves", leave.leave_id),
        leave,
        Leave,
        leave_places,
        lambda old, new: [Told("leave", leave.leave_id, leave.subject_id)],  # noqa: ARG005
    )


def outage_places(outage: Outage) -> Places:
    """Those that last."""
    if outage.ended_at is None:
        return {("outages-open", outage.outage_id): outage.since.timestamp()}
    return {(age("outages"), outage.outage_id): outage.ended_at.timestamp()}


def read_outage(outage_id: str, outage: Outage | None) -> Reading:
    """Keep an area's outage."""
    return kept(("outages", outage_id), outage, Outage, outage_places, lambda old, new: [])  # noqa: ARG005


def read_rules(rule_set_id: str, rules: RuleSet | None) -> Reading:
    """Keep a version of rules: ledgers are explained by them."""
    return kept(("rules", rule_set_id), rules, RuleSet, lambda _: {}, lambda old, new: [])  # noqa: ARG005


def fence_places(fence: Fence) -> Places:
    """By agency."""
    return {(index("fences", fence.properties.agency), fence.properties.fence_id): 0.0}


def read_fence(fence_id: str, fence: Fence | None, said_at: Moment) -> Reading:
    """Keep the fence as it is drawn now, and each of its versions (of several of one number the last)."""
    row: Row = ("fences", fence_id)
    latest = kept(
        row,
        fence,
        Fence,
        fence_places,
        lambda old, new: [
            Told("fence", fence_id, agencies=tuple(sorted({f.properties.agency for f in (old, new) if f is not None})))
        ],
    )

    def apply(draft: Draft) -> None:
        raw = draft.get(row)
        if fence is not None and raw is not None and decode(raw, Fence) == fence:
            return  # said again
        latest.apply(draft)
        if fence is not None:
            version = FenceVersion(version=fence.properties.version, said_at=said_at, feature=fence)
            draft.put((versions(fence_id), str(version.version)), encode(version))

    return Reading((row,), apply)
