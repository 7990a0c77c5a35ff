"""What is an agent? Its inputs, its outputs, what it must know, and its rule; all else is the runtime's.

A new agent is a file of one screen, `agents/<name>.py`, and a line in `AGENTS` below:

    AGENT = Agent(
        name="score",
        inputs=(INCIDENTS, COMMANDS),                    # co-partitioned, keyed alike
        outputs=(SCORE_ENTRIES, SCORES),                 # rejected topics of the inputs come by themselves
        reference=(RULES, SUBJECTS),                     # read to their end before the first record, then followed
        knowledge=Rulebook,                              # keeps the reference: learn(topic, key, value, at)
        core=lambda _, rulebook: KeyedCore(decide, Standing, rulebook),
    )

Decode and decide happen in the core (`pipeline.step.Core`; `pipeline.keyed.KeyedCore` makes one of a rule over one
key), remember and send in `agents.partitions`. The core sees each record once and in order, also after a crash; what it
emits is on its topic once, under `Emission.id`, before the state that follows from it is kept. A record that cannot be
used becomes an emission to its rejected topic. Nothing raises.

Every record that is sent carries the headers `id` (the emission's), `src` (``<agent>/<partition>``) and `type` (the
message's class). A message with a field `emitted_at` has it set when it is sent.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from pipeline.step import Core, rejected_topic
from schemas.message import Invalid
from schemas.topics import TOPICS, Topic


class Knowledge(Protocol):
    """What cores know beside their state: kept from reference topics, shared by all partitions of a worker."""

    def learn(self, topic: str, key: bytes, value: bytes | None, at: datetime) -> Invalid | None:
        """Take in a reference record, written at `at` (None: the key is withdrawn); what is wrong with it, if any."""


class Nothing:
    """The knowledge of an agent that needs none."""

    def learn(self, topic: str, key: bytes, value: bytes | None, at: datetime) -> Invalid | None:
        """Refuse: no reference topic was named."""
        return Invalid(f"{topic} is not expected here")


class Agent(NamedTuple):
    """A stateful part of the stream. `core`: makes the core of a partition, given its number and the knowledge.
    `warm_up`: does beforehand what would hold the process up when it is first needed."""

    name: str
    inputs: tuple[Topic, ...]
    outputs: tuple[Topic, ...]
    core: Callable[[int, Any], Core]
    reference: tuple[Topic, ...] = ()
    knowledge: Callable[[], Knowledge] = Nothing
    warm_up: Callable[[], None] | None = None

    @property
    def changelog(self) -> str:
        """The topic that keeps the agent's state."""
        return f"fenceline.{self.name}.changelog"

    def written(self) -> set[str]:
        """Names of all topics that the agent may write to."""
        rejected = {rejected_topic(topic.name) for topic in self.inputs} & TOPICS.keys()
        return {topic.name for topic in self.outputs} | rejected


AGENTS: dict[str, str] = {
    # name: the module that holds its AGENT
    "locate": "agents.locate",
    "verify": "agents.verify",
    "watch": "agents.watch",
    "outage": "agents.outage",
    "score": "agents.score",
    "alert": "agents.alert",
    "area": "agents.area",
    "coordinate": "agents.coordinate",
    "audit": "agents.audit",
    "notify": "agents.notify",
}


class UnknownAgent(ValueError):
    """No agent of that name; says which there are."""


def agents_named(names: Iterable[str] | None = None) -> list[Agent]:
    """The agents called `names`, or all.

    Raises:
        UnknownAgent: there is none of that name.
    """
    chosen = list(AGENTS) if names is None else list(dict.fromkeys(names))
    for name in chosen:
        if name not in AGENTS:
            raise UnknownAgent(f"no agent {name!r}; there are: {', '.join(AGENTS)}")
    return [import_module(AGENTS[name]).AGENT for name in chosen]
