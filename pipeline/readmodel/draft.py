"""What becomes of the model when records come? A draft over what is held: documents, places, tidings; written at once.

A folder reads a record into a `Reading`: which documents it needs to see, and what it does to the draft. So whoever
keeps the model fetches what a whole batch needs in one go, and the folding itself waits for nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from pipeline.readmodel.layout import age
from schemas.message import Message, decode, encode

M = TypeVar("M", bound=Message)

Row = tuple[str, str]
"""A table and a key."""
Places = dict[tuple[str, str], float]
"""Where a document stands: index and member to score."""


class Told(NamedTuple):
    """Something changed that followers should hear of. `kind`: an event of the API. `agencies`: who hears of it beside
    the agency of the subject. `to`: only this principal."""

    kind: str
    id: str
    subject_id: str = ""
    agencies: tuple[str, ...] = ()
    to: str = ""


class Draft:
    """The model over `held`, with what is new in `puts` (None: gone), `places` (None: gone) and `told`."""

    def __init__(self, held: Mapping[Row, bytes | None]) -> None:
        self._held = held
        self.puts: dict[Row, bytes | None] = {}
        self.places: dict[tuple[str, str], float | None] = {}
        self.told: dict[Told, None] = {}

    def get(self, row: Row) -> bytes | None:
        """The document of `row` as it stands now."""
        return self.puts[row] if row in self.puts else self._held.get(row)

    def put(self, row: Row, value: bytes | None) -> None:
        """Let `row` hold `value`, None: nothing."""
        if value != self.get(row):
            self.puts[row] = value

    def move(self, before: Places, after: Places) -> None:
        """Take a document from where it stood to where it stands."""
        self.places.update(dict.fromkeys(before.keys() - after.keys()))
        for place, score in after.items():
            if before.get(place) != score:
                self.places[place] = score

    def tell(self, told: Told) -> None:
        """Let followers know, once a batch."""
        self.told.pop(told, None)
        self.told[told] = None


class Reading(NamedTuple):
    """What a record asks of the model. `wants`: rows to be held before `apply`."""

    wants: tuple[Row, ...]
    apply: Callable[[Draft], None]


def nothing(_: Draft) -> None:
    """Leave the draft as it is."""


def kept(
    row: Row,
    new: M | None,
    kind: type[M],
    places: Callable[[M], Places],
    told: Callable[[M | None, M | None], Iterable[Told]],
    is_newer: Callable[[M, M], bool] = lambda old, new: True,  # noqa: ARG005
) -> Reading:
    """The reading of a document that replaces the one before it, unless that is newer (it came twice, or late)."""

    def apply(draft: Draft) -> None:
        raw = draft.get(row)
        old = None if raw is None else decode(raw, kind)
        if (old is None and new is None) or (old is not None and new is not None and not is_newer(old, new)):
            return
        draft.put(row, None if new is None else encode(new))
        draft.move({} if old is None else places(old), {} if new is None else places(new))
        for one in told(old, new):
            draft.tell(one)

    return Reading((row,), apply)


def retired(row: Row, kind: type[M], places: Callable[[M], Places]) -> Reading:
    """The reading that lets a document go that was over long ago; nobody need hear of it."""

    def apply(draft: Draft) -> None:
        raw = draft.get(row)
        draft.put(row, None)
        gone: Places = {(age(row[0]), row[1]): 0.0}
        draft.move(gone if raw is None else gone | places(decode(raw, kind)), {})

    return Reading((row,), apply)


class Memory:
    """A model kept in memory, as Redis keeps it: for folding files, and to hold the real one against."""

    def __init__(self) -> None:
        self.rows: dict[Row, bytes] = {}
        self.indexes: dict[str, dict[str, float]] = {}
        self.told: list[Told] = []

    def take(self, readings: Iterable[Reading]) -> None:
        """Fold a batch."""
        draft = Draft(self.rows)
        for reading in readings:
            reading.apply(draft)
        for row, value in draft.puts.items():
            if value is None:
                self.rows.pop(row, None)
            else:
                self.rows[row] = value
        for (name, member), score in draft.places.items():
            members = self.indexes.setdefault(name, {})
            if score is None:
                members.pop(member, None)
            else:
                members[member] = score
            if not members:
                del self.indexes[name]
        self.told += draft.told
