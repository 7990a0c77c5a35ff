"""How does a rule over one key become a `Core`? State, timers and skipping for any `Decide` function.

    class Standing(Message, frozen=True): ...                                  # one key's state

    def decide(key, state, event, reference, now) -> Step[Standing]: ...       # the rule, pure

    core = KeyedCore(decide, Standing, reference)

- `event` is a `Record` or a `Wake`; `now` is when the record was written, or when the timer was due. No other clock.
- Raise `Invalid` (as `schemas.message.decode` does) for a record that cannot be used: it goes to `<topic>.rejected`.
- A key has one timer, `Step.wake_at`. Each step sets it anew, None takes it away. A timer that is due fires before a
  record that was written later is judged, so it does not matter how records were batched, or when they were read.
- `Step(state=None)` forgets the key.
- State is data: a frozen msgspec Struct. Its moments are `Instant`s again after a crash, else their texts and the
  ids, would differ: they stand as fields of a `Message`, or are annotated `Instant`. Anything else is refused at once.

An error in the rule itself is a fault of ours, not of the data, and still must not stop the stream: the record goes to
the rejected topic with the error's name, a timer is tried again a minute later, and the traceback waits in `faults` for
the shell to log.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from pipeline.rejection import rejected, written_at
from pipeline.step import Change, Decide, Emission, Entry, Record, Step, Wake
from schemas.message import Invalid, Message
from schemas.times import Instant, instant

S = TypeVar("S")

RETRY_TIMER_S = 60.0


class _Held(NamedTuple, Generic[S]):
    state: S
    wake_at: Instant | None


def _plain(value: Any) -> Any:
    if isinstance(value, Instant):  # msgpack knows plain datetimes only
        return datetime.combine(value.date(), value.timetz())
    raise TypeError(f"{type(value).__name__} cannot be kept as state")


def _instants(kind: type, value: Any) -> Any:
    if kind is Instant and isinstance(value, datetime):
        return instant(value)
    raise TypeError(f"{kind.__name__} cannot be kept as state")


def _refuse_plain_moments(kind: Any, path: str, known: set[Any], within: bool = False) -> None:
    """Raise TypeError if decoding `kind` would bring back a moment that is not an `Instant`."""
    if isinstance(kind, inspect.DateTimeType) and not within:
        raise TypeError(f"{path}: a moment in a state is a field of a schemas.message.Message, or annotated Instant")
    if isinstance(kind, inspect.Metadata):
        _refuse_plain_moments(kind.type, path, known, within)
    elif isinstance(kind, inspect.UnionType):
        for one in kind.types:
            _refuse_plain_moments(one, path, known, within)
    elif isinstance(kind, inspect.StructType):
        if kind.cls not in known:
            known.add(kind.cls)
            for field in kind.fields:
                _refuse_plain_moments(field.type, f"{path}.{field.name}", known, issubclass(kind.cls, Message))
    elif isinstance(kind, inspect.TupleType):
        for one in kind.item_types:
            _refuse_plain_moments(one, path, known)
    elif isinstance(kind, inspect.DictType):
        _refuse_plain_moments(kind.key_type, path, known)
        _refuse_plain_moments(kind.value_type, path, known)
    elif isinstance(kind, inspect.CollectionType):
        _refuse_plain_moments(kind.item_type, path, known)


def key_of_record(record: Record) -> str:
    """The record's own key.

    Raises:
        Invalid: there is none, or it is not UTF-8.
    """
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError as error:
        raise Invalid("the record's key is not UTF-8") from error
    if not key:
        raise Invalid("the record has no key")
    return key


class KeyedCore(Generic[S]):
    """A `pipeline.step.Core` that keeps a state of type `kind` for each key and judges with `decide`.

    `key_of`: the key of a record, where it is not the record's own; may raise `Invalid`.
    `faults`: tracebacks of errors in `decide`, for whoever drives this to log and clear.
    """

    def __init__(
        self, decide: Decide[S], kind: type[S], reference: Any, key_of: Callable[[Record], str] = key_of_record
    ) -> None:
        self._decide = decide
        self._reference = reference
        self._key_of = key_of
        self._encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode
        _refuse_plain_moments(inspect.type_info(kind), kind.__name__, set())
        form = tuple[kind, Instant | None]  # type: ignore[valid-type]
        self._decode = msgspec.msgpack.Decoder(form, dec_hook=_instants).decode
        self._held: dict[str, _Held[S]] = {}
        self._seen: dict[str, Mapping[str, int]] = {}  # of keys newer than the rest: offsets that are in their state
        self._timers: list[tuple[Instant, str]] = []
        self._changed: dict[str, None] = {}
        self.faults: list[str] = []

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, key: str) -> S:
        """The state of `key`; KeyError if there is none."""
        return self._held[key].state

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take back changelog entries."""
        for key, value, as_of in entries:
            name = key.decode()
            if as_of:
                self._seen[name] = as_of
            if not value:
                self._held.pop(name, None)
                continue
            state, wake_at = self._decode(value)
            self._held[name] = _Held(state, wake_at)
            if wake_at is not None:
                heappush(self._timers, (wake_at, name))

    def apply(self, batch: Sequence[Record], now: datetime) -> list[Emission]:
        """Judge `batch` in the order given."""
        emissions: list[Emission] = []
        for record in batch:
            at = written_at(record, now)
            try:
                key = self._key_of(record)
            except Invalid as why:
                emissions.append(rejected(record, why, at))
                continue
            if self._is_in_state(key, record):
                continue
            while (held := self._held.get(key)) is not None and held.wake_at is not None and held.wake_at <= at:
                emissions += self._fire(key, held, held.wake_at)
            emissions += self._judge(key, record, at)
        return emissions

    def _is_in_state(self, key: str, record: Record) -> bool:
        seen = self._seen.get(key)
        return seen is not None and record.offset <= seen.get(record.topic, -1)

    def _judge(self, key: str, record: Record, at: datetime) -> Sequence[Emission]:
        held = self._held.get(key)
        try:
            step = self._decide(key, None if held is None else held.state, record, self._reference, at)
        except Invalid as why:
            return (rejected(record, why, at),)
        except Exception as fault:
            self.faults.append(traceback.format_exc())
            return (rejected(record, Invalid(f"could not be judged: {type(fault).__name__}: {fault}"), at),)
        self._take(key, step)
        return step.emissions

    def _fire(self, key: str, held: _Held[S], due_at: Instant) -> Sequence[Emission]:
        try:
            step = self._decide(key, held.state, Wake(due_at), self._reference, due_at)
        except Exception:
            self.faults.append(traceback.format_exc())
            step = Step(held.state, (), due_at + timedelta(seconds=RETRY_TIMER_S))
        if step.wake_at is not None and step.wake_at <= due_at:
            # A timer that asks for itself again would fire for ever.
            step = msgspec.structs.replace(step, wake_at=due_at + timedelta(milliseconds=1))
        self._take(key, step)
        return step.emissions

    def _take(self, key: str, step: Step[S]) -> None:
        if step.state is None:
            if self._held.pop(key, None) is not None:
                self._changed[key] = None
            return
        held = self._held.get(key)
        wake_at = None if step.wake_at is None else instant(step.wake_at)
        if held is not None and held.state is step.state and held.wake_at == wake_at:
            return  # a frozen state that a rule hands back untouched needs no writing
        self._held[key] = _Held(step.state, wake_at)
        self._changed[key] = None
        if wake_at is not None and (held is None or held.wake_at != wake_at):
            heappush(self._timers, (wake_at, key))
            if len(self._timers) > 2 * len(self._held) + 64:
                self._sweep()

    def _sweep(self) -> None:
        """Leave out timers that were set anew or taken away."""
        self._timers = [(held.wake_at, key) for key, held in self._held.items() if held.wake_at is not None]
        heapify(self._timers)

    def wake(self, now: datetime) -> list[Emission]:
        """Fire all timers due by `now`, in order of their due time."""
        emissions: list[Emission] = []
        while (due_at := self.next_wake()) is not None and due_at <= now:
            key = self._timers[0][1]
            emissions += self._fire(key, self._held[key], due_at)
        return emissions

    def next_wake(self) -> Instant | None:
        """When the next timer is due."""
        while self._timers:
            due_at, key = self._timers[0]
            held = self._held.get(key)
            if held is not None and held.wake_at == due_at:
                return due_at
            heappop(self._timers)
        return None

    def changed(self) -> Iterator[list[Change]]:
        """Entries that differ from what was last given out, all in one piece; None for a forgotten key."""
        changed, self._changed = self._changed, {}
        held = [(key.encode(), self._held.get(key)) for key in changed]
        yield [(key, None if one is None else self._encode((one.state, one.wake_at))) for key, one in held]
