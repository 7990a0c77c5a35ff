"""What a console asks, answered from Redis: agents judge, the projector folds, the reader answers; killed and rebuilt.

On the embedded broker and a real Redis, with the worker and the projector as processes of their own.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import pytest
import redis
from click.testing import CliRunner

from agents.agent import agents_named
from console.reading import people
from console.reading.changes import Change
from console.reading.reader import Reader
from console.reading.refusals import Away, OtherAgency, Starting, Unknown
from fenceline.cli import main
from fenceline.embedded import embedded_broker, embedded_redis
from pipeline.readmodel import layout
from pipeline.readmodel.answers import AlertList
from schemas.incident import Incident
from schemas.message import encode
from schemas.reference import Leave, Subject
from schemas.times import Instant, instant
from tests.support import homes, office
from tests.support.postal import Part
from tests.support.workers import PARTITIONS, make_topics, read_all, send_all

T = TypeVar("T")

AGENTS = "locate,score,alert,area,coordinate,audit"
PATIENCE_S = 90.0
NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = {"s0": "a", "s1": "a", "s2": "b"}
"""Who is whose."""


class Site(NamedTuple):
    """All that runs. `redis`: closed, Redis is away."""

    broker: str
    redis_url: str
    projector: Part
    redis: ExitStack


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    global NOW  # noqa: PLW0603  # when this begins, not when tests were collected a quarter of an hour before
    NOW = datetime.now(UTC).replace(microsecond=0)
    with embedded_broker() as broker, ExitStack() as redis_stack:
        redis_url = redis_stack.enter_context(embedded_redis())
        make_topics(broker, agents_named(AGENTS.split(",")))
        asyncio.run(homes.introduce(broker, 3, PARTITIONS))
        subjects = [Subject(subject_id=name, agency=agency, case_ref=f"C-{name}") for name, agency in PEOPLE.items()]
        asyncio.run(send_all(broker, [("subjects", one.subject_id, encode(one)) for one in subjects]))
        environ = {"broker": broker, "redis_url": redis_url, "partitions": str(PARTITIONS)}
        environ["worker_session_timeout_s"] = "6"
        parts = [Part(folder, ("worker", "--agents", AGENTS), environ), Part(folder, ("project",), environ)]
        try:
            for part in parts:
                part.start()
            for part in parts:
                part.ready()
            yield Site(broker, redis_url, parts[1], redis_stack)
        finally:
            for part in parts:
                part.stop()


@asynccontextmanager
async def reading(site: Site) -> AsyncIterator[Reader]:
    reader = Reader(site.redis_url)
    try:
        yield reader
    finally:
        await reader.close()


async def soon(ask: Callable[[], Awaitable[T]], is_it: Callable[[T], Any] = bool) -> T:
    """What is answered once it is as wanted."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            found = await ask()
            if is_it(found):
                return found
        except (Unknown, Starting, Away):
            found = None  # type: ignore[assignment]  # not yet
        assert time.monotonic() < end, found
        await asyncio.sleep(0.05)


def report(number: int, second: int, away_m: float) -> tuple[str, str, bytes]:
    """A fix of person `number`, so far north of home."""
    lat, lon = homes.home(number)
    at = instant(NOW - timedelta(seconds=600 - second))
    fix = {"device_id": f"d{number}", "fix_time": str(at), "lat": lat + away_m / homes.METRES_PER_DEGREE, "lon": lon}
    return "fixes", f"d{number}", json.dumps({**fix, "accuracy_m": 8.0, "battery_pct": 71}).encode()


def happened(name: str, type_: str, subject_id: str, **fields: Any) -> tuple[str, str, bytes]:
    """An incident of now, made by hand."""
    one = office.incident(name, 0, type_, subject_id=subject_id, agency=PEOPLE[subject_id])
    said = {"occurred_at": instant(NOW), "detected_at": instant(NOW), **fields}
    return "incidents", subject_id, encode(Incident(**{**{f: getattr(one, f) for f in one.__struct_fields__}, **said}))


def command(kind: str, subject_id: str, command_id: str, **fields: Any) -> tuple[str, str, bytes]:
    told = office.command(kind, 0, subject_id=subject_id, command_id=command_id, by="chen", agency="a", **fields)
    return "commands", subject_id, json.dumps({**told, "at": str(instant(NOW))}).encode()


def held(url: str) -> dict[str, Any]:
    """The whole model, but for what says when it was made."""
    store = redis.from_url(url)
    found: dict[str, Any] = {}
    for raw in store.scan_iter(match=f"{layout.PREFIX}*", count=1000):
        key = raw.decode()
        if key in (layout.EPOCH, layout.FILLED, layout.CHANGES):
            continue
        kind = store.type(raw).decode()
        match kind:
            case "hash":
                found[key] = store.hgetall(raw)
            case "zset":
                found[key] = dict(store.zrange(raw, 0, -1, withscores=True))
            case _:
                found[key] = store.get(raw)
    store.close()
    return found


