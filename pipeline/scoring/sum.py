"""What is a person's score at a moment? The sum over a ledger's lines: a fold, with nothing kept beside it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.scoring.calendar import week_start, weeks
from pipeline.scoring.restoration import counts
from pipeline.scoring.rules import ScoreRules
from schemas.score import ColourMeaning, Score, ScoreEntry
from schemas.times import Instant, instant

FULL = 100


def standing_lines(lines: Iterable[ScoreEntry]) -> tuple[ScoreEntry, ...]:
    """Of all lines of a ledger, in the order in which they were written, those that hold: the latest of each entry.

    An entry whose latest line takes it back by recomputation is gone.
    """
    latest = {line.entry_id: line for line in lines}
    held = (line for line in latest.values() if line.cause != "recomputed")
    return tuple(sorted(held, key=lambda one: (one.occurred_at, one.kind, one.entry_id)))


def score_of(
    subject_id: str, agency: str, entries: Iterable[ScoreEntry], *, rules: ScoreRules, as_of: datetime, zone: ZoneInfo
) -> Score:
    """The score that `entries` add up to at `as_of`, by the rules in force then."""
    entries = tuple(entries)
    opens = as_of - timedelta(days=rules.window_days)
    inside = [one for one in entries if opens < one.occurred_at <= as_of]
    counting = {one.entry_id: -one.points for one in inside if counts(one, rules)}
    restored = dict.fromkeys(counting, 0)
    for one in entries:
        if one.restores in restored and one.state != "reversed":
            restored[one.restores] += one.points
    provisional = sum(-one.points for one in inside if one.state in ("provisional", "appealed") and not one.firm)
    deducted, given_back = sum(counting.values()), sum(restored.values())
    points = _bounded(FULL - deducted + given_back)
    colour = rules.colour(points)
    owing = any(counting[name] > restored[name] for name in counting)
    return Score(
        subject_id=subject_id,
        agency=agency,
        points=points,
        points_if_confirmed=_bounded(FULL - deducted + given_back - provisional),
        colour=colour,
        as_of=instant(as_of),
        changes_at=_changes_at(inside, counting, rules, as_of, zone if owing else None),
        window_days=rules.window_days,
        deducted=deducted,
        restored=given_back,
        provisional=provisional,
        appealed=sum(-one.points for one in inside if one.state == "appealed"),
        rule_version=rules.version,
        meaning=rules.colours.get(colour, ColourMeaning()),
    )


def _bounded(points: int) -> int:
    return max(0, min(FULL, points))


def _changes_at(
    inside: Iterable[ScoreEntry], counting: dict[str, int], rules: ScoreRules, as_of: datetime, zone: ZoneInfo | None
) -> Instant | None:
    """When the next deduction leaves the window, or the next week ends that may pay something back (with `zone`)."""
    window = timedelta(days=rules.window_days)
    moments = [instant(one.occurred_at + window) for one in inside if one.entry_id in counting]
    if zone is not None and rules.points_per_clean_week:
        moments.append(_week_end(as_of, zone))
    return min(moments, default=None)


def _week_end(moment: datetime, zone: ZoneInfo) -> Instant:
    begun = week_start(moment, zone)
    _, end = next(weeks(begun, begun + timedelta(days=8), zone))
    return end
