"""What does a replay judge by, and what? Fences, people and leaves from files, fixes from a file or from topics."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fenceline.entries import Entry, Refused, read_entries
from fenceline.history import records
from pipeline.locate import LocateRules
from pipeline.reference import Reference
from pipeline.rules import Rules, drafted
from schemas.fix import Fix, decode_fixes_apart
from schemas.message import Invalid, decode, encode
from schemas.reference import Activation, Fence, Leave, Subject
from schemas.times import from_epoch
from schemas.topics import ACTIVATIONS, FENCES, FIXES, LEAVES, SUBJECTS

LONG_AGO = from_epoch(-62135596800)
"""The moment from which what a file says holds, where it does not say."""


class Known(NamedTuple):
    """What fixes are judged by, as messages with the moment each was said; `refused`: what could not be used."""

    fences: tuple[tuple[datetime, Fence], ...]
    subjects: tuple[Subject, ...] = ()
    activations: tuple[tuple[datetime, Activation], ...] = ()
    leaves: tuple[tuple[datetime, Leave], ...] = ()
    refused: tuple[tuple[str, Refused], ...] = ()

    def reference(self, rules: Rules) -> Reference:
        """A reference that has learnt all of it, the fences as `rules` have them.

        Raises:
            Invalid: a fence has no inside as the rules draft it.
        """
        reference = Reference(open_world=not self.activations)
        for topic, said in (
            ("subjects", [(LONG_AGO, one) for one in self.subjects]),
            ("activations", self.activations),
            ("leaves", self.leaves),
        ):
            for at, message in said:
                reference.learn(topic, b"", encode(message), at)
        for at, fence in self.fences:
            judged = drafted(fence, rules)
            if judged is not None:
                reference.put_fence(judged, -float("inf") if at == LONG_AGO else at.timestamp())
        return reference

    def subject(self, subject_id: str) -> Subject | None:
        """The person of that id, if known."""
        return next((one for one in self.subjects if one.subject_id == subject_id), None)

    def fence(self, fence_id: str, version: int, rules: Rules) -> Fence | None:
        """That version of a fence, as it was judged."""
        for _, fence in self.fences:
            if (fence.properties.fence_id, fence.properties.version) == (fence_id, version):
                return drafted(fence, rules)
        return None


def locate_rules(rules: Rules) -> LocateRules:
    """`rules` as the core takes them."""
    return LocateRules(version=rules.version, motion=rules.motion, verdict=rules.verdict, vitals=rules.vitals)


def known_from_files(
    fences: Path, people: Path | None = None, activations: Path | None = None, leaves: Path | None = None
) -> Known:
    """What the files say. `people`: subjects, activations, or both mixed; a subject with `device_id` (or a list
    `devices`) wears that throughout.

    Raises:
        Invalid: a file that cannot be read at all; the reason begins with its name.
    """
    refused: list[tuple[str, Refused]] = []

    def entries(path: Path, raw: bytes, kind: str) -> list[Entry]:
        try:
            good, bad = read_entries(raw, kind)
        except Invalid as why:
            raise Invalid(f"{path}: {why.reason}", why.field) from why
        refused.extend((str(path), one) for one in bad)
        return good

    subjects: list[Subject] = []
    worn: list[Activation] = []
    if people is not None:
        said, wearing = _apart(people.read_bytes())
        subjects = [one.message for one in entries(people, said, "subjects")] if said else []
        worn = [one.message for one in entries(people, wearing, "activations")] if wearing else []
    if activations is not None:
        worn += [one.message for one in entries(activations, activations.read_bytes(), "activations")]
    away = [one.message for one in entries(leaves, leaves.read_bytes(), "leaves")] if leaves is not None else []
    drawn = [one.message for one in entries(fences, fences.read_bytes(), "fences")]
    if refused and not drawn:
        raise Invalid(f"{fences}: no fence in it can be used; {refused[-1][1]}")
    return Known(
        fences=tuple((LONG_AGO, fence) for fence in drawn),
        subjects=tuple(subjects),
        activations=tuple((LONG_AGO, one) for one in worn),
        leaves=tuple((LONG_AGO, one) for one in away),
        refused=tuple(refused),
    )


def _apart(raw: bytes) -> tuple[bytes, bytes]:
    """A file of people as one of subjects and one of activations (JSON arrays; empty when there are none)."""
    try:
        told = json.loads(raw)
    except ValueError:
        try:
            told = [json.loads(line) for line in raw.splitlines() if line.strip()]
        except ValueError:
            return raw, b""  # let the reader of entries say what is wrong, line by line
    if isinstance(told, dict) and ("subjects" in told or "activations" in told):
        told = [*told.get("subjects", []), *told.get("activations", [])]
    told = told if isinstance(told, list) else [told]
    worn = [one for one in told if isinstance(one, dict) and "activation_id" in one]
    people = [one for one in told if not (isinstance(one, dict) and "activation_id" in one)]
    worn += [_throughout(one, device) for one in people if isinstance(one, dict) for device in _devices(one)]
    return (json.dumps(people).encode() if people else b""), (json.dumps(worn).encode() if worn else b"")


def _devices(subject: dict[str, Any]) -> list[Any]:
    listed = subject.get("devices")
    return [*(listed if isinstance(listed, list) else []), *([subject["device_id"]] if "device_id" in subject else [])]


def _throughout(subject: dict[str, Any], device: Any) -> dict[str, Any]:
    return {
        "activation_id": device,
        "device_id": device,
        "subject_id": subject.get("subject_id"),
        "order_id": subject.get("order_id", "none"),
        "agency": subject.get("agency", "default"),
        "starts_at": str(LONG_AGO),
    }


async def known_from_topics(broker: str, until: datetime | None) -> Known:
    """What the reference topics say, each version from its own time on, as far as it was said by `until`.

    Raises:
        KafkaError: the broker is away.
    """

    async def said(topic: str, kind: Any) -> AsyncIterator[tuple[datetime, Any]]:
        async for chunk in records(broker, topic):
            for record in chunk:
                at = from_epoch(record.timestamp_s)
                if record.value and (until is None or at <= until):
                    try:
                        yield at, decode(record.value, kind)
                    except Invalid:
                        continue

    subjects = {one.subject_id: one async for _, one in said(SUBJECTS.name, Subject)}
    return Known(
        fences=tuple([one async for one in said(FENCES.name, Fence)]),
        subjects=tuple(subjects.values()),
        activations=tuple([one async for one in said(ACTIVATIONS.name, Activation)]),
        leaves=tuple([one async for one in said(LEAVES.name, Leave)]),
    )


async def lines_from_topic(broker: str, since: datetime | None, until: datetime | None) -> list[bytes]:
    """The values of `fixes` of that time, in the order in which the broker took them.

    Raises:
        KafkaError: the broker is away.
    """
    found = []
    async for chunk in records(broker, FIXES.name, since):
        for record in chunk:
            at = from_epoch(record.timestamp_s)
            if (since is None or at >= since) and (until is None or at <= until):
                found.append(((record.timestamp_s, record.partition, record.offset), record.value))
    return [value for _, value in sorted(found, key=lambda one: one[0])]


def within(lines: Iterable[bytes], since: datetime | None, until: datetime | None) -> Iterator[bytes]:
    """`lines` with only those fixes that were taken from `since` to `until`; what cannot be read stays."""
    if since is None and until is None:
        yield from lines
        return
    for line in lines:
        try:
            good, bad = decode_fixes_apart(line)
        except Invalid:
            yield line
            continue
        kept = [
            fix for fix in good if (since is None or fix.fix_time >= since) and (until is None or fix.fix_time <= until)
        ]
        if len(kept) == len(good):
            yield line
        elif bad or kept:
            raw = [msgspec.json.encode(fix) for fix in kept] + [part for _, part, _ in bad]
            yield b"[" + b",".join(raw) + b"]"
        else:
            yield b""  # so that the others keep their line numbers


def tracks(lines: Sequence[bytes], devices: set[str]) -> dict[str, list[Fix]]:
    """The fixes of `devices` in `lines`, by time."""
    found: dict[str, list[Fix]] = {device: [] for device in devices}
    for line in lines:
        try:
            good, _ = decode_fixes_apart(line)
        except Invalid:
            continue
        for fix in good:
            if fix.device_id in found:
                found[fix.device_id].append(fix)
    return {device: sorted(track, key=lambda fix: fix.fix_time) for device, track in found.items()}