async def test_what_happens_is_seen_by_those_whose_it_is_and_is_the_same_when_made_anew(site: Site) -> None:
    walk = [report(0, 10 * n, 30.0 * n) for n in range(50)] + [report(2, 10 * n, 0.0) for n in range(50)]
    leave = Leave(
        leave_id="l1",
        subject_id="s1",
        starts_at=instant(NOW),
        ends_at=instant(NOW + timedelta(hours=2)),
        reason="dentist",
    )
    await send_all(site.broker, [*walk, happened("t1", "device.tamper", "s1"), happened("t2", "device.tamper", "s2")])
    await send_all(site.broker, [("leave-changes", "s1", encode(leave))])
    async with reading(site) as reader:
        seen: list[Change] = []
        following = [
            asyncio.create_task(_follow(reader, seen, "a", principal="chen")),
            asyncio.create_task(_follow(reader, mine := [], None, subject_id="s1")),
        ]
        await _alerts_by_agency(reader)
        await _card_and_account(reader)
        await _way_and_place(reader)
        taken = await _taken(site, reader)
        await soon(lambda: _async([one for one in seen if one.event == "result"]))
        await _told(seen, mine, taken)
        overview = await reader.overview("a")
        assert overview.alerts.open == overview.alerts.unacknowledged + 1
        assert overview.acknowledged.count == 1
        assert [(one.principal, one.alerts) for one in overview.load] == [("chen", 1)]
        assert overview.people.green + overview.people.yellow + overview.people.red == 2
        await _stopped(*following)

        last = seen[-1].id or next(one.id for one in reversed(seen) if one.id)
        await _killed(site, reader)
        resumed: list[Change] = []
        task = asyncio.create_task(_follow(reader, resumed, "a", after=last))
        await soon(
            lambda: _async([one for one in resumed if b'"acknowledged"' not in one.data and one.event == "alert"])
        )
        await _stopped(task)
        assert not any(one.event == "reset" for one in resumed)

        await _settled(site)
        before = held(site.redis_url)
        done = await asyncio.to_thread(_rebuild, site)
        assert done.exit_code == 0, done.output
        after = held(site.redis_url)
        assert after.keys() == before.keys()
        assert {key for key in after if after[key] != before[key]} == set()
        late: list[Change] = []
        task = asyncio.create_task(_follow(reader, late, "a", after=last))
        await soon(lambda: _async(late))
        await _stopped(task)
        assert late[0].event == "reset", "what was told before is of another model"

        await _lost(site, reader)
        assert {key for key, value in held(site.redis_url).items() if value != before[key]} == set()


async def _lost(site: Site, reader: Reader) -> None:
    """Redis goes, and another, empty one comes in its place."""
    await asyncio.to_thread(site.redis.close)
    with pytest.raises(Away):
        await reader.alerts("a")
    port = urlsplit(site.redis_url).port
    await asyncio.to_thread(site.redis.enter_context, embedded_redis(port))
    await soon(lambda: reader.alerts("a"), lambda found: _sos(found) == 1)
    assert site.projector.is_running, "it waited"
    await _settled(site)


async def _async(value: T) -> T:
    return value


async def _stopped(*tasks: asyncio.Task[None]) -> None:
    """Cancel until it is heard: a wait with a time limit now and then swallows a cancellation."""
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=1)


async def _follow(reader: Reader, into: list[Change], agency: str | None, after: str | None = None, **who: str) -> None:
    async for change in reader.changes(agency, after, **who):
        into.append(change)  # noqa: PERF401  # it is looked at meanwhile


async def _alerts_by_agency(reader: Reader) -> None:
    both = {"tamper", "breach"}
    mine = await soon(lambda: reader.alerts("a"), lambda found: {one.rule for one in found.alerts} >= both)
    assert mine.alerts[0].rule == "tamper", "the worst first"
    assert "home 0" in next(one.sentence.en for one in mine.alerts if one.rule == "breach")
    other = await soon(lambda: reader.alerts("b"), lambda found: found.total > 0)
    assert other.alerts[0].subject_id == "s2"
    with pytest.raises(OtherAgency):
        await reader.alert("a", other.alerts[0].alert_id)
    with pytest.raises(OtherAgency):
        await reader.card("a", "s2")
    with pytest.raises(Unknown):
        await reader.card("a", "s9")
    assert [one.subject_id for one in await reader.find("a", "c-S")] == ["s0", "s1"]
    assert [one.subject_id for one in (await reader.people("b")).people] == ["s2"]
    with pytest.MonkeyPatch.context() as patch:
        worn = {one.subject_id: one.device_ids for one in (await reader.people("a")).people}
        patch.setattr(people, "MANY", 0)  # as where there are many
        assert {one.subject_id: one.device_ids for one in (await reader.people("a")).people} == worn
        assert worn == {"s0": ("d0",), "s1": ("d1",)}
    assert [one.leave_id for one in await reader.leaves("a")] == ["l1"]
    assert await reader.leaves("b") == []


