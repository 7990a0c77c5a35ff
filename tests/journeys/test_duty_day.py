"""A day of a thousand people through score, alert, area, coordinate and audit, with workers killed in the middle of it.

On a real Apache Kafka. Each agent's topics must hold what the agent makes of its inputs in one go, undisturbed: the
same ids, each once, the same bytes in the same order for each key; of tasks, for each task, because those of a person
come of topics that follow on each other within milliseconds.

FENCELINE_TEST_KILLS: how often a worker is killed; 20 shows it properly, CI takes fewer.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from agents.agent import Agent, agents_named
from pipeline.audit import verify
from pipeline.keyed import KeyedCore
from pipeline.scoring.books import Books
from pipeline.scoring.decide import decide
from pipeline.scoring.sum import standing_lines
from pipeline.step import Record
from schemas.alert import Alert
from schemas.message import decode, encode
from schemas.score import Score, ScoreEntry
from tests.support.dutyday import PASSES_S, PASSES_SLOWLY_S, START, Told, day, in_one_go, reference
from tests.support.kafka import ApacheKafka
from tests.support.office import casebook, incident
from tests.support.workers import PARTITIONS, WorkerProcess, ids, make_topics, read_all, send_all, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

KILLS = int(os.environ.get("FENCELINE_TEST_KILLS", "3"))
NAMES = ("score", "alert", "area", "coordinate", "audit")
DAY_S = PASSES_S if KILLS <= 6 else PASSES_SLOWLY_S
QUIET_S, SETTLE_S = 13.0, 90.0


@pytest.fixture
def broker(own_kafka: ApacheKafka) -> str:
    make_topics(own_kafka.bootstrap, agents_named())
    return own_kafka.bootstrap


@pytest.fixture
def crew(broker: str, tmp_path: Path) -> Iterator[list[WorkerProcess]]:
    arguments = ["-m", "fenceline", "worker", "--agents", ",".join(NAMES), "--health-port"]
    workers = [WorkerProcess(broker, tmp_path, arguments, worker_session_timeout_s="6") for _ in range(2)]
    yield workers
    for worker in workers:
        worker.kill()


async def _ready(crew: list[WorkerProcess]) -> None:
    """Wait until all are ready at once, and share out all partitions of all agents."""

    def shared() -> bool:
        told = [worker.health() or {} for worker in crew]
        given = [n for one in told for agent in one.get("agents", {}).values() for n in agent["partitions"]]
        return all(one.get("ready") for one in told) and len(given) == len(NAMES) * PARTITIONS

    for worker in crew:
        await asyncio.to_thread(worker.wait_ready)
    await asyncio.to_thread(wait_for, shared, 60)


async def _stream(broker: str, told: Sequence[tuple[float, Told]]) -> None:
    """Send `told` in order, each so many seconds after the begin."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    began = time.monotonic()
    try:
        for at_s, (topic, key, value) in told:
            await producer.send(topic, value, key=key.encode())
            ahead = at_s - (time.monotonic() - began)
            if ahead > 0.02:
                await asyncio.sleep(ahead)
    finally:
        await producer.stop()


async def _settled(broker: str, topics: set[str]) -> None:
    """Wait until nothing has been written to `topics` for longer than the slowest timer takes, 9 s and the grace."""
    last, since = -1, time.monotonic()
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        count = len(await read_all(broker, *topics))
        if count != last:
            last, since = count, time.monotonic()
        elif time.monotonic() - since > QUIET_S:
            return
        await asyncio.sleep(1)
    raise AssertionError(f"still writing after {SETTLE_S:g} s")


