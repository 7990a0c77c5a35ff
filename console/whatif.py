"""What would a draft of a fence have raised over the last days? One fence judged twice over the positions there were.

The worker's core runs over the topic `fixes`, once with the fence as it holds now and once with the draft, for those
people whom either is about. It runs in a process of its own: it may take a minute of a core, and events must not wait.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from fenceline.history import records
from fenceline.replaying import LONG_AGO, Known, known_from_topics, locate_rules
from gateway.frames import partition_of
from pipeline.explain.sentences import sentence
from pipeline.explain.words import LANGUAGES
from pipeline.replay import replay
from pipeline.rules import Rules
from pipeline.whatif import Breach, Change, compare
from schemas.fix import Fix, decode_fixes_apart
from schemas.incident import Incident, Rejection
from schemas.message import Invalid, Moment, encode
from schemas.reference import Fence
from schemas.times import instant

MOST_FIXES = 1_000_000
MOST_CHANGES = 500


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A breach that the draft would have raised, spared or moved, and the sentence that tells of it."""

    kind: str
    subject_id: str
    since: Moment
    until: Moment | None
    en: str
    zh: str = msgspec.field(name="zh-CN")


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What the draft would change. `truncated`: there was more to judge, or to tell, than is done at once."""

    opened: int
    dropped: int
    moved: int
    changes: list[Told]
    fixes: int
    since: Moment = msgspec.field(name="from")
    until: Moment = msgspec.field(name="to")
    truncated: bool = False


def what_if(broker: str, draft: bytes, current: bytes, since_s: float, until_s: float) -> bytes:
    """A `WhatIf` as JSON, for `draft` against `current` (Features; empty: there is none) from `since_s` to `until_s`.

    For a process of its own: everything in and out is plain.

    Raises:
        KafkaError: the broker is away.
        Invalid: the draft has no inside.
    """
    return encode(asyncio.run(_what_if(broker, draft, current, since_s, until_s)))


async def _what_if(broker: str, draft: bytes, current: bytes, since_s: float, until_s: float) -> WhatIf:
    since, until = (instant(datetime.fromtimestamp(at, LONG_AGO.tzinfo)) for at in (since_s, until_s))
    known = await known_from_topics(broker, None)
    sides = [_as_ever(raw) for raw in (current, draft)]
    people = {one.subject_id for one in known.subjects if any(_is_about(side, one) for side in sides)}
    devices = {one.device_id for _, one in known.activations if one.subject_id in people}
    lines, count, cut = await _lines(broker, devices, since, until)
    rules = Rules()
    runs = []
    for side in sides:
        judged = known._replace(fences=() if side is None else ((LONG_AGO, side),))
        runs.append(_run(judged, rules, lines))
    changes = [one for one in compare(*runs).changes if one.kind != "same"]
    kinds = [one.kind for one in changes]
    return WhatIf(
        opened=kinds.count("opened"),
        dropped=kinds.count("dropped"),
        moved=kinds.count("moved"),
        changes=[_told(one, known) for one in changes[:MOST_CHANGES]],
        fixes=count,
        since=since,
        until=until,
        truncated=cut or len(changes) > MOST_CHANGES,
    )


def _as_ever(raw: bytes) -> Fence | None:
    """The fence as if it had held all the time."""
    if not raw:
        return None
    fence = msgspec.json.decode(raw, type=Fence)
    return msgspec.structs.replace(fence, properties=msgspec.structs.replace(fence.properties, effective_from=None))


def _is_about(fence: Fence | None, subject: Any) -> bool:
    if fence is None:
        return False
    named = fence.properties.subjects
    return subject.subject_id in named if named is not None else bool(subject.agency == fence.properties.agency)


async def _lines(broker: str, devices: set[str], since: datetime, until: datetime) -> tuple[list[bytes], int, bool]:
    """The fixes of `devices` as lines in the order in which they came, how many, and whether there were more."""
    if not devices:
        return [], 0, False
    found: list[tuple[float, int, int, list[Fix]]] = []
    count = 0
    async for chunk in records(broker, "fixes", since, await _partitions(broker, devices)):
        for record in chunk:
            try:
                fixes = decode_fixes_apart(record.value)[0]
            except Invalid:
                continue
            fixes = [one for one in fixes if one.device_id in devices and since <= one.fix_time <= until]
            if fixes:
                count += len(fixes)
                found.append((record.timestamp_s, record.partition, record.offset, fixes))
        if count > MOST_FIXES:
            break
    found.sort(key=lambda one: one[:3])
    return [encode(one[3]) for one in found], count, count > MOST_FIXES


async def _partitions(broker: str, devices: set[str]) -> set[int]:
    from agents.reader import LogReader  # noqa: PLC0415  # only in the process that judges

    async with LogReader(broker) as reader:
        partitions = len(await reader.partitions_of("fixes"))
    return {partition_of(device_id, partitions) for device_id in devices}


def _run(known: Known, rules: Rules, lines: Sequence[bytes]) -> list[Incident]:
    said = replay(lines, known.reference(rules), locate_rules(rules))
    return [one for one in said if not isinstance(one, Rejection)]


def _told(change: Change, known: Known) -> Told:
    breach: Breach | None = change.after or change.before
    assert breach is not None  # noqa: S101  # a change is of something
    words = [sentence(breach.opened, language, known.subject(change.subject_id)) for language in LANGUAGES]
    en, zh = words
    return Told(kind=change.kind, subject_id=change.subject_id, since=breach.since, until=breach.until, en=en, zh=zh)