async def _card_and_account(reader: Reader) -> None:
    card = await soon(lambda: reader.card("a", "s1"), lambda found: found.points < 100)
    assert (card.state, card.open_alerts, card.case_ref) == ("alert", 1, "C-s1")
    assert [one.leave_id for one in card.leaves] == ["l1"]
    ledger = await reader.ledger("a", "s1")
    assert ledger.score is not None
    assert 100 + sum(line.effect for line in ledger.lines) == ledger.score.points == card.points
    kinds = [one.kind for one in (await reader.timeline("a", "s1")).timeline]
    assert {"incident", "alert", "score", "leave"} <= set(kinds)
    day = await reader.day("s0")
    assert [(one.fence_id, one.rule, one.now) for one in day.duties] == [("f0", "stay_in", True)]
    breach = (await soon(lambda: reader.card("a", "s0"), lambda found: found.state == "breach")).breaches[0]
    incident, _, fence = await reader.incident("a", "s0", breach.incident_id)
    assert fence is not None
    assert (incident.type, fence.properties.fence_id) == ("breach.opened", "f0")


async def _way_and_place(reader: Reader) -> None:
    found = await soon(lambda: reader.positions("a"), lambda told: told.rows and told.rows[0][8] == 1)
    device_id, subject_id, t_ms, lat, _, accuracy_m, _, state, _ = found.rows[0]
    assert (device_id, subject_id, accuracy_m, state) == ("d0", "s0", 8.0, 1)
    assert t_ms == (NOW - timedelta(seconds=110)).timestamp() * 1000
    assert lat == pytest.approx(homes.home(0)[0] + 49 * 30 / homes.METRES_PER_DEGREE, abs=1e-6)
    track = await reader.track("a", "s0", instant(NOW - timedelta(hours=1)), instant(NOW))
    assert len(track.rows) == 50, "each of these steps is long enough to be kept"
    assert (track.devices, track.truncated) == (("d0",), False)
    assert [one.type for one in track.incidents] == ["breach.opened"]
    still = await reader.track("b", "s2", instant(NOW - timedelta(hours=1)), instant(NOW))
    assert 1 <= len(still.rows) <= 3, "who stays at home leaves a thin line"
    empty = await reader.track("a", "s0", Instant.fromtimestamp(0, UTC), instant(NOW - timedelta(days=200)))
    assert empty.rows == []


async def _taken(site: Site, reader: Reader) -> str:
    """An officer takes the tampering; who else asks is told who has it."""
    alert_id = (await reader.alerts("a")).alerts[0].alert_id
    await send_all(site.broker, [command("alert.acknowledge", "s1", "c-1", alert_id=alert_id)])
    result = await reader.await_result("c-1", PATIENCE_S)
    assert result is not None
    assert result.outcome == "done"
    alert = await soon(lambda: reader.alert("a", alert_id), lambda found: found.state == "acknowledged")
    assert alert.acknowledged_by == "chen"
    return alert_id


async def _told(seen: list[Change], mine: list[Change], alert_id: str) -> None:
    alerts = [json.loads(one.data) for one in seen if one.event == "alert"]
    assert any(one["alert_id"] == alert_id and one["state"] == "acknowledged" for one in alerts)
    assert {one["agency"] for one in alerts} == {"a"}
    moved = [row for one in seen if one.event == "positions" for row in json.loads(one.data)["rows"]]
    assert {row[1] for row in moved} <= {"s0", "s1"}
    assert all(one.event in ("", "score", "leave", "message", "person") for one in mine), (
        "a person hears of themselves only"
    )
    assert any(one.event == "score" for one in mine)


async def _killed(site: Site, reader: Reader) -> None:
    """What happens while the projector is dead is there when it is back, once."""
    await asyncio.to_thread(site.projector.kill)
    await send_all(site.broker, [happened("t3", "device.sos", "s1")])
    await asyncio.to_thread(lambda: site.projector.start().ready())
    found = await soon(lambda: reader.alerts("a"), lambda told: _sos(told) > 0)
    assert _sos(found) == 1


def _sos(told: AlertList) -> int:
    return [one.rule for one in told.alerts if one.subject_id == "s1"].count("sos")


def _rebuild(site: Site) -> Any:
    environ = {"FENCELINE_REDIS_URL": site.redis_url, "FENCELINE_BROKER": site.broker}
    return CliRunner().invoke(main, ["rebuild", "--wait", str(PATIENCE_S)], env=environ)


async def _settled(site: Site) -> None:
    """Wait until the topics and the model stand still."""
    end, last, since = time.monotonic() + PATIENCE_S, None, time.monotonic()
    while time.monotonic() < end and time.monotonic() - since < 3:
        now = (
            len(await read_all(site.broker, "alerts", "score-entries", "tasks", "command-results")),
            held(site.redis_url),
        )
        if now != last:
            last, since = now, time.monotonic()
        await asyncio.sleep(0.3)


async def test_a_redis_that_is_away_or_empty_is_told_from_one_that_knows_nothing() -> None:
    with embedded_redis() as url:
        reader = Reader(url)
        with pytest.raises(Starting):
            await reader.alerts("a")
        assert await reader.condition() == {"ready": False, "why": "starting"}
    with pytest.raises(Away):
        await reader.alerts("a")
    await reader.close()
