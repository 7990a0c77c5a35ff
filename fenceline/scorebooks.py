"""What do the topics say of scores? Ledgers as written, and ledgers made anew from what they rest on."""

import heapq
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import NamedTuple

from agents.casebook import casebook
from agents.partition import Partition
from agents.score import AGENT
from fenceline.history import records
from pipeline.casebook import Casebook
from pipeline.scoring.rules import ScoreRules
from pipeline.scoring.sum import standing_lines
from pipeline.step import Record
from schemas.message import decode, encode
from schemas.score import Score, ScoreEntry
from schemas.times import from_epoch


class Ledgers(NamedTuple):
    """By person: the lines in the order in which they were written, and the last score."""

    lines: dict[str, list[ScoreEntry]]
    scores: dict[str, Score]

    def canonical(self, subject_id: str) -> bytes:
        """The bytes of the lines that hold, the same for the same ledger."""
        return encode(standing_lines(self.lines.get(subject_id, ())))


async def reference(broker: str, draft: ScoreRules | None = None) -> Casebook:
    """What scores are judged with, as the topics have it now; with `draft`, that in place of all score rules."""
    known = casebook()
    for topic in AGENT.reference:
        async for chunk in records(broker, topic.name):
            for record in chunk:
                known.learn(topic.name, record.key, record.value or None, from_epoch(record.timestamp_s))
    if draft is not None:
        known.score = type(known.score)(ScoreRules, draft)
    return known


async def written(broker: str, only: Collection[int] | None = None) -> Ledgers:
    """The ledgers on `score-entries` and `scores` (of the partitions `only`, if given)."""
    found = Ledgers(defaultdict(list), {})
    async for chunk in records(broker, "score-entries", only=only):
        for record in chunk:
            found.lines[record.key.decode()].append(decode(record.value, ScoreEntry))
    async for chunk in records(broker, "scores", only=only):
        for record in chunk:
            if record.value:
                found.scores[record.key.decode()] = decode(record.value, Score)
    return found


async def made_anew(broker: str, known: Casebook) -> Ledgers:
    """The ledgers that follow from incidents, leaves and commands, judged by the agent's own core up to now."""
    lanes: dict[int, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for topic in AGENT.inputs:
        async for chunk in records(broker, topic.name):
            for record in chunk:
                lanes[record.partition][topic.name].append(record)
    found = Ledgers(defaultdict(list), {})
    now_s = datetime.now(UTC).timestamp()
    for number, by_topic in sorted(lanes.items()):
        start = {topic.name: -1 for topic in AGENT.inputs}
        partition = Partition(AGENT.name, number, AGENT.core(number, known), start, 0.0)
        merged = list(heapq.merge(*by_topic.values(), key=lambda record: record.timestamp_s))
        for one in partition.judge(merged, now_s) + partition.tick(now_s):
            if isinstance(one.message, ScoreEntry):
                found.lines[one.key].append(one.message)
            elif isinstance(one.message, Score):
                found.scores[one.key] = one.message
    return found
