"""One person: the card, what happened, where every point went, where they were, an incident, leaves, messages."""

from collections.abc import Sequence
from datetime import datetime
from math import isnan
from typing import Any

import numpy as np

from agents.casebook import shipped
from console.reading import cases, features, people, scope
from console.reading.refusals import Unknown
from console.reading.shelf import Shelf, answering
from pipeline.readmodel import layout
from pipeline.readmodel.answers import (
    BreachView,
    Card,
    CheckinView,
    DeviceView,
    Ledger,
    LedgerLine,
    MessageView,
    Person,
    TimelineMoment,
    Track,
    task_view,
)
from pipeline.readmodel.facts import Breach, Device
from pipeline.readmodel.layout import TIMELINE, index, of_subject
from pipeline.readmodel.moments import Line
from pipeline.readmodel.people import FenceVersion
from pipeline.readmodel.positions import read_way
from pipeline.readmodel.words import moment_words
from pipeline.rulebook import Rulebook
from pipeline.scoring.explain import account
from pipeline.scoring.rules import ScoreRules, check_score_rules, read_score_rules
from pipeline.scoring.sum import standing_lines
from schemas.alert import Alert
from schemas.incident import Incident
from schemas.message import decode
from schemas.notification import Notification
from schemas.reference import Activation, Fence, Leave, Subject
from schemas.roster import RuleSet
from schemas.score import Score, ScoreEntry
from schemas.task import Task
from schemas.times import Instant, from_epoch

LATEST = 100
"""So many of each kind stand on a card."""
TRACK_ROWS = 20_000


async def person(shelf: Shelf, subject: Subject, now: datetime) -> Person:
    """The person as they stand."""
    return (await people.persons(shelf, (subject.subject_id,), now))[0]


async def card(shelf: Shelf, agency: str | None, subject_id: str, now: Instant) -> Card:
    """All that stands now.

    Raises:
        Unknown, OtherAgency: there is no such person, or for others.
    """
    subject = await scope.subject_of(shelf, agency, subject_id)
    known = await person(shelf, subject, now)
    activations = await _latest(shelf, "activations", subject_id, Activation)
    alerts = await cases.alert_views(shelf, await _latest(shelf, "alerts", subject_id, Alert))
    breaches = await _latest(shelf, "breaches", subject_id, Breach)
    checkins = await shelf.documents("incidents", await _ids(shelf, "checkins", subject_id), Incident)
    return Card(
        **{name: getattr(known, name) for name in Person.__struct_fields__},
        score=await shelf.document("scores", subject_id, Score),
        activations=tuple(activations),
        devices=await _devices(shelf, known),
        alerts=alerts,
        tasks=tuple(map(task_view, await _latest(shelf, "tasks", subject_id, Task))),
        leaves=tuple(await _latest(shelf, "leaves", subject_id, Leave)),
        breaches=tuple(
            BreachView(**{name: getattr(one, name) for name in BreachView.__struct_fields__})
            for one in breaches
            if not one.withdrawn
        ),
        checkins=tuple(
            CheckinView(incident_id=one.incident_id, type=one.type, at=one.occurred_at) for one in checkins.values()
        ),
        messages=tuple(map(message_view, await _latest(shelf, "messages", subject_id, Notification))),
    )


async def _ids(shelf: Shelf, table: str, subject_id: str) -> list[str]:
    return await shelf.members([of_subject(table, subject_id)], LATEST, latest=True)


async def _latest(shelf: Shelf, table: str, subject_id: str, kind: type[Any]) -> list[Any]:
    return list((await shelf.documents(table, await _ids(shelf, table, subject_id), kind)).values())


async def _devices(shelf: Shelf, known: Person) -> tuple[DeviceView, ...]:
    there = await people.places(shelf, known.device_ids)
    silence = await shelf.documents("devices", known.device_ids, Device)
    found = []
    for device_id in known.device_ids:
        at, silent = there.get(device_id), silence.get(device_id)
        theirs = at is not None and people.is_theirs(known, at)
        found.append(
            DeviceView(
                device_id=device_id,
                fix_time=_moment(at.t_ms) if at is not None and theirs else None,
                battery_pct=None if at is None or isnan(at.battery_pct) else round(at.battery_pct, 1),
                silent_since=silent.silent_since if silent is not None and _is_of(silent, known) else None,
            )
        )
    return tuple(found)


def _is_of(silent: Device, known: Person) -> bool:
    return silent.subject_id == known.subject_id


def _moment(t_ms: int) -> Instant:
    return from_epoch(t_ms / 1000)


def message_view(one: Notification) -> MessageView:
    """A message as its readers see it."""
    text = one.text
    return MessageView(
        id=one.notification_id,
        at=one.at,
        title="" if text is None else text.title,
        body="" if text is None else text.body,
        link="" if text is None else text.link,
        state=one.state,
        urgent=one.urgent,
        audience=one.audience,
        recipient=one.recipient,
        channel=one.channel or "",
        reason=one.reason,
    )


async def own_messages(shelf: Shelf, subject_id: str) -> tuple[MessageView, ...]:
    """What was said to the person, the latest first."""
    ids = await shelf.members([of_subject("own-messages", subject_id)], LATEST, latest=True)
    return tuple(map(message_view, (await shelf.documents("messages", ids, Notification)).values()))


async def leaves_of(shelf: Shelf, subject_id: str) -> list[Leave]:
    """The person's leaves, the latest first."""
    return await _latest(shelf, "leaves", subject_id, Leave)


