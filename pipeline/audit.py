"""Who did what, and is the record of it whole? Hash chains over commands and readings, made and verified.

One chain for each partition of `commands` and of `readings`, because only there does Kafka keep an order: the same
records give the same chain, whatever else is going on and whenever a worker crashes. Each link covers the link before
it and the bytes of the record itself.

A chain shows a gap, a change and a reorder. It cannot show that its end was cut off: keep heads (`fenceline audit
verify` prints them) somewhere else, and hand them back later.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

import msgspec

from pipeline.authority import kind_of
from pipeline.keyed import key_of_record
from pipeline.rejection import rejected, written_at
from pipeline.step import Change, Emission, Entry, Record
from schemas.audit import GENESIS, AuditEntry, Reading
from schemas.command import read_command
from schemas.ids import event_id
from schemas.message import Invalid, Message, decode, encode


class Head(Message, frozen=True, kw_only=True):
    """The last link of a chain."""

    chain: str
    seq: int = 0
    sha256: str = GENESIS


class AuditCore:
    """The chains of one partition: a `pipeline.step.Core` over `commands` and `readings`."""

    def __init__(self) -> None:
        self._heads: dict[str, Head] = {}
        self._seen: dict[str, Mapping[str, int]] = {}
        self._changed: set[str] = set()

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take back the heads of chains."""
        for key, value, as_of in entries:
            chain = key.decode()
            self._heads[chain] = decode(value, Head)
            self._seen[chain] = as_of

    def apply(self, batch: Sequence[Record], now: datetime) -> list[Emission]:
        """One link for each record; what cannot be read is rejected."""
        emissions = []
        for record in batch:
            chain = f"{record.topic}/{record.partition}"
            if record.offset <= self._seen.get(chain, {}).get(record.topic, -1):
                continue
            try:
                key = key_of_record(record)
                entry = link(record, self._heads.get(chain, Head(chain=chain)))
            except Invalid as why:
                emissions.append(rejected(record, why, written_at(record, now)))
                continue
            self._heads[chain] = Head(chain=chain, seq=entry.seq, sha256=entry.sha256)
            self._changed.add(chain)
            emissions.append(Emission("audit", key, entry, entry.audit_id))
        return emissions

    def wake(self, now: datetime) -> list[Emission]:
        """Nothing: a chain has no timers."""
        return []

    def next_wake(self) -> datetime | None:
        """Never."""
        return None

    def changed(self) -> Iterator[list[Change]]:
        """The heads of the chains that grew: all in one piece."""
        changed, self._changed = self._changed, set()
        yield [(chain.encode(), encode(self._heads[chain])) for chain in sorted(changed)]


def link(record: Record, head: Head) -> AuditEntry:
    """The entry for `record`, which follows `head`.

    Raises:
        Invalid: it is no command or reading.
    """
    act: Literal["command", "reading"] = "command" if record.topic == "commands" else "reading"
    message = read_command(record.value) if act == "command" else decode(record.value, Reading)
    source = f"{record.topic}/{record.partition}@{record.offset}"
    entry = AuditEntry(
        audit_id=event_id("audit", source),
        chain=head.chain,
        seq=head.seq + 1,
        previous_sha256=head.sha256,
        act=act,
        kind=message.what if isinstance(message, Reading) else kind_of(message),
        subject_id=message.subject_id,
        by=message.by,
        role=message.role,
        agency=message.agency,
        at=message.at,
        reason=message.purpose if isinstance(message, Reading) else message.reason,
        ref_id=message.reading_id if isinstance(message, Reading) else message.command_id,
        source=source,
        record_sha256=sha256(record.value).hexdigest(),
    )
    return msgspec.structs.replace(entry, sha256=digest(entry))


def digest(entry: AuditEntry) -> str:
    """The SHA-256 over the entry as it is written, with its own field `sha256` left out."""
    return sha256(encode(msgspec.structs.replace(entry, sha256=""))).hexdigest()


class Break(NamedTuple):
    """Where a chain does not hold, and how that shows."""

    chain: str
    seq: int
    fault: Literal["gap", "changed", "unlinked", "reordered", "doubled", "unreadable", "missing_head", "record_changed"]
    detail: str


class Verdict(NamedTuple):
    """What `verify` found: the heads of all chains, how many links, and what is wrong."""

    heads: tuple[Head, ...]
    links: int
    breaks: tuple[Break, ...]


def verify(values: Iterable[bytes], heads: Iterable[Head] = ()) -> Verdict:
    """Hold the audit topic's values, in the order of their partitions, against each other and against earlier `heads`.

    A chain whose beginning is no longer kept (retention) is held together from the first link that there is. The same
    link written twice, byte for byte, is no break: that is what a retried send leaves.
    """
    breaks: list[Break] = []
    last: dict[str, AuditEntry] = {}
    written: dict[tuple[str, int], str] = {}
    for value in values:
        try:
            entry = decode(value, AuditEntry)
        except Invalid as why:
            breaks.append(Break("", 0, "unreadable", str(why)))
            continue
        breaks += _held(entry, value, last.get(entry.chain), written.get((entry.chain, entry.seq)))
        written.setdefault((entry.chain, entry.seq), entry.sha256)
        before = last.get(entry.chain)
        if before is None or entry.seq > before.seq:
            last[entry.chain] = entry
    breaks += [
        Break(head.chain, head.seq, "missing_head", f"the chain no longer has the link {head.sha256[:16]} known before")
        for head in heads
        if head.seq and written.get((head.chain, head.seq)) != head.sha256
    ]
    found = tuple(Head(chain=name, seq=one.seq, sha256=one.sha256) for name, one in sorted(last.items()))
    return Verdict(found, len(written), tuple(breaks))


def _held(entry: AuditEntry, value: bytes, before: AuditEntry | None, written: str | None) -> Iterator[Break]:
    if digest(entry) != entry.sha256 or encode(entry) != value:
        yield Break(entry.chain, entry.seq, "changed", "the entry is not what its own hash says")
    if before is None:
        if entry.seq == 1 and entry.previous_sha256 != GENESIS:
            yield Break(entry.chain, 1, "unlinked", "the first link does not follow from nothing")
        return
    if written is not None:
        if written != entry.sha256:
            yield Break(entry.chain, entry.seq, "doubled", "two different links have this number")
        return
    if entry.seq < before.seq:
        yield Break(entry.chain, entry.seq, "reordered", f"it stands after link {before.seq}")
    elif entry.seq > before.seq + 1:
        yield Break(entry.chain, entry.seq, "gap", f"link {before.seq} is followed by {entry.seq}")
    elif entry.previous_sha256 != before.sha256:
        yield Break(entry.chain, entry.seq, "unlinked", f"it does not follow from link {before.seq}")


def against_records(values: Iterable[bytes], records: Mapping[str, bytes]) -> list[Break]:
    """Breaks between links and the records they cover, for those `records` (by source) that are still kept."""
    breaks = []
    for value in values:
        try:
            entry = decode(value, AuditEntry)
        except Invalid:
            continue
        record = records.get(entry.source)
        if record is not None and sha256(record).hexdigest() != entry.record_sha256:
            breaks.append(Break(entry.chain, entry.seq, "record_changed", f"{entry.source} is another than then"))
    return breaks
