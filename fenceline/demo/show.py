"""The demo's run: introduces the town, lets the phones report, and prints breaches as they stand on their topic."""

import asyncio
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec
from aiokafka import AIOKafkaConsumer

from fenceline.demo.drive import Tally, drive
from fenceline.demo.setting import introduce
from fenceline.demo.stack import Stack, free_port
from fenceline.demo.story import Story, Summary
from fenceline.demo.town import Town, build_town
from pipeline.explain.sentences import sentence
from schemas.fix import decode_fixes
from schemas.incident import Incident
from schemas.message import decode
from schemas.topics import FIXES, INCIDENTS

Say = Callable[[str], None]

PERIOD_S = 2.0
SETTLE_S = 25.0
"""How long after the phones fell silent the demo waits for the last planted breach."""
LAST_LOOK_S = 2.0
"""The same after Ctrl-C, when somebody may just have set out."""
NEXT_TRIP_S = 25.0


async def show(
    stack: Stack, say: Say, *, seconds: float | None, people: int, breaching: int, seed: int, since: float
) -> Summary:
    """Run the demo on a started `stack` for `seconds` (None: until Ctrl-C) and tell what came of it.

    Raises:
        PartFailed: a part of the system ended or did not start.
    """
    partitions = int(stack.environ["FENCELINE_PARTITIONS"])
    await asyncio.to_thread(stack.run, ["topics", "create"])
    began_at = datetime.now(UTC)
    tokens = await introduce(build_town(began_at, people, breaching, seed), stack.broker, partitions, began_at)
    await asyncio.to_thread(_start_parts, stack)
    say(f"Ready after {time.monotonic() - since:.1f} s. {people} phones report every {PERIOD_S:g} s over HTTP.")
    if seconds is None:
        say("Ctrl-C ends it.")
    say("")

    ended = asyncio.Event()
    with _ending_at_signal(ended):
        town = build_town(datetime.now(UTC), people, breaching, seed)  # the same people, leaving now
        story, planted, began = Story(), town.planted(), time.monotonic()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(stack.broker, story, say))
            group.create_task(_keep_time(ended, seconds, stack))
            trips = group.create_task(_more_trips(town, planted, seed)) if seconds is None else None
            tally = await drive(town, stack.urls["gateway"], tokens, PERIOD_S, ended.is_set)
            ran_s = time.monotonic() - began
            await _settle(story, planted, tally, patience_s=LAST_LOOK_S if seconds is None else SETTLE_S)
            for task in (watching, trips):
                if task is not None:
                    task.cancel()
    return story.summary(planted, tally.accepted, people, ran_s)


def _start_parts(stack: Stack) -> None:
    port = free_port()
    stack.start("worker", ["worker", "--health-port", str(port)], "/readyz", port)
    port = free_port()
    stack.start("gateway", ["gateway", "--port", str(port)], "/readyz", port)


@contextmanager
def _ending_at_signal(ended: asyncio.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM set `ended` instead of ending the program in the middle."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _keep_time(ended: asyncio.Event, seconds: float | None, stack: Stack) -> None:
    """Set `ended` after `seconds`; meanwhile see to it that all parts still run."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not ended.is_set():
        stack.check()
        left = 1.0 if deadline is None else min(deadline - time.monotonic(), 1.0)
        if left <= 0:
            ended.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), max(left, 0.01))


async def _more_trips(town: Town, planted: set[tuple[str, str]], seed: int) -> None:
    """In a demo without end, somebody new drives off every so often."""
    rng = random.Random(seed)  # noqa: S311  # a simulation
    while True:
        await asyncio.sleep(NEXT_TRIP_S)
        now = datetime.now(UTC)
        at_home = [p for p in town.people if p.trip is None or p.trip.offset_m(now)[:2] == (0.0, 0.0)]
        if at_home:
            person = rng.choice(at_home)
            town.send_out(person, now, heading_deg=rng.uniform(180, 360))
            planted.add((person.subject_id, person.fence_id))


async def _settle(story: Story, planted: set[tuple[str, str]], tally: Tally, patience_s: float) -> None:
    """Wait until all that was accepted and planted has been seen, or for `patience_s`."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if story.found(planted) and len(story.received_at_s) >= len(tally.accepted):
            return
        await asyncio.sleep(0.2)


async def _watch(broker: str, story: Story, say: Say) -> None:
    """Read what the system says, as any analyst could, and print it."""
    consumer = AIOKafkaConsumer(
        FIXES.name, INCIDENTS.name, f"{FIXES.name}.rejected", bootstrap_servers=broker, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async for message in consumer:
            if message.topic == FIXES.name:
                for fix in decode_fixes(message.value):
                    story.fix_seen(fix)
            elif message.topic == INCIDENTS.name:
                incident = decode(message.value, Incident)
                if story.incident_seen(incident, message.timestamp / 1000):
                    delay_s = (incident.detected_at - incident.occurred_at).total_seconds()
                    say(
                        f"{datetime.now(UTC):%H:%M:%S}  {sentence(incident)} Settled {delay_s:.0f} s after it happened."
                    )
            else:
                story.rejected += 1
                say(f"{datetime.now(UTC):%H:%M:%S}  refused: {msgspec.json.decode(message.value)['reason']}")
    finally:
        await consumer.stop()


def farewell(summary: Summary, say: Say) -> None:
    """What came of it, for a reader."""
    say("")
    say(f"{summary.fixes} fixes of {summary.devices} phones in {summary.seconds:g} s; {summary.incidents} incidents.")
    say(f"Planted breaches found: {summary.breaches_found} of {summary.breaches_expected}.")
    say(f"False alarms: {summary.false_alarms}. Fixes lost: {summary.fixes_lost}, refused: {summary.fixes_rejected}.")
    if summary.p50_ms is not None:
        say(
            f"From the gateway's receipt to the incident: {summary.p50_ms:g} ms (median), {summary.p99_ms:g} ms (99 %)."
        )
    say("")
    say("Where to look next: README.md tells how to judge a file of your own (`fenceline replay`) and how to run it;")
    say("ARCHITECTURE.md follows one fix through the files; `.venv/bin/fenceline --help` lists the commands.")
