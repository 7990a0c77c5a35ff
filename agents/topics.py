"""Are the topics there, as they must be? Made with everything explicit, or compared with what is there.

Topics without a fixed number of partitions are keyed by device or subject and must all have the same number, or the
records of one key would meet different workers. Where some exist already, new ones are made with their number.
"""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from agents.agent import Agent
from fenceline.settings import Settings
from schemas.topics import HOUR_MS, TOPICS, Topic

TOPIC_EXISTS = 36
METADATA_S = 15.0
METADATA_PAUSE_S = 0.1

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.3",
    "segment.bytes": str(64 * 1024 * 1024),
    "segment.ms": str(HOUR_MS),
    "delete.retention.ms": str(24 * HOUR_MS),
}


class TopicsWrong(RuntimeError):
    """Topics are missing or do not fit together; says which, and what to do."""


class Wanted(NamedTuple):
    """How a topic must be. `partitions`: None for as many as all co-partitioned ones have."""

    name: str
    partitions: int | None
    config: Mapping[str, str]
    about: str


class Difference(NamedTuple):
    """In what an existing topic is otherwise than wanted."""

    topic: str
    what: str
    found: str
    wanted: str


def wanted_topics(agents: Iterable[Agent]) -> list[Wanted]:
    """All topics of the system, with the changelogs of `agents`."""
    topics = [Wanted(topic.name, topic.partitions, topic.config(), topic.about) for topic in TOPICS.values()]
    return topics + [
        Wanted(agent.changelog, _partitions(agent.inputs), CHANGELOG_CONFIG, f"state of {agent.name}")
        for agent in agents
    ]


def _partitions(inputs: Sequence[Topic]) -> int | None:
    numbers = {topic.partitions for topic in inputs}
    if len(numbers) > 1:
        raise TopicsWrong(f"{', '.join(topic.name for topic in inputs)} are read together but not partitioned alike")
    return numbers.pop()


async def topics_there(broker: str) -> dict[str, int]:
    """How many partitions each topic on the broker has.

    A topic made a moment ago is known by name before its partitions are: then ask again.

    Raises:
        TopicsWrong: the broker does not tell of a topic's partitions.
        KafkaError: the broker is away.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=broker, request_timeout_ms=10_000)
    await admin.start()
    try:
        deadline = time.monotonic() + METADATA_S
        while True:
            found = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics()}
            unknown = sorted(name for name, partitions in found.items() if not partitions)
            if not unknown:
                return found
            if time.monotonic() > deadline:
                raise TopicsWrong(f"the broker does not tell of the partitions of {', '.join(unknown)}; try again")
            await asyncio.sleep(METADATA_PAUSE_S)
    finally:
        await admin.close()


def _common(wanted: Iterable[Wanted], found: Mapping[str, int], partitions: int) -> int:
    """How many partitions co-partitioned topics have, or are to have."""
    by_number: dict[int, list[str]] = {}
    for topic in wanted:
        if topic.partitions is None and topic.name in found:
            by_number.setdefault(found[topic.name], []).append(topic.name)
    if len(by_number) > 1:
        listed = "; ".join(f"{number}: {', '.join(sorted(names))}" for number, names in sorted(by_number.items()))
        raise TopicsWrong(
            f"topics that must have the same number of partitions have different ones ({listed}). Add partitions to "
            "none of them while devices report: their records would change places. Make them anew, or mend by hand"
        )
    return next(iter(by_number), partitions)


async def create_topics(settings: Settings, agents: Iterable[Agent]) -> tuple[list[str], list[Difference]]:
    """Make the topics that are missing; the names made, and in what those that were there differ.

    Raises:
        TopicsWrong: co-partitioned topics have different numbers of partitions, or the broker refused one.
        KafkaError: the broker is away.
    """
    wanted = wanted_topics(agents)
    made: list[str] = []
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.broker)
    await admin.start()
    try:
        while True:
            found = await topics_there(settings.broker)
            common = _common(wanted, found, settings.partitions)
            missing = [topic for topic in wanted if topic.name not in found]
            if not missing:
                break
            made += await _make(admin, missing, common, settings.replication)
        differing = await _differences(admin, [topic for topic in wanted if topic.name not in made])
    finally:
        await admin.close()
    if common != settings.partitions:
        differing.append(Difference("(all co-partitioned)", "partitions", str(common), str(settings.partitions)))
    for topic in wanted:
        if topic.partitions is not None and found.get(topic.name, topic.partitions) != topic.partitions:
            differing.append(Difference(topic.name, "partitions", str(found[topic.name]), str(topic.partitions)))
    return made, differing


async def _make(admin: AIOKafkaAdminClient, missing: Sequence[Wanted], common: int, replication: int) -> list[str]:
    """The names of those made. Not among them: what was there, though the broker had not told of it yet.

    Raises:
        TopicsWrong: the broker refused one.
    """
    new = [NewTopic(one.name, one.partitions or common, replication, topic_configs=dict(one.config)) for one in missing]
    answer = await admin.create_topics(new, timeout_ms=30_000)
    for name, code, *rest in answer.topic_errors:
        if code not in (0, TOPIC_EXISTS):
            raise TopicsWrong(f"the broker refused to make {name}: {for_code(code).__name__} {rest[0] or ''}")
    return [name for name, code, *_ in answer.topic_errors if code == 0]


async def _differences(admin: AIOKafkaAdminClient, topics: Sequence[Wanted]) -> list[Difference]:
    if not topics:
        return []
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    try:
        answers: list[Any] = await admin.describe_configs(asked)
    except KafkaError:
        return []  # the embedded broker need not know
    found: dict[str, dict[str, str]] = {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }
    return [
        Difference(topic.name, what, is_, value)
        for topic in topics
        for what, value in topic.config.items()
        if (is_ := found.get(topic.name, {}).get(what)) not in (None, value)
    ]


async def check_there(broker: str, names: Iterable[str]) -> None:
    """Nothing if the topics are there.

    Raises:
        TopicsWrong: some are missing.
        KafkaError: the broker is away.
    """
    _complain(set(names) - (await topics_there(broker)).keys())


def _complain(missing: Collection[str]) -> None:
    if missing:
        named = ", ".join(sorted(missing))
        raise TopicsWrong(f"topics are missing: {named}; make them with `fenceline topics create`")


async def check_topics(settings: Settings, agents: Sequence[Agent]) -> None:
    """Nothing if `agents` can run on the topics that are there.

    Raises:
        TopicsWrong: some are missing, or have different numbers of partitions.
        KafkaError: the broker is away.
    """
    found = await topics_there(settings.broker)
    read = {topic.name for agent in agents for topic in (*agent.inputs, *agent.reference)}
    needed = read | {name for agent in agents for name in (*agent.written(), agent.changelog)}
    _complain(needed - found.keys())
    _common([topic for topic in wanted_topics(agents) if topic.name in needed], found, settings.partitions)
