import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.topics import Difference, TopicsWrong, check_topics, create_topics, wanted_topics
from fenceline.settings import Settings
from schemas.topics import TOPICS
from tests.support.kafka import ApacheKafka
from tests.support.tally import AGENT


async def make(broker: str, *topics: NewTopic) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics(list(topics))
    await admin.close()


def settings(broker: str, partitions: int = 4) -> Settings:
    return Settings(broker=broker, partitions=partitions)


async def test_all_topics_are_made_with_changelogs_and_the_second_time_none(broker: str) -> None:
    made, differing = await create_topics(settings(broker), [AGENT])
    assert set(made) == TOPICS.keys() | {"fenceline.tally.changelog"}
    assert differing == []
    assert await create_topics(settings(broker), [AGENT]) == ([], [])
    await check_topics(settings(broker), [AGENT])


async def test_new_topics_get_as_many_partitions_as_those_that_are_there(broker: str) -> None:
    await make(broker, NewTopic("fixes", 6, 1))
    _, differing = await create_topics(settings(broker, 4), [AGENT])
    assert Difference("(all co-partitioned)", "partitions", "6", "4") in differing
    await check_topics(settings(broker, 4), [AGENT])


async def test_co_partitioned_topics_with_different_partitions_are_refused(broker: str) -> None:
    await make(broker, NewTopic("fixes", 6, 1), NewTopic("incidents", 4, 1))
    with pytest.raises(TopicsWrong, match=r"4: incidents; 6: fixes"):
        await create_topics(settings(broker), [AGENT])


async def test_a_worker_without_its_topics_is_told_how_to_make_them(broker: str) -> None:
    with pytest.raises(TopicsWrong, match=r"fenceline.tally.changelog, fences, fixes.*fenceline topics create"):
        await check_topics(settings(broker), [AGENT])


@pytest.mark.kafka
async def test_settings_of_existing_topics_are_compared_and_left_alone(own_kafka: ApacheKafka) -> None:
    kafka = own_kafka.bootstrap  # where nobody else has made the topic before
    await make(
        kafka,
        NewTopic("fixes", 4, 1, topic_configs={"retention.ms": "1000", "message.timestamp.type": "LogAppendTime"}),
    )
    _, differing = await create_topics(settings(kafka), [AGENT])
    wanted = TOPICS["fixes"].config()["retention.ms"]
    assert differing == [Difference("fixes", "retention.ms", "1000", wanted)]


def test_every_changelog_is_compacted() -> None:
    (changelog,) = [topic for topic in wanted_topics([AGENT]) if topic.name == AGENT.changelog]
    assert changelog.config["cleanup.policy"] == "compact"
    assert changelog.partitions is None
