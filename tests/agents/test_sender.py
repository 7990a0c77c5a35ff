"""What leaves a worker, and what no longer does."""

import pytest

from agents.sender import NotSent, Sender
from agents.topics import create_topics
from fenceline.settings import Settings
from pipeline.step import Emission
from tests.support.tally import AGENT
from tests.support.workers import read_all


async def test_nothing_leaves_once_the_hold_on_the_partitions_lapsed_on_the_way(broker: str) -> None:
    """As in a process that is frozen after it looked at its lease, and wakes up with records on their way out."""
    await create_topics(Settings(broker=broker, partitions=4), [AGENT])
    looks = iter([1.0])
    sender = Sender(broker, lambda: next(looks, 0.0))
    await sender.start()
    told = [("tally/0", Emission("incidents", "s1", b"{}", "i1"))]
    with pytest.raises(NotSent):
        await sender.send(told)
    await sender.stop()
    assert await read_all(broker, "incidents") == []

    awake = Sender(broker, lambda: 60.0)
    await awake.start()
    await awake.send(told)
    await awake.stop()
    assert len(await read_all(broker, "incidents")) == 1
