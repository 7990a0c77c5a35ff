"""What does an event do to a person's ledger? The score agent's rule, by subject.

In: incidents, commands about entries (`score.*`), changes of leaves, and the timer for the end of a week or of the
rolling window. Out: lines on `score-entries`, the score on `scores`, a result for each command.
"""

from datetime import datetime

import msgspec

from pipeline.answers import answer
from pipeline.authority import Refusal, refusal
from pipeline.casebook import Casebook
from pipeline.hearsay import heard_command
from pipeline.leave import check
from pipeline.rejection import written_at
from pipeline.scoring.books import Books, post
from pipeline.scoring.facts import Facts, RulingCommand, deed_from, ruling_from
from pipeline.scoring.ledger import moves_nothing
from pipeline.step import Emission, Record, Step, Wake
from schemas.command import ConfirmEntry, ContestEntry, DecideAppeal, ReverseEntry
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import decode, encode
from schemas.reference import Leave

LINKS = ("breach.closed", "breach.corrected", "identity.confirmed", "identity.refuted")
"""Incidents that cost nothing themselves but settle what others cost."""

MOST_WAITING = 50
"""Commands about unknown entries kept for one person; more are refused."""


def decide(key: str, state: Books | None, event: Record | Wake, reference: Casebook, now: datetime) -> Step[Books]:
    """What follows from `event` for the person `key`.

    Raises:
        Invalid: a record that is no incident, leave or command.
    """
    if isinstance(event, Wake):
        if state is None:
            return Step(None)
        return _write(key, state, state.facts.seen(event.due_at), reference, f"wake/{event.due_at}")
    match event.topic:
        case "incidents":
            return _on_incident(key, state, event, reference)
        case "leave-changes":
            return _on_leave(key, state, event, reference, now)
        case _:
            return _on_command(key, state, event, reference)


def _cause(record: Record) -> str:
    return f"{record.topic}/{record.partition}@{record.offset}"


def _next(state: Books | None) -> datetime | None:
    return state.score.changes_at if state is not None and state.score is not None else None


def _begun(state: Books | None, at: datetime) -> Books:
    return state if state is not None else Books(facts=Facts(as_of=at))


def _on_incident(key: str, state: Books | None, record: Record, reference: Casebook) -> Step[Books]:
    incident = decode(record.value, Incident)
    priced = reference.score.at(incident.occurred_at).clause_of(incident.type) is not None
    if not priced and incident.type not in LINKS:
        return Step(state, wake_at=_next(state))
    books = _begun(state, incident.detected_at)
    if incident.occurred_at < books.closed_before:
        return Step(state, wake_at=_next(state))
    return _write(
        key, books, books.facts.with_deed(deed_from(incident)), reference, _cause(record), agency=incident.agency
    )


def _on_leave(key: str, state: Books | None, record: Record, reference: Casebook, now: datetime) -> Step[Books]:
    leave = decode(record.value, Leave)
    check(leave)
    books = _begun(state, now)
    return _write(key, books, books.facts.with_leave(leave, written_at(record, now)), reference, _cause(record))


def _on_command(key: str, state: Books | None, record: Record, reference: Casebook) -> Step[Books]:
    command = heard_command(record.value)
    if not isinstance(command, ConfirmEntry | ReverseEntry | ContestEntry | DecideAppeal):
        return Step(state, wake_at=_next(state))
    books = _begun(state, command.at)
    if command.command_id in books.facts.rulings:
        return Step(state, wake_at=_next(state))
    agencies = {reference.agency_of(key, books.score.agency if books.score else "")}
    refused = refusal(command, agencies) or _unfit(command, books)
    if refused is not None:
        return Step(state, (answer(command, "refused", refused),), _next(state))
    # Also a ruling that moves nothing is a fact: had an earlier one come before it, it would be the same.
    facts = books.facts.with_ruling(ruling_from(command))
    if books.entry(command.entry_id) is not None:
        said = _told(command, books, reference)
        step = _write(key, books, facts, reference, _cause(record))
        return Step(step.state, (*step.emissions, said), step.wake_at)
    books = msgspec.structs.replace(books, waiting=(*books.waiting, command))
    step = _write(key, books, facts, reference, _cause(record))
    return Step(step.state, (*step.emissions, answer(command, "waiting", _UNKNOWN)), step.wake_at)


_UNKNOWN = Refusal("unknown_entry", "no such entry yet; the command counts once there is")


def _unfit(command: RulingCommand, books: Books) -> Refusal | None:
    entry = books.entry(command.entry_id)
    if entry is None:
        full = len(books.waiting) >= MOST_WAITING
        return Refusal("unknown_entry", f"{command.subject_id} has no entry {command.entry_id}") if full else None
    if entry.kind != "restoration" and entry.occurred_at < books.closed_before:
        return Refusal("books_closed", f"entries before {books.closed_before} no longer count, and no longer change")
    return None


def _told(command: RulingCommand, books: Books, reference: Casebook, at: datetime | None = None) -> Emission:
    """The result of a command about an entry that is there."""
    entry = books.entry(command.entry_id)
    why = moves_nothing(ruling_from(command), entry, books.facts, reference.score) if entry is not None else None
    refused = None if why is None else Refusal(*why)
    return answer(command, "done" if refused is None else "refused", refused, effect=command.entry_id, at=at)


def _write(key: str, books: Books, facts: Facts, reference: Casebook, cause: str, *, agency: str = "") -> Step[Books]:
    """Post `facts`; a line's id holds its cause, so that the same words written again later are not taken for it."""
    told = agency or (books.score.agency if books.score is not None else "")
    posting = post(books, facts, reference.setting(key, facts.as_of), reference.agency_of(key, told))
    emissions = [
        Emission("score-entries", key, line, event_id("score-line", encode(line).decode(), cause))
        for line in posting.lines
    ]
    if posting.score is not None:
        emissions.append(Emission("scores", key, posting.score, event_id("score", key, cause)))
    kept, answers = _awaited(posting.books, reference)
    return Step(kept, (*emissions, *answers), _next(kept))


def _awaited(books: Books, reference: Casebook) -> tuple[Books, list[Emission]]:
    """Answer the commands that waited for an entry that is there now."""
    known = [one for one in books.waiting if books.entry(one.entry_id) is not None]
    if not known:
        return books, []
    answers = [_told(one, books, reference, books.facts.as_of) for one in known]
    rest = tuple(one for one in books.waiting if one not in known)
    return msgspec.structs.replace(books, waiting=rest), answers