async def timeline(shelf: Shelf, agency: str | None, subject_id: str, limit: int) -> tuple[TimelineMoment, ...]:
    """What happened, the latest first."""
    subject = await scope.subject_of(shelf, agency, subject_id)
    members = await shelf.members([index(TIMELINE, subject_id)], limit, latest=True)
    lines = [decode(one.encode(), Line) for one in members]
    incidents = await shelf.documents("incidents", [one.id for one in lines if one.kind == "incident"], Incident)
    return tuple(
        TimelineMoment(
            at=one.at,
            kind=one.kind,
            id=one.id,
            title=moment_words(one, incidents.get(one.id), subject),
            by=one.by,
            detail=one.detail,
        )
        for one in lines
    )


async def ledger(shelf: Shelf, subject_id: str) -> Ledger:
    """The account of the person, as `fenceline score explain` tells it."""
    score = await shelf.document("scores", subject_id, Score)
    if score is None:
        return Ledger(score=None, lines=())
    entries = await shelf.all_of(layout.ledger(subject_id), ScoreEntry)
    standing = standing_lines(sorted(entries.values(), key=lambda one: one.occurred_at))
    by_id = {one.entry_id: one for one in standing}
    told = account(standing, (await _rules(shelf)).at(score.as_of), score.as_of)
    lines = tuple(
        LedgerLine(
            entry_id=one.entry_id,
            occurred_at=one.occurred_at,
            effect=one.effect,
            en=one.en,
            zh=one.zh,
            entry=by_id[one.entry_id],
        )
        for one in reversed(told)
    )
    return Ledger(score=score, lines=lines)


async def _rules(shelf: Shelf) -> Rulebook[ScoreRules]:
    book = Rulebook(ScoreRules, read_score_rules(shipped("scoring")), check_score_rules)
    for one in (await shelf.all_of("rules", RuleSet)).values():
        if one.part == "score":
            book.learn(one)
    return book


async def track(shelf: Shelf, agency: str | None, subject_id: str, since: Instant, until: Instant) -> Track:
    """Where the person was, as far as they wore the device then, thinned to `TRACK_ROWS`."""
    await scope.subject_of(shelf, agency, subject_id)
    worn = [
        one
        for one in await _latest(shelf, "activations", subject_id, Activation)
        if one.starts_at < until and (one.ends_at is None or one.ends_at > since)
    ]
    devices = tuple(dict.fromkeys(one.device_id for one in worn))
    rows: list[tuple[int, float, float, float | None, float | None, int]] = []
    for one in worn:
        begin = max(since, one.starts_at)
        end = until if one.ends_at is None else min(until, one.ends_at)
        rows += await _way(shelf, one.device_id, begin, end, devices.index(one.device_id))
    rows.sort()
    step = -(-len(rows) // TRACK_ROWS)
    names = await shelf.between(of_subject("incidents", subject_id), since.timestamp(), until.timestamp())
    incidents = tuple((await shelf.documents("incidents", names, Incident)).values())
    return Track(
        subject_id=subject_id,
        since=since,
        until=until,
        rows=rows[::step] if step > 1 else rows,
        devices=devices,
        fences=features.collection(await _fences_of(shelf, subject_id, incidents), until),
        incidents=incidents,
        truncated=step > 1,
    )


async def _way(
    shelf: Shelf, device_id: str, begin: datetime, end: datetime, number: int
) -> list[tuple[int, float, float, float | None, float | None, int]]:
    first, last = (int(at.timestamp() // layout.DAY_S) for at in (begin, end))
    async with answering():
        pieces = await shelf.redis.mget([layout.track_key(device_id, day) for day in range(first, last + 1)])
    way = read_way(pieces)
    inside = (way.t_ms >= begin.timestamp() * 1000) & (way.t_ms <= end.timestamp() * 1000)
    told = [np.round(column[inside], 2).tolist() for column in (way.accuracy_m, way.speed_mps)]
    columns = [way.t_ms[inside].tolist(), way.lat[inside].tolist(), way.lon[inside].tolist()]
    columns += [[None if isnan(value) else value for value in column] for column in told]
    return [(*row, number) for row in zip(*columns, strict=True)]


async def _fences_of(shelf: Shelf, subject_id: str, incidents: Sequence[Incident]) -> list[Fence]:
    """The person's fences as they are now, and those versions that the incidents were judged by."""
    subject = await shelf.document("subjects", subject_id, Subject)
    agency = "" if subject is None else subject.agency
    found = {(f.properties.fence_id, f.properties.version): f for f in await fences_on(shelf, subject_id, agency)}
    for fence_id, version in sorted({(one.fence_id, one.fence_version) for one in incidents if one.fence_id}):
        if (fence_id, version) not in found:
            old = await shelf.document(layout.versions(fence_id), str(version), FenceVersion)
            if old is not None:
                found[fence_id, version] = old.feature
    return list(found.values())


async def fences_on(shelf: Shelf, subject_id: str, agency: str) -> list[Fence]:
    """The fences that bind the person."""
    names = await shelf.members([index("fences", agency)])
    known = await shelf.documents("fences", names, Fence)
    return [one for one in known.values() if one.properties.subjects is None or subject_id in one.properties.subjects]


async def incident(
    shelf: Shelf, agency: str | None, subject_id: str, incident_id: str
) -> tuple[Incident, Subject, Fence | None]:
    """The incident, whose it is, and the fence as it was judged by.

    Raises:
        Unknown, OtherAgency: there is none, or for others.
    """
    subject = await scope.subject_of(shelf, agency, subject_id)
    found = await shelf.document("incidents", incident_id, Incident)
    if found is None or found.subject_id != subject_id:
        raise Unknown("incident", incident_id)
    version = None
    if found.fence_id:
        version = await shelf.document(layout.versions(found.fence_id), str(found.fence_version), FenceVersion)
    return found, subject, None if version is None else version.feature
