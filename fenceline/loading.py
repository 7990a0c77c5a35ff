"""How do checked entries get onto their topics? With versions, keys and partitions as `schemas.topics` says."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from secrets import token_bytes
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer

from agents.topics import topics_there
from fenceline.entries import NO_SEED, Entry
from fenceline.history import records
from gateway.frames import partition_of
from schemas.ids import event_id
from schemas.message import Invalid, decode, encode
from schemas.plan import CheckinPlan
from schemas.reference import Fence
from schemas.topics import ACTIVATIONS, CHECKIN_PLANS, FENCES, LEAVE_CHANGES, LEAVES, ROSTERS, SUBJECTS, Topic

TOPICS_OF: dict[str, tuple[Topic, ...]] = {
    "fences": (FENCES,),
    "subjects": (SUBJECTS,),
    "activations": (ACTIVATIONS,),
    "leaves": (LEAVES, LEAVE_CHANGES),
    "rosters": (ROSTERS,),
    "plans": (CHECKIN_PLANS,),
}

Seal = Callable[[str, bytes], bytes]
"""Of a plan's id and the seed of its random times: the seed, readable with the master key only."""


class TopicMissing(Exception):
    """A topic is not there; says which, and how to make it."""


class Written(NamedTuple):
    """A record as the broker has it. `offset` is -1 where the topic said the same already; `version`: of a fence."""

    topic: str
    key: str
    partition: int
    offset: int
    version: int | None


async def load(kind: str, entries: Sequence[Entry], broker: str, seal: Seal | None = None) -> list[Written]:
    """Write `entries` of `kind`; one `Written` for each entry and topic, in the order given.

    `seal`: needed for plans with random times.

    Raises:
        TopicMissing: one of its topics is not there.
        TopicsWrong: the broker does not tell of a topic's partitions.
        KafkaError: the broker is away, or did not acknowledge. What was acknowledged before stands; do it again.
    """
    found = await topics_there(broker)
    missing = [topic.name for topic in TOPICS_OF[kind] if topic.name not in found]
    if missing:
        raise TopicMissing(f"no topic {', '.join(missing)} at {broker}; make all with: fenceline topics create")
    known = await _fences(broker) if kind == "fences" else {}
    plans = await plans_there(broker) if kind == "plans" else {}
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", client_id="fenceline-load")
    await producer.start()
    try:
        written = []
        for entry in entries:
            message = entry.message
            if kind == "fences":
                message = versioned(message, known.get(entry.key))
            elif kind == "plans":
                message = seeded(message, plans.get(entry.key), seal)
                if message == plans.get(entry.key):
                    written.append(Written(CHECKIN_PLANS.name, entry.key, -1, -1, None))
                    continue
            for topic in TOPICS_OF[kind]:
                if message is None:
                    version = known[entry.key].properties.version
                    written.append(Written(topic.name, entry.key, -1, -1, version))
                    continue
                written.append(await _send(producer, topic, message, found[topic.name]))
        return written
    finally:
        await producer.stop()


async def _fences(broker: str) -> dict[str, Fence]:
    """The latest version of each fence on the topic; what is not a fence there is passed over."""
    known: dict[str, Fence] = {}
    async for chunk in records(broker, FENCES.name):
        for record in chunk:
            key = record.key.decode("utf-8", "replace")
            try:
                known[key] = decode(record.value, Fence)
            except Invalid:
                known.pop(key, None)
    return known


async def plans_there(broker: str) -> dict[str, CheckinPlan]:
    """The plan of each person on the topic; what is no plan there is passed over."""
    plans: dict[str, CheckinPlan] = {}
    async for chunk in records(broker, CHECKIN_PLANS.name):
        for record in chunk:
            key = record.key.decode("utf-8", "replace")
            try:
                plans[key] = decode(record.value, CheckinPlan)
            except Invalid:
                plans.pop(key, None)
    return plans


def seeded(plan: CheckinPlan, known: CheckinPlan | None, seal: Seal | None) -> CheckinPlan:
    """`plan` with the seed of its random times: that of the `known` plan of the same id, so that nobody can draw again
    until the times please them; else a new one, sealed.

    Raises:
        Invalid: a seed is needed, and there is nothing to seal it with.
    """
    sampling = plan.sampling
    if sampling is None or sampling.seed_sha256 != NO_SEED:
        return plan
    if known is not None and known.plan_id == plan.plan_id and known.sampling is not None:
        old = known.sampling
        sampling = msgspec.structs.replace(sampling, seed_sha256=old.seed_sha256, sealed=old.sealed, seed=old.seed)
    else:
        if seal is None:
            raise Invalid("random times need the master key, to seal their seed", "$.sampling")
        seed = token_bytes(32)
        sealed = seal(plan.plan_id, seed)
        sampling = msgspec.structs.replace(sampling, seed_sha256=sha256(seed).hexdigest(), sealed=sealed)
    return msgspec.structs.replace(plan, sampling=sampling)


def versioned(fence: Fence, known: Fence | None) -> Fence | None:
    """`fence` with a version above the `known` one's; None when it says nothing new."""
    if known is None:
        return fence
    own, old = fence.properties, known.properties
    as_old = msgspec.structs.replace(own, version=old.version, effective_from=own.effective_from or old.effective_from)
    if msgspec.structs.replace(fence, properties=as_old) == known:
        return None
    raised = msgspec.structs.replace(own, version=max(own.version, old.version + 1))
    return msgspec.structs.replace(fence, properties=raised)


async def _send(producer: AIOKafkaProducer, topic: Topic, message: Any, partitions: int) -> Written:
    of = message.properties if topic is FENCES else message
    key = str(getattr(of, topic.key))
    by = message.device_id if topic is ACTIVATIONS else key
    value = encode(message)
    record_id = event_id("load", topic.name, key, sha256(value).hexdigest())
    headers = [("id", record_id.encode()), ("src", b"load"), ("type", type(message).__name__.encode())]
    partition = partition_of(by, partitions)
    sent = await producer.send_and_wait(topic.name, value, key=key.encode(), partition=partition, headers=headers)
    return Written(topic.name, key, partition, sent.offset, of.version if topic is FENCES else None)
