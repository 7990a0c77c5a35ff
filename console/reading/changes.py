"""What changes, for whoever follows? The stream of the model, as far as it is theirs, as the events of docs/api.md.

What is told is how a thing stands when it is told, not when it changed: who falls behind skips what is past. Ids of
events name the model's epoch and a place in its stream; from another epoch nothing can be resumed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from console.reading import cases, scope
from console.reading.one import message_view
from console.reading.shelf import Shelf, answering
from console.reading.wearers import Roll, Wearers
from pipeline.readmodel import layout
from pipeline.readmodel.answers import task_view
from schemas.alert import Alert
from schemas.command import CommandResult
from schemas.message import encode
from schemas.notification import Notification
from schemas.reference import Fence, Leave, Subject
from schemas.score import Score
from schemas.task import Task

HEARTBEAT_S = 10.0
MOVES_S = 1.0
AT_ONCE = 500
OWN = frozenset({"score", "leave", "message", "result", "person"})
"""What a person hears of themselves."""
POSITION_KINDS = frozenset({"alert", "score", "person"})


class Change(NamedTuple):
    """An event. `id`: from where to resume, "" for none; `event` "" is the heartbeat."""

    id: str
    event: str
    data: bytes = b""


class Eyes(NamedTuple):
    """Who follows: for which agency (None: all); or only about this person. `principal`: hears of their commands."""

    agency: str | None
    principal: str = ""
    subject_id: str = ""


class _Entry(NamedTuple):
    id: str
    kind: str
    name: str
    subject_id: str
    agencies: tuple[str, ...]
    to: str


async def follow(
    shelf: Shelf, eyes: Eyes, after: str | None, clock: Callable[[], datetime], roll: Roll
) -> AsyncIterator[Change]:
    """Events from `after` on (None: from now on), for as long as they are asked for.

    Raises:
        Away: Redis does not answer.
    """
    epoch = await _epoch(shelf)
    place = await _place(shelf, epoch, after)
    if place is None:
        yield Change("", "reset")
        place = await _end(shelf)
    moved: dict[str, bytes] = {}
    listening = asyncio.create_task(_listen(shelf, moved)) if not eyes.subject_id else None
    wearers = Wearers(shelf, roll, clock)
    told_s = moves_s = time.monotonic()
    try:
        while True:
            async with answering():
                found = await shelf.redis.xread({layout.CHANGES: place}, count=AT_ONCE, block=int(MOVES_S * 500))
            if await _epoch(shelf) != epoch:
                yield Change("", "reset")
                epoch, place = await _epoch(shelf), await _end(shelf)
                continue
            entries = [_entry(raw_id, fields) for _, some in found or () for raw_id, fields in some]
            if entries:
                place = entries[-1].id
            mine = await _visible(shelf, eyes, entries)
            for change in await _told(shelf, eyes, epoch, mine):
                told_s = time.monotonic()
                yield change
            wearers.stale |= {one.subject_id for one in mine if one.kind in POSITION_KINDS}
            if listening is not None and time.monotonic() - moves_s >= MOVES_S:
                moves_s = time.monotonic()
                if listening.done():
                    listening.result()
                taken = dict(moved)
                moved.clear()
                if rows := await wearers.rows(taken):
                    told_s = moves_s
                    yield Change("", "positions", msgspec.json.encode({"rows": rows}))
            if time.monotonic() - told_s >= HEARTBEAT_S:
                told_s = time.monotonic()
                yield Change("", "")
    finally:
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await listening


async def _epoch(shelf: Shelf) -> str:
    async with answering():
        found = await shelf.redis.get(layout.EPOCH)
    return "" if found is None else str(found.decode())[:8]


async def _end(shelf: Shelf) -> str:
    async with answering():
        last = await shelf.redis.xrevrange(layout.CHANGES, count=1)
    return last[0][0].decode() if last else "0-0"


async def _place(shelf: Shelf, epoch: str, after: str | None) -> str | None:
    """Where in the stream to begin; None: what lies between is gone."""
    if after is None:
        return await _end(shelf)
    of, _, place = after.partition(".")
    if of != epoch or not _is_place(place):
        return None
    async with answering():
        first = await shelf.redis.xrange(layout.CHANGES, count=1)
    if first and _order(place) < _order(first[0][0].decode()):
        return None
    return place


def _is_place(text: str) -> bool:
    time_, dash, number = text.partition("-")
    return bool(dash) and time_.isdecimal() and number.isdecimal()


def _order(place: str) -> tuple[int, int]:
    time_, _, number = place.partition("-")
    return int(time_), int(number)


def _entry(raw_id: bytes, fields: dict[bytes, bytes]) -> _Entry:
    told = {name.decode(): value.decode() for name, value in fields.items()}
    agencies = tuple(one for one in told.get("agencies", "").split(layout.JOINT) if one)
    return _Entry(
        raw_id.decode(), told.get("kind", ""), told.get("id", ""), told.get("subject", ""), agencies, told.get("to", "")
    )


async def _visible(shelf: Shelf, eyes: Eyes, entries: Sequence[_Entry]) -> list[_Entry]:
    """Those of `entries` that are for `eyes`, each thing once, by its last change."""
    latest = {(one.kind, one.name): one for one in entries}
    fresh = [one for one in entries if latest[one.kind, one.name] is one]
    if eyes.subject_id:
        return [one for one in fresh if one.subject_id == eyes.subject_id and one.kind in OWN and _is_to(one, eyes)]
    if eyes.agency is None:
        return [one for one in fresh if _is_to(one, eyes)]
    subjects = await shelf.documents("subjects", [one.subject_id for one in fresh if one.subject_id], Subject)
    handed = await scope.handed(shelf, eyes.agency) if fresh else set()

    def is_mine(one: _Entry) -> bool:
        if one.to or eyes.agency in one.agencies:
            return _is_to(one, eyes)
        if one.kind in ("alert", "task", "fence"):
            return False  # these are for the agencies that they name
        subject = subjects.get(one.subject_id)
        return (subject is not None and subject.agency == eyes.agency) or one.subject_id in handed

    return [one for one in fresh if is_mine(one)]


def _is_to(one: _Entry, eyes: Eyes) -> bool:
    return not one.to or one.to == eyes.principal


async def _told(shelf: Shelf, eyes: Eyes, epoch: str, entries: Sequence[_Entry]) -> list[Change]:
    found = []
    for one in entries:
        data = await _data(shelf, eyes, one)
        if data is not None:
            found.append(Change(f"{epoch}.{one.id}", one.kind, data))
    return found


async def _data(shelf: Shelf, eyes: Eyes, one: _Entry) -> bytes | None:
    """How the thing stands now; None: it is gone, or not for these eyes."""
    if one.kind == "person":
        return msgspec.json.encode({"subject_id": one.name})
    if one.kind == "message" and not eyes.subject_id:
        return None
    if one.kind == "fence":
        fence = await shelf.document("fences", one.name, Fence)
        return msgspec.json.encode({"fence_id": one.name, "version": 0 if fence is None else fence.properties.version})
    table, kind, _ = _SHOWN[one.kind]
    found = await shelf.document(table, one.name, kind)
    return None if found is None else await _shown(shelf, one.kind, found)


async def _shown(shelf: Shelf, kind: str, found: Any) -> bytes:
    if kind == "alert":
        return encode((await cases.alert_views(shelf, [found]))[0])
    return msgspec.json.encode(_SHOWN[kind][2](found), enc_hook=str)


def result_told(result: CommandResult) -> dict[str, Any]:
    """What whoever gave a command is told of it."""
    return {name: getattr(result, name) for name in ("command_id", "outcome", "code", "reason", "effect")}


_SHOWN: dict[str, tuple[str, type[Any], Callable[[Any], Any]]] = {
    "alert": ("alerts", Alert, lambda alert: alert),
    "task": ("tasks", Task, task_view),
    "score": ("scores", Score, lambda score: score),
    "leave": ("leaves", Leave, lambda leave: leave),
    "message": ("messages", Notification, message_view),
    "result": ("results", CommandResult, result_told),
}
"""By kind of change: the table, what lies there, and how it is shown."""


async def _listen(shelf: Shelf, moved: dict[str, bytes]) -> None:
    """Note devices that move."""
    async with answering(), shelf.redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(layout.MOVED)
        while True:
            said = await channel.get_message(timeout=HEARTBEAT_S)
            if said is not None:
                moved.update(msgspec.msgpack.decode(said["data"]))
