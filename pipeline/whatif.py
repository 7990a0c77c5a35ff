"""What would a draft of the rules have changed? Two runs over the same history, breach by breach, per fence and person.

A breach of one run is that of the other when both are of the same person and fence and overlap in time. Then it is
`same`, or `moved` when it began or ended at another moment (by more than a second). Else it is `opened` (only the draft
has it) or `dropped` (only the current rules have it). Other incidents (silence, passages, findings about devices) are
counted by type; the same id in both runs is the same incident.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from schemas.incident import Incident
from schemas.message import Moment

Kind = Literal["opened", "dropped", "moved", "same"]
SAME_S = 1.0


class Breach(msgspec.Struct, frozen=True):
    """A breach of one run; `until` is None while it lasts."""

    subject_id: str
    fence_id: str
    since: Moment
    until: Moment | None
    opened: Incident


class Change(msgspec.Struct, frozen=True):
    """What becomes of a breach. `before`, `after`: as the current rules and the draft have it."""

    kind: Kind
    subject_id: str
    fence_id: str
    before: Breach | None
    after: Breach | None


class Tally(msgspec.Struct, frozen=True):
    """How many breaches of a fence or person there are under the current rules and the draft, and what changes.

    `closed`: of the moved ones, those that the draft ends earlier (or at all).
    """

    of: str
    before: int
    after: int
    opened: int
    dropped: int
    moved: int
    closed: int


class Comparison(msgspec.Struct, frozen=True):
    """All of it, in order of time and name."""

    changes: tuple[Change, ...]
    by_fence: tuple[Tally, ...]
    by_subject: tuple[Tally, ...]
    others: dict[str, tuple[int, int]]
    """Type -> how many incidents that are no breach only the current rules have, and only the draft."""


def breaches(incidents: Iterable[Incident]) -> list[Breach]:
    """The breaches that stand at the end of a run: what was corrected away is none."""
    found: dict[str, Breach] = {}
    for incident in incidents:
        known = found.get(incident.breach_id)
        if incident.type == "breach.opened":
            found[incident.breach_id] = Breach(
                incident.subject_id, incident.fence_id, incident.occurred_at, None, incident
            )
        elif incident.type == "breach.closed" and known is not None:
            found[incident.breach_id] = msgspec.structs.replace(known, until=incident.occurred_at)
        elif incident.type == "breach.corrected" and known is not None:
            del found[incident.breach_id]
    return sorted(found.values(), key=_place)


def _place(breach: Breach) -> tuple[str, str, datetime, str]:
    return breach.subject_id, breach.fence_id, breach.since, breach.opened.incident_id


def compare(current: Sequence[Incident], draft: Sequence[Incident]) -> Comparison:
    """What `draft` has that `current` has not, and the other way round."""
    pairs: dict[tuple[str, str], tuple[list[Breach], list[Breach]]] = {}
    for side, run in enumerate((current, draft)):
        for breach in breaches(run):
            pairs.setdefault((breach.subject_id, breach.fence_id), ([], []))[side].append(breach)
    changes: list[Change] = []
    for before, after in pairs.values():
        changes += _matched(before, after)
    changes.sort(key=lambda change: (_either(change).since, _place(_either(change))))
    return Comparison(
        tuple(changes),
        _tallies(changes, "fence_id"),
        _tallies(changes, "subject_id"),
        _others(current, draft),
    )


def _either(change: Change) -> Breach:
    breach = change.after or change.before
    assert breach is not None  # noqa: S101  # a change is of something
    return breach


def _matched(before: list[Breach], after: list[Breach]) -> list[Change]:
    """Breaches of one person and fence, both lists by time; each is matched with the first of the other it overlaps."""
    changes, left = [], list(after)
    for old in before:
        new = next((one for one in left if _overlap(old, one)), None)
        if new is None:
            changes.append(Change("dropped", old.subject_id, old.fence_id, old, None))
            continue
        left.remove(new)
        same = _same(old.since, new.since) and _same(old.until, new.until)
        changes.append(Change("same" if same else "moved", old.subject_id, old.fence_id, old, new))
    return changes + [Change("opened", new.subject_id, new.fence_id, None, new) for new in left]


def _overlap(one: Breach, other: Breach) -> bool:
    return (other.until is None or one.since <= other.until) and (one.until is None or other.since <= one.until)


def _same(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs((one - other).total_seconds()) <= SAME_S


def _ends_earlier(change: Change) -> bool:
    before, after = change.before, change.after
    if change.kind != "moved" or before is None or after is None or after.until is None:
        return False
    return before.until is None or (before.until - after.until).total_seconds() > SAME_S


def _tallies(changes: Iterable[Change], field: Literal["fence_id", "subject_id"]) -> tuple[Tally, ...]:
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(getattr(change, field), []).append(change)
    tallies = []
    for of, group in sorted(groups.items()):
        kinds = Counter(change.kind for change in group)
        tallies.append(
            Tally(
                of=of,
                before=len(group) - kinds["opened"],
                after=len(group) - kinds["dropped"],
                opened=kinds["opened"],
                dropped=kinds["dropped"],
                moved=kinds["moved"],
                closed=sum(map(_ends_earlier, group)),
            )
        )
    return tuple(tallies)


def _others(current: Iterable[Incident], draft: Iterable[Incident]) -> dict[str, tuple[int, int]]:
    sides = [{i.incident_id: i.type for i in run if not i.type.startswith("breach.")} for run in (current, draft)]
    only = [Counter(kind for name, kind in one.items() if name not in other) for one, other in (sides, sides[::-1])]
    return {kind: (only[0][kind], only[1][kind]) for kind in sorted(only[0].keys() | only[1].keys())}
