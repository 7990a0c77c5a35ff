"""In which state is an entry, after all that people ruled about it? One table, folded over the rulings by time."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from pipeline.scoring.facts import Ruling, RulingAct
from schemas.score import Cause, EntryState

MOVES: dict[tuple[EntryState, RulingAct], EntryState] = {
    ("provisional", "confirm"): "confirmed",
    ("provisional", "reverse"): "reversed",
    ("provisional", "contest"): "appealed",
    ("confirmed", "reverse"): "reversed",
    ("confirmed", "contest"): "appealed",
    ("appealed", "uphold"): "upheld",
    ("appealed", "overturn"): "reversed",
    ("appealed", "reverse"): "reversed",
    ("upheld", "reverse"): "reversed",
}
"""What is not here is refused: an appeal is decided once, and what is reversed stays so."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entry stands. `firm`: it counts (or would, were it not appealed). `last`: the ruling that holds."""

    state: EntryState
    firm: bool
    cause: Cause = ""
    last: Ruling | None = None
    confirmed_by: str = ""


def begin(provisional: bool) -> Standing:
    """The standing of an entry that nobody ruled about."""
    return Standing(state="provisional" if provisional else "confirmed", firm=not provisional)


def refusal(standing: Standing, ruling: Ruling) -> tuple[str, str] | None:
    """Why `ruling` does not move `standing` (a code, and words), or None when it does."""
    if (standing.state, ruling.act) not in MOVES:
        return "wrong_state", f"the entry is {standing.state}; it cannot be moved by {ruling.act}"
    if ruling.act in ("uphold", "overturn") and ruling.by == standing.confirmed_by:
        return "same_person", "whoever confirmed a deduction does not decide the appeal against it"
    return None


def after(standing: Standing, ruling: Ruling) -> Standing:
    """The standing after `ruling`; the same when it is refused."""
    if refusal(standing, ruling) is not None:
        return standing
    cause: Cause = ""
    if ruling.act == "reverse":
        cause = "officer"
    elif ruling.act == "overturn":
        cause = "appeal"
    return Standing(
        state=MOVES[standing.state, ruling.act],
        firm=standing.firm or ruling.act in ("confirm", "uphold"),
        cause=cause,
        last=ruling,
        confirmed_by=ruling.by if ruling.act == "confirm" else standing.confirmed_by,
    )


def fold(provisional: bool, rulings: Iterable[Ruling]) -> Standing:
    """The standing after all rulings, in order of their time."""
    standing = begin(provisional)
    for ruling in sorted(rulings, key=_order):
        standing = after(standing, ruling)
    return standing


def trial(provisional: bool, rulings: Iterable[Ruling], ruling: Ruling) -> tuple[str, str] | None:
    """Why `ruling`, put among the others where its time says, moves nothing; None when it does."""
    earlier = [one for one in rulings if _order(one) < _order(ruling)]
    return refusal(fold(provisional, earlier), ruling)


def _order(ruling: Ruling) -> tuple[datetime, str]:
    return ruling.at, ruling.command_id