async def test_a_day_of_a_thousand_people_with_workers_killed_in_it_is_the_same_day(
    broker: str, crew: list[WorkerProcess]
) -> None:
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    people = [f"s{number}" for number in range(1000)]
    happens = day(people, seed, DAY_S)
    told = [one for _, one in happens]
    await send_all(broker, reference(people))
    for worker in crew:
        worker.start()
    await _ready(crew)
    streaming = asyncio.create_task(_stream(broker, happens))
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.5, 1.6 * DAY_S / KILLS - 1))
        victim = chance.choice(crew)
        await asyncio.to_thread(victim.kill)
        victim.start()
    await streaming
    await _ready(crew)
    agents = agents_named(NAMES)
    written = set().union(*(agent.written() for agent in agents))
    await _settled(broker, written)
    assert [await asyncio.to_thread(worker.stop) for worker in crew] == [0, 0], crew[0].told()
    until_s = time.time() - 5
    for agent in agents:
        await _assert_as_in_one_go(broker, agent, until_s)
    await _assert_ledger(broker, told)
    audit = [raw.value for raw in await read_all(broker, "audit")]
    assert verify(audit).breaks == ()
    assert verify(audit).links == sum(topic == "commands" for topic, _, _ in told)
    alerts = [decode(raw.value, Alert) for raw in await read_all(broker, "alerts")]
    notices = [notice.notice_id for one in alerts for notice in one.tell]
    assert len(notices) == len(set(notices))
    events = Counter(one.event for one in alerts)
    print(f"seed {seed}: {len(told)} told, {KILLS} kills, {dict(events)}, {len(notices)} notices, {len(audit)} links")
    assert min(events[name] for name in ("raised", "told", "escalated", "acknowledged", "resolved", "cleared")) > 10


async def _assert_as_in_one_go(broker: str, agent: Agent, until_s: float) -> None:
    """Its topics hold what the agent makes of its inputs in one go: each once, in order by key, source and task."""
    wanted: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    wanted_ids: Counter[str] = Counter()
    for src, one in await in_one_go(broker, agent, until_s):
        message = json.loads(encode(one.message))
        wanted[one.topic, one.key, src, message.get("task_id", "")].append(message)
        wanted_ids[one.id] += 1
    found: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    found_ids: Counter[str] = Counter()
    for raw in await read_all(broker, *agent.written()):
        src = dict(raw.headers).get("src", b"").decode()
        if src.startswith(f"{agent.name}/"):
            message = json.loads(raw.value)
            found[raw.topic, raw.key.decode(), src, message.get("task_id", "")].append(message)
            found_ids += Counter(ids([raw]))
    said = f"{agent.name}: {(wanted_ids - found_ids).total()} missing, {(found_ids - wanted_ids).total()} not wanted"
    differing = [one for one in {**found, **wanted} if found[one] != wanted[one]]
    assert not differing, "\n".join([said, *(f"{one}: {found[one]}, not {wanted[one]}" for one in differing[:5])])
    assert found_ids == wanted_ids, said


async def _assert_ledger(broker: str, told: list[Told]) -> None:
    """The ledger is that of the same facts told to one core in one process, each topic by itself, to the byte."""
    people = {key for _, key, _ in told}
    book = casebook()
    for raw in await read_all(broker, "subjects"):
        book.learn(raw.topic, raw.key, raw.value, START)
    core = KeyedCore(decide, Books, book)
    lines: dict[str, list[ScoreEntry]] = defaultdict(list)
    scores: dict[str, Score] = {}
    for wanted in ("commands", "leave-changes", "incidents"):
        records = [
            Record(topic, 0, place, key.encode(), value, START.timestamp() + place)
            for place, (topic, key, value) in enumerate(told)
            if topic == wanted
        ]
        for one in core.apply(records, START):
            if isinstance(one.message, ScoreEntry):
                lines[one.key].append(one.message)
            elif isinstance(one.message, Score):
                scores[one.key] = one.message
    on_topic: dict[str, list[ScoreEntry]] = defaultdict(list)
    for raw in await read_all(broker, "score-entries"):
        on_topic[raw.key.decode()].append(decode(raw.value, ScoreEntry))
    shown = {raw.key.decode(): decode(raw.value, Score) for raw in await read_all(broker, "scores")}
    for name in sorted(people):
        assert encode(standing_lines(on_topic[name])) == encode(standing_lines(lines[name])), name
        assert (name in shown) == (name in scores)
        if name in shown:
            assert (shown[name].points, shown[name].colour) == (scores[name].points, scores[name].colour)


