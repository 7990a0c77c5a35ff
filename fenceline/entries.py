"""What is in a file of subjects, activations, leaves or fences, and what of it cannot be used, and why?"""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from fences.lint import read_features
from fences.schedule import compile_schedule
from fences.shape import compile_shape
from pipeline import leave as leaves
from pipeline.alerting.roster import check_roster
from pipeline.identity.plan import check as check_plan
from schemas.message import Invalid, Message, decode, invalid_from
from schemas.plan import CheckinPlan
from schemas.reference import Activation, Fence, Leave, Subject
from schemas.roster import Roster

KINDS = ("fences", "subjects", "activations", "leaves", "rosters", "plans")


class Entry(NamedTuple):
    """A message of the file. `place`: where it stands, for a person (``line 3``, ``entry 3``, ``feature 3``)."""

    place: str
    key: str
    message: Any


class Refused(NamedTuple):
    """Something in the file that cannot be used."""

    place: str
    key: str
    why: Invalid

    def __str__(self) -> str:
        name = f" ({self.key})" if self.key else ""
        return f"{self.place}{name}: {self.why.field}: {self.why.reason}"


class _Kind(NamedTuple):
    message: type[Message]
    key: str
    check: Callable[[Any], None]


def _fence(fence: Fence) -> None:
    compile_shape(fence)
    if fence.properties.schedule is not None:
        compile_schedule(fence.properties.schedule)


def _subject(subject: Subject) -> None:
    try:
        ZoneInfo(subject.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            f"no time zone {subject.time_zone!r}; give an IANA name such as Asia/Shanghai", "$.time_zone"
        ) from error


def _activation(activation: Activation) -> None:
    if activation.ends_at is not None and activation.ends_at <= activation.starts_at:
        raise Invalid("an activation must end after it starts", "$.ends_at")


NO_SEED = "0" * 64
"""Stands in a plan for the hash of a seed that is yet to be drawn."""


def _plan(plan: CheckinPlan) -> None:
    check_plan(plan)
    sampling = plan.sampling
    if sampling and sampling.seed_sha256 != NO_SEED and not (sampling.sealed or sampling.seed):
        raise Invalid("leave it out: the seed is drawn, and sealed, when the plan is loaded", "$.sampling.seed_sha256")


def _with_seed_to_draw(part: bytes) -> bytes:
    """A plan as an operator writes it, with the mark that its seed is yet to be drawn where it needs one."""
    try:
        plan = msgspec.json.decode(part)
        sampling = plan.get("sampling")
        if isinstance(sampling, dict) and "seed_sha256" not in sampling:
            return msgspec.json.encode(plan | {"sampling": sampling | {"seed_sha256": NO_SEED}})
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, AttributeError):
        pass  # decoding it says what is wrong
    return part


_KINDS = {
    "fences": _Kind(Fence, "fence_id", _fence),
    "subjects": _Kind(Subject, "subject_id", _subject),
    "activations": _Kind(Activation, "activation_id", _activation),
    "leaves": _Kind(Leave, "leave_id", leaves.check),
    "rosters": _Kind(Roster, "roster_id", check_roster),
    "plans": _Kind(CheckinPlan, "subject_id", _plan),
}


def read_entries(raw: bytes, kind: str) -> tuple[list[Entry], list[Refused]]:
    """The entries of a file of `kind` (one of `KINDS`), each checked as a worker would, and those that fail.

    Fences: a GeoJSON FeatureCollection, a Feature, or a Feature a line. Else: a JSON array, an object, or one a line.

    Raises:
        Invalid: the file is none of these.
    """
    place, parts = _parts(raw, kind)
    of = _KINDS[kind]
    good: list[Entry] = []
    bad: list[Refused] = []
    for number, part in parts:
        where = f"{place} {number}"
        try:
            message = decode(_with_seed_to_draw(part) if kind == "plans" else part, of.message)
            of.check(message)
        except Invalid as why:
            bad.append(Refused(where, _named(part, of.key), why))
        else:
            good.append(Entry(where, key_of(message, kind), message))
    clashes = _twice(good) + (_both_on(good) if kind == "activations" else [])
    out = {refused.place for refused in clashes}
    return [entry for entry in good if entry.place not in out], sorted(
        bad + clashes, key=lambda refused: int(refused.place.split()[-1])
    )


def key_of(message: Any, kind: str) -> str:
    """What keys `message` on its topic."""
    return str(getattr(message.properties if kind == "fences" else message, _KINDS[kind].key))


def _parts(raw: bytes, kind: str) -> tuple[str, list[tuple[int, bytes]]]:
    if not raw.strip():
        raise Invalid("the file is empty")
    if kind == "fences":
        found = list(enumerate(read_features(raw), start=1))
        return "feature", found
    head = raw.lstrip()[:1]
    if head == b"[":
        try:
            return "entry", [
                (n, bytes(part)) for n, part in enumerate(msgspec.json.decode(raw, type=list[msgspec.Raw]), 1)
            ]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise invalid_from(error) from error
    if head != b"{":
        raise Invalid(f"a file of {kind} is a JSON array, or one JSON object a line")
    try:
        json.loads(raw)
    except ValueError:
        return "line", [(n, line) for n, line in enumerate(raw.splitlines(), 1) if line.strip()]
    return "entry", [(1, raw)]


def _named(part: bytes, field: str) -> str:
    """The key of what could not be used, if that much can be read."""
    try:
        value = msgspec.json.decode(part)
        return str((value.get("properties") or {} if field == "fence_id" else value).get(field) or "")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, AttributeError):
        return ""


def _twice(entries: Sequence[Entry]) -> list[Refused]:
    first: dict[str, Entry] = {}
    found = []
    for entry in entries:
        earlier = first.setdefault(entry.key, entry)
        if earlier is not entry:
            why = Invalid(f"the same key as {earlier.place}; only one of them can hold", "$")
            found.append(Refused(entry.place, entry.key, why))
    return found


def _both_on(entries: Sequence[Entry]) -> list[Refused]:
    """Activations that put a device on two people at once."""
    found = []
    by_device: dict[str, list[Entry]] = {}
    for entry in entries:
        by_device.setdefault(entry.message.device_id, []).append(entry)
    for group in by_device.values():
        group.sort(key=lambda entry: entry.message.starts_at)
        for entry, later in pairwise(group):
            ends_at = entry.message.ends_at
            if later.message.subject_id != entry.message.subject_id and (
                ends_at is None or ends_at > later.message.starts_at
            ):
                other = f"{entry.message.subject_id} until {ends_at or 'further notice'} ({entry.place})"
                why = Invalid(f"device {entry.message.device_id} is on {other} at the same time", "$.starts_at")
                found.append(Refused(later.place, later.key, why))
    return found
