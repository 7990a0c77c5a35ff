"""What is to be written when something becomes known? A person's books: facts, entries, and the lines between them.

Books of long ago are closed: an entry that began before the rolling window and the time for late data keeps its last
line for ever. What is left of it is carried, for grace and for restoration, until it has no bearing any more.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from pipeline.rulebook import ALWAYS
from pipeline.scoring.calendar import week_start, zone_of
from pipeline.scoring.facts import Facts, RulingCommand
from pipeline.scoring.ledger import Setting, derive
from pipeline.scoring.sum import score_of
from schemas.message import Message, Moment
from schemas.score import Score, ScoreEntry

LATENESS = timedelta(days=8)
"""How long after the rolling window an entry may still change; as long as late fixes are judged."""


class Books(Message, frozen=True, kw_only=True):
    """A person's state in the score agent. `waiting`: commands about entries that are not there yet."""

    facts: Facts
    entries: tuple[ScoreEntry, ...] = ()
    closed_before: Moment = ALWAYS
    score: Score | None = None
    waiting: tuple[RulingCommand, ...] = ()

    def entry(self, entry_id: str) -> ScoreEntry | None:
        """The entry of that id as it stands."""
        return next((one for one in self.entries if one.entry_id == entry_id), None)


class Posting(NamedTuple):
    """New books, the lines to be written, and the score when it is another than before."""

    books: Books
    lines: tuple[ScoreEntry, ...]
    score: Score | None


def post(books: Books, facts: Facts, setting: Setting, agency: str) -> Posting:
    """Derive the ledger from `facts` and write what differs from `books`."""
    rules = setting.book.at(facts.as_of)
    zone = zone_of(setting.time_zone, rules.time_zone)
    window = timedelta(days=rules.window_days)
    closed_before = _closing(books.closed_before, facts.as_of, window, setting)
    facts = facts if closed_before == books.closed_before else facts.since(closed_before)
    carried = tuple(one for one in books.entries if closed_before - 2 * window < one.occurred_at < closed_before)
    entries = derive(facts, setting, carried, closed_before)
    lines = _lines([one for one in books.entries if one.occurred_at >= closed_before], entries, closed_before)
    score = score_of(setting.subject_id, agency, entries, rules=rules, as_of=facts.as_of, zone=zone)
    changed = books.score is None or _shown(score) != _shown(books.score)
    kept = msgspec.structs.replace(books, facts=facts, entries=entries, closed_before=closed_before, score=score)
    return Posting(kept, lines, score if changed else None)


def _closing(so_far: datetime, as_of: datetime, window: timedelta, setting: Setting) -> datetime:
    """Up to when the books are closed: a Monday, so that days and weeks stay whole; it never goes back."""
    try:
        horizon = as_of - window - LATENESS
    except OverflowError:
        return so_far
    zone = zone_of(setting.time_zone, setting.book.at(as_of).time_zone)
    return max(so_far, week_start(horizon, zone))


def _shown(score: Score) -> Score:
    """A score without the moment: the passing of time alone is no news."""
    return msgspec.structs.replace(score, as_of=ALWAYS, changes_at=None)


def _lines(
    before: Iterable[ScoreEntry], after: Iterable[ScoreEntry], closed_before: datetime
) -> tuple[ScoreEntry, ...]:
    """What to write so that a reader of the lines has `after`: first what is taken back, then what is new."""
    old = {one.entry_id: one for one in before}
    new = {one.entry_id: one for one in after if one.occurred_at >= closed_before}
    lines = [_taken_back(one) for name, one in old.items() if name not in new and one.state != "reversed"]
    for name, one in new.items():
        was = old.get(name)
        if was is None:
            lines.append(one)
        elif was != one:
            if was.points != one.points and "reversed" not in (was.state, one.state):
                lines.append(_taken_back(was))
            lines.append(one)
    return tuple(lines)


def _taken_back(entry: ScoreEntry) -> ScoreEntry:
    return msgspec.structs.replace(entry, state="reversed", cause="recomputed")
