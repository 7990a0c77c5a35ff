"""The demo's run: introduces the town, lets the phones report, and prints breaches as they stand on their topic."""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from fenceline.demo import checkin
from fenceline.demo.chapters import Chapters
from fenceline.demo.drive import Tally, drive
from fenceline.demo.handsets import handsets
from fenceline.demo.links import Links
from fenceline.demo.office import SECOND, Office, rosters
from fenceline.demo.setting import introduce
from fenceline.demo.stack import Stack, free_port
from fenceline.demo.story import Story, Summary
from fenceline.demo.town import Town, build_town
from fenceline.demo.watch import Say, Watch
from schemas.command import Command
from schemas.message import encode
from schemas.topics import COMMANDS

PERIOD_S = 2.0
SETTLE_S = 40.0
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
    town = build_town(began_at, people, breaching, seed)
    story, chapters = Story(), Chapters(town.followed.subject_id, town.followed.case_ref)
    checkin.make_key(stack)
    async with _commands(stack.broker) as give:
        watch = Watch(stack.broker, story, chapters, Office(chapters.subject_id, give), say)
        async with handsets(lambda push: watch.tell(chapters.push_seen(push.title, push.body))) as sets:
            tokens = await introduce(town, rosters({SECOND: sets.subscription}), stack.broker, partitions, began_at)
            await asyncio.to_thread(_start_parts, stack, sets.environ)
            links = Links(stack, town.followed)
            say(f"Ready after {time.monotonic() - since:.1f} s. {people} phones report every {PERIOD_S:g} s over HTTP.")
            say(f"One story is told to its end: case {chapters.case_ref}. SMS and pushes go to stand-ins on it.")
            if seconds is None:
                say("Ctrl-C ends it.")
            say("")
            await links.tell(say)

            ended = asyncio.Event()
            with _ending_at_signal(ended):
                town = build_town(datetime.now(UTC), people, breaching, seed)  # the same people, leaving now
                planted, began = town.planted(), time.monotonic()
                async with asyncio.TaskGroup() as group:
                    beside = [group.create_task(watch.read()), group.create_task(watch.look_at(sets.twilio))]
                    group.create_task(_keep_time(ended, seconds, stack))
                    if seconds is None:
                        beside.append(group.create_task(_more_trips(town, planted, seed)))

                        async def then() -> None:
                            await checkin.check_in(stack, town.followed, watch.tell)
                            await links.tell(say)

                        beside.append(group.create_task(_once_told(story, chapters, planted, then)))
                    tally = await drive(town, stack.urls["gateway"], tokens, PERIOD_S, ended.is_set)
                    ran_s = time.monotonic() - began
                    patience_s = LAST_LOOK_S if seconds is None else SETTLE_S
                    await _settle(lambda: _is_told(story, chapters, planted, tally), patience_s)
                    for task in beside:
                        task.cancel()
    return story.summary(planted, tally.accepted, people, ran_s, chapters)


def _start_parts(stack: Stack, outside: Mapping[str, str]) -> None:
    """Start all parts. `outside`: settings by which messages find their way out and back."""
    port = free_port()
    stack.start("worker", ["worker", "--health-port", str(port)], port)
    port = free_port()
    outside = {**outside, "FENCELINE_GATEWAY_URL": f"http://127.0.0.1:{port}"}
    stack.start("gateway", ["gateway", "--port", str(port)], port, outside)
    port = free_port()
    stack.start("project", ["project", "--health-port", str(port)], port)
    port = free_port()
    desk = {
        "FENCELINE_CONSOLE_GATEWAY": stack.urls["gateway"],
        "FENCELINE_CONSOLE_SECURE_COOKIES": "false",  # plain HTTP, on this machine only
    }
    stack.start("console", ["console", "--port", str(port)], port, desk)
    port = free_port()
    outside = {**outside, "FENCELINE_CONSOLE_URL": stack.urls["console"]}
    stack.start("notifier", ["notifier", "--health-port", str(port)], port, outside)
    stack.ready()


@asynccontextmanager
async def _commands(broker: str) -> AsyncIterator[Callable[[Command], Awaitable[None]]]:
    """Gives a function that puts a command on its topic."""
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all")
    await producer.start()

    async def give(command: Command) -> None:
        await producer.send_and_wait(COMMANDS.name, encode(command), key=command.subject_id.encode())

    try:
        yield give
    finally:
        await producer.stop()


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


async def _once_told(
    story: Story, chapters: Chapters, planted: set[tuple[str, str]], tell: Callable[[], Awaitable[None]]
) -> None:
    """In a demo without end, once the story is at its end, its person checks in, and the way in is shown again."""
    first = set(planted)
    while not story.found(first) or chapters.untold():
        await asyncio.sleep(0.5)
    await tell()


def _is_told(story: Story, chapters: Chapters, planted: set[tuple[str, str]], tally: Tally) -> bool:
    """Whether all that was accepted and planted has been seen, officers were told, and the one story is at its end."""
    is_seen = story.found(planted) and len(story.received_at_s) >= len(tally.accepted)
    alarmed = len(story.alerts) >= len({subject_id for subject_id, _ in planted})
    return is_seen and alarmed and not chapters.untold()


async def _settle(done: Callable[[], bool], patience_s: float) -> None:
    """Wait until `done`, or for `patience_s`."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and not done():
        await asyncio.sleep(0.2)


def farewell(summary: Summary, say: Say) -> None:
    """What came of it, for a reader."""
    say("")
    say(f"{summary.fixes} fixes of {summary.devices} phones in {summary.seconds:g} s; {summary.incidents} incidents.")
    say(f"Planted breaches found: {summary.breaches_found} of {summary.breaches_expected}.")
    say(f"False alarms: {summary.false_alarms}. Fixes lost: {summary.fixes_lost}, refused: {summary.fixes_rejected}.")
    say(f"Alerts: {summary.alerts}. Messages to officers: {summary.messages}, given up: {summary.messages_dead}.")
    if summary.untold:
        say(f"Of the one story these did not come: {', '.join(summary.untold)}.")
    if summary.p50_ms is not None:
        say(
            f"From the gateway's receipt to the incident: {summary.p50_ms:g} ms (median), {summary.p99_ms:g} ms (99 %)."
        )
    say("")
    say("Where to look next: README.md tells how to judge a file of your own (`fenceline replay`) and how to run it;")
    say("ARCHITECTURE.md follows one fix through the files; `.venv/bin/fenceline --help` lists the commands.")
