"""How a decision is handed over: records in, emissions out, state kept by whoever calls.

Everything in `pipeline` that keeps state is either a `Core` (a partition's whole state, judged in batches; the hot
path) or a `Decide` function (one key's state, one event), which `pipeline.keyed.KeyedCore` turns into a `Core`.
`agents.partitions` owns the Cores: it restores, feeds, wakes, checkpoints and hands over.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec


class Record(NamedTuple):
    """A message as it came from a topic. `timestamp_s`: when the broker says it was written, seconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    timestamp_s: float


class Emission(msgspec.Struct, frozen=True):
    """A message to be sent: `message` (a schemas type, or raw bytes) to `topic` under `key`.

    `id` is what makes the event the same event: after a crash an emission whose id is on the topic already is not
    sent again.
    """

    topic: str
    key: str
    message: Any
    id: str


class Wake(NamedTuple):
    """A timer that a decision asked for, come back as an event at the moment it was due."""

    due_at: datetime


S = TypeVar("S")


class Step(msgspec.Struct, Generic[S], frozen=True):
    """What follows from one event: the new state (None: forget the key), what to send, when to wake (None: never)."""

    state: S | None
    emissions: tuple[Emission, ...] = ()
    wake_at: datetime | None = None


class Decide(Protocol[S]):
    """The form of every keyed rule: no clock, no I/O; the same arguments give the same step."""

    def __call__(self, key: str, state: S | None, event: Record | Wake, reference: Any, now: datetime) -> Step[S]:
        """What follows from `event` for `key`."""


class Entry(NamedTuple):
    """What a changelog says of a key. An empty `value`: it was forgotten. `as_of`: the offset by topic up to which
    records are in it, where that is more than of the others."""

    key: bytes
    value: bytes
    as_of: Mapping[str, int] = {}


Change = tuple[bytes, bytes | None]
"""An entry for the changelog: key and state; None: forgotten."""


class Core(Protocol):
    """The state of one partition of an agent's input, and all that is decided over it."""

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take back changelog entries; skip records with `offset <= as_of[topic]`, they are in them."""

    def apply(self, batch: Sequence[Record], now: datetime) -> list[Emission]:
        """Judge a batch in the order given; bad records become emissions to `<topic>.rejected`, never exceptions."""

    def wake(self, now: datetime) -> list[Emission]:
        """Fire all timers due by `now`, in order of their due time."""

    def next_wake(self) -> datetime | None:
        """When `wake` next has something to do."""

    def changed(self) -> Iterator[Sequence[Change]]:
        """Changelog entries that differ from what was last given out, in pieces; clears their marks.

        A piece is of the moment in which it is drawn: between two of them the core may judge. Whoever draws no more
        leaves the rest marked.
        """


def rejected_topic(topic: str) -> str:
    """The name of the topic for unusable input of `topic`."""
    return f"{topic}.rejected"