async def test_an_escalation_fires_once_although_every_worker_was_dead_when_it_was_due(
    broker: str, crew: list[WorkerProcess]
) -> None:
    await send_all(broker, reference(["s1"]))
    for worker in crew:
        worker.start()
    await _ready(crew)
    await send_all(broker, [("incidents", "s1", encode(incident("t", 0, "device.tamper")))])

    async def alerts() -> list[Alert]:
        return [decode(raw.value, Alert) for raw in await read_all(broker, "alerts")]

    while not await alerts():
        await asyncio.sleep(0.1)
    for worker in crew:
        await asyncio.to_thread(worker.kill)
    raised = (await alerts())[0]
    assert raised.escalates_at is not None
    await asyncio.sleep(max(0.0, raised.escalates_at.timestamp() - time.time()) + 1)
    assert len(await alerts()) == 1
    for worker in crew:
        worker.start()
    await _ready(crew)
    deadline = time.monotonic() + 30
    while len(await alerts()) < 3 and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    for worker in crew:
        await asyncio.to_thread(worker.kill)
        worker.start()
    await _ready(crew)
    await asyncio.sleep(3)
    found = await alerts()
    assert [(one.event, one.level) for one in found] == [("raised", 0), ("escalated", 1), ("escalated", 2)]
    assert [(one.at - raised.at).total_seconds() for one in found] == [0, 3, 7], "at the due time, however late told"
    assert [[notice.audience for notice in one.tell] for one in found] == [["officer"], ["supervisor"] * 2, ["agency"]]


async def test_ten_thousand_go_silent_at_once_and_a_tamper_among_them_is_told_on_its_own(
    broker: str, crew: list[WorkerProcess]
) -> None:
    people = [f"s{number}" for number in range(10_000)]
    await send_all(broker, reference(people))
    for worker in crew:
        worker.start()
    await _ready(crew)
    told, tampers = [], []
    for number, name in enumerate(people):
        place = {"lat": 30.1 + number % 100 * 0.002, "lon": 120.12, "carrier": "46000"}
        fields = {"subject_id": name, "agency": ("justice", "police")[number % 2], "evidence": place}
        told.append(("incidents", name, encode(incident(f"x{number}", number / 1000, "device.silent", **fields))))
        if number % 1500 == 700:
            fields.pop("evidence")
            tampers.append(f"t{number}")
            told.append(("incidents", name, encode(incident(tampers[-1], number / 1000, "device.tamper", **fields))))
    await _stream(broker, [(30 * place / len(told), one) for place, one in enumerate(told)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        alerts = [(raw.timestamp / 1000, decode(raw.value, Alert)) for raw in await read_all(broker, "alerts")]
        outage = {one.subject_id: one.count for _, one in alerts if one.rule == "outage"}
        if sum(outage.values()) == 10_000 and sum(
            one.rule == "tamper" and one.event == "raised" for _, one in alerts
        ) == len(tampers):
            break
        await asyncio.sleep(0.5)
    happened = {
        json.loads(raw.value)["incident_id"]: raw.timestamp / 1000 for raw in await read_all(broker, "incidents")
    }
    delays = [
        at - happened[one.incident_ids[0]] for at, one in alerts if one.rule == "tamper" and one.event == "raised"
    ]
    print(f"outage {outage}; tamper told after {', '.join(f'{1000 * delay:.0f}' for delay in delays)} ms")
    assert outage == {"area:justice": 5_000, "area:police": 5_000}
    assert len(delays) == len(tampers)
    assert not [one for _, one in alerts if one.rule == "silent"]
    words = [one for _, one in alerts if one.rule == "outage" and one.tell and one.event != "escalated"]
    assert len(words) <= 10, "a handful for each of the two agencies"
    last = [one.area for _, one in alerts if one.rule == "outage"][-1]
    assert last is not None
    assert (round(last.south or 0, 2), round(last.north or 0, 2)) == (30.1, 30.3)
