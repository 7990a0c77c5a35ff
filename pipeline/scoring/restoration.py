"""What do clean weeks give back? Points of a deduction return with each whole week in which nothing was deducted.

A restoration belongs to the deduction that it pays back: it leaves the rolling window with it, so that good weeks are
no stock of points to spend later.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.rulebook import Rulebook
from pipeline.scoring.calendar import local_day, weeks
from pipeline.scoring.rules import ScoreRules
from schemas.ids import event_id
from schemas.score import ScoreEntry


def counts(entry: ScoreEntry, rules: ScoreRules) -> bool:
    """Whether a deduction is part of the score: firm, not reversed and, if the rules say so, not contested."""
    if entry.kind != "deduction" or entry.points == 0 or not entry.firm:
        return False
    return entry.state in ("confirmed", "upheld") or (entry.state == "appealed" and rules.appealed_counts)


def restorations(
    entries: Sequence[ScoreEntry],
    book: Rulebook[ScoreRules],
    subject_id: str,
    span: tuple[datetime, datetime],
    zone: ZoneInfo,
) -> list[ScoreEntry]:
    """The restorations of all weeks that ended after the first moment of `span` and by the second.

    Those of earlier weeks are among `entries` already.
    """
    closed_before, as_of = span
    in_force = book.at(as_of)
    owed = sorted((one for one in entries if counts(one, in_force)), key=lambda one: (one.occurred_at, one.entry_id))
    if not owed:
        return []
    rest = {one.entry_id: -one.points for one in owed}
    for one in entries:
        if one.restores in rest:
            rest[one.restores] -= one.points
    made: list[ScoreEntry] = []
    for begin, end in weeks(max(owed[0].occurred_at, closed_before), as_of, zone):
        if end > closed_before and not any(begin <= one.occurred_at < end for one in owed):
            made += _week(end, owed, rest, rules=book.at(end), subject_id=subject_id, zone=zone)
    return made


def _week(
    end: datetime,
    owed: Iterable[ScoreEntry],
    rest: dict[str, int],
    *,
    rules: ScoreRules,
    subject_id: str,
    zone: ZoneInfo,
) -> Iterable[ScoreEntry]:
    """What the clean week up to `end` pays back; takes it from `rest`."""
    purse = rules.points_per_clean_week
    window = timedelta(days=rules.window_days)
    for one in owed:
        points = min(purse, rest[one.entry_id]) if end - window < one.occurred_at < end else 0
        if points <= 0:
            continue
        purse -= points
        rest[one.entry_id] -= points
        yield ScoreEntry(
            entry_id=event_id("score-restoration", subject_id, end, one.entry_id),
            subject_id=subject_id,
            agency=one.agency,
            kind="restoration",
            points=points,
            state="confirmed",
            rule="clean_week",
            rule_version=rules.version,
            occurred_at=end,
            local_day=local_day(end - timedelta(seconds=1), zone).isoformat(),
            base_points=rules.points_per_clean_week,
            restores=one.entry_id,
        )
