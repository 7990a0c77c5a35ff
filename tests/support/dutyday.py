"""A day of many supervised people, as incidents, leaves and commands; and what agents make of a log in one go."""

import heapq
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.agent import Agent
from agents.partition import Partition
from agents.reader import record_of
from pipeline.scoring.ledger import entry_id_of
from pipeline.step import Emission, Record
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import Invalid, convert, encode
from schemas.reference import Leave, Subject
from schemas.roster import Roster, RuleSet, Shift
from schemas.times import from_epoch, instant
from tests.support.workers import read_all

AGENCIES = ("justice", "police")

START = instant(datetime.now(UTC).replace(microsecond=0))
"""When the day begins: now, for nobody is given time to put right what was detected long ago."""

FAST_ALERTS: dict[str, Any] = {
    "version": "fast",
    "rejoin_s": 2,
    "chains": {
        "c": [
            {"to": "officer", "people": "first", "wait_s": 3},
            {"to": "supervisor", "wait_s": 4},
            {"to": "agency", "wait_s": 9},
        ]
    },
    "outage": {"chain": "c", "say_again_s": 3},
    "clauses": {
        "sos": {"types": ["device.sos"], "own": True, "urgent": True, "severity": "critical", "chain": "c"},
        "tamper": {"types": ["device.tamper"], "own": True, "urgent": True, "severity": "critical", "chain": "c"},
        "other": {"types": ["identity.refuted"], "own": True, "urgent": True, "severity": "critical", "chain": "c"},
        "breach": {
            "types": ["breach.opened"],
            "ends": ["breach.closed"],
            "withdrawn_by": ["breach.corrected"],
            "by_fence": True,
            "chain": "c",
            "wearer": {"respond_s": 2, "severities": ["low", "medium"]},
        },
        "silent": {
            "types": ["device.silent"],
            "ends": ["device.back"],
            "when_over": "clear",
            "chain": "c",
            "gather": {"at_least": 10, "span_s": 10, "hold_s": 2},
        },
    },
}  # fmt: skip
"""Rules under which a day fits into a minute: what waits minutes in earnest waits seconds."""

Told = tuple[str, str, bytes]
Event = tuple[float, str, str, Any]

LAST = 98_000.0
"""Nothing happens later in the day, in its seconds."""
OVER, LEAVE, ORDERS, MORE, AGAIN = 2_500, 22_000, 30_000, 4_000, 44_000
"""How long after the first trouble of a person things happen, in the day's seconds: it is over, a leave is told of, it
is acknowledged or contested, that is followed up, there is trouble again.

What topics of their own say of one person, and what timers may do of it, lies apart by a second at least where a day
passes in `PASSES_S` or `PASSES_SLOWLY_S`: between topics nobody keeps an order (docs/decisions/0063), so only then is
the day the same to the byte in one go. Timers of the fast rules go off 2, 3, 5, 7, 9, 16 and 18 s after an incident.
"""
PASSES_S, PASSES_SLOWLY_S = 44.0, 160.0


def reference(subjects: Iterable[str]) -> list[Told]:
    """People, rosters and fast rules, as (topic, key, value)."""
    told: list[Told] = []
    for number, name in enumerate(subjects):
        person = Subject(subject_id=name, agency=AGENCIES[number % len(AGENCIES)])
        told.append(("subjects", name, encode(person)))
    for agency in AGENCIES:
        for audience in ("officer", "supervisor"):
            people = (Shift(people=(f"{agency}-{audience}-1", f"{agency}-{audience}-2")),)
            roster = Roster(roster_id=f"{agency}/{audience}", agency=agency, audience=audience, shifts=people)  # type: ignore[arg-type]
            told.append(("rosters", roster.roster_id, encode(roster)))
    rules = RuleSet(rule_set_id="alert/fast", part="alert", version="fast", effective_from=START, body=FAST_ALERTS)
    return [*told, ("rules", rules.rule_set_id, encode(rules))]


def day(people: Sequence[str], seed: int, passes_s: float) -> list[tuple[float, Told]]:
    """What happens in a day, each with when it is told, in order: seconds after the begin, if the day `passes_s`."""
    chance = random.Random(seed)
    told: list[Event] = []
    for number, name in enumerate(people):
        agency = AGENCIES[number % len(AGENCIES)]
        begun = chance.uniform(0, 20_000)
        if chance.random() < 0.1:
            told.append(_leave(chance, name, begun + LEAVE))
        if number % 4:
            for _ in range(chance.choice([1, 1, 2])):
                told += _trouble(chance, name, agency, begun)
                begun += AGAIN
        else:
            told += _silent(chance, name, 15_000)
    ordered = sorted(told, key=lambda one: (one[0], one[1], one[2], str(one[3])))
    return [(at / LAST * passes_s, (topic, name, encode(message))) for at, topic, name, message in ordered]


def _at(seconds: float) -> str:
    return str(instant(START + timedelta(seconds=seconds)))


def _incident(name: str, type_: str, seconds: float, **fields: Any) -> Incident:
    incident_id = event_id("day", name, type_, seconds)
    known = {
        "incident_id": incident_id,
        "type": type_,
        "subject_id": name,
        "occurred_at": _at(seconds),
        "detected_at": _at(seconds),
    }
    return convert({**known, **fields}, Incident)


def _trouble(chance: random.Random, name: str, agency: str, begun: float) -> list[Event]:
    type_ = chance.choice(
        ["breach.opened"] * 5 + ["device.tamper", "device.sos", "identity.doubtful", "checkin.missed"]
    )
    fields: dict[str, Any] = {"severity": chance.choice(["low", "medium", "high"]), "agency": agency}
    if type_ == "breach.opened":
        fields |= {"breach_id": event_id("b", name, begun), "fence_id": chance.choice(["home", "school"])}
    first = _incident(name, type_, begun, **fields)
    told: list[Event] = [(begun, "incidents", name, first)]
    if type_ == "breach.opened" and chance.random() < 0.4:
        over = chance.choice(["breach.closed", "breach.closed", "breach.corrected"])
        told.append((begun + OVER, "incidents", name, _incident(name, over, begun + OVER, **fields)))
    if type_ == "identity.doubtful" and chance.random() < 0.5:
        found = chance.choice(["identity.confirmed", "identity.refuted"])
        settled = _incident(name, found, begun + OVER, agency=agency, evidence={"settles": first.incident_id})
        told.append((begun + OVER, "incidents", name, settled))
    rule = {"breach.opened": "breach", "device.tamper": "tamper", "device.sos": "sos"}.get(type_)
    if rule is not None and chance.random() < 0.5:
        alert_id = event_id("alert", name, rule, first.incident_id)
        return told + _orders(chance, name, agency, begun + ORDERS, alert_id)
    if chance.random() < 0.5:
        told += _appeal(chance, name, agency, begun + ORDERS, entry_id_of(name, first.incident_id))
    return told


def _command(kind: str, name: str, seconds: float, by: str, role: str, agency: str, **fields: Any) -> Event:
    command_id = event_id("day-command", kind, name, seconds)
    known = {"kind": kind, "command_id": command_id, "subject_id": name, "by": by, "role": role, "agency": agency}
    return seconds, "commands", name, {**known, "at": _at(seconds), **fields}


def _orders(chance: random.Random, name: str, agency: str, at: float, alert_id: str) -> list[Event]:
    who = f"{agency}-officer-1"
    told = [_command("alert.acknowledge", name, at, who, "officer", agency, alert_id=alert_id)]
    if chance.random() < 0.6:
        outcome = chance.choice(["true_breach", "false_alarm_gps", "authorised"])
        told.append(
            _command("alert.resolve", name, at + MORE, who, "officer", agency, alert_id=alert_id, outcome=outcome)
        )
    return told


def _appeal(chance: random.Random, name: str, agency: str, at: float, entry: str) -> list[Event]:
    contest = _command("score.contest", name, at, name, "subject", "", entry_id=entry, reason="I was at home")
    decision = chance.choice(["uphold", "reverse"])
    who = f"{agency}-supervisor-1"
    decide = _command(
        "score.decide", name, at + MORE, who, "supervisor", agency, entry_id=entry, decision=decision, reason="seen"
    )
    return [contest, decide]


def _leave(chance: random.Random, name: str, told_at: float) -> Event:
    begins = chance.uniform(0, 60_000)
    starts_at, ends_at = (instant(START + timedelta(seconds=s)) for s in (begins, begins + 20_000))
    leave = Leave(leave_id=f"leave-{name}", subject_id=name, starts_at=starts_at, ends_at=ends_at, state="approved")
    return told_at, "leave-changes", name, leave


def _silent(chance: random.Random, name: str, outage: float) -> list[Event]:
    """Silent with all the others, and mostly back half a day later."""
    begun = outage + chance.uniform(0, 50)
    place = {"lat": chance.uniform(30.0, 30.4), "lon": chance.uniform(120.1, 120.3), "carrier": "46000"}
    told: list[Event] = [(begun, "incidents", name, _incident(name, "device.silent", begun, evidence=place))]
    if chance.random() < 0.9:
        later = begun + AGAIN
        told.append((later, "incidents", name, _incident(name, "device.back", later)))
    return told


async def in_one_go(broker: str, agent: Agent, until_s: float) -> list[tuple[str, Emission]]:
    """What `agent` makes of its inputs as they are on the log, in the order of their times; each with its `src`."""
    knowledge = agent.knowledge()
    for raw in await read_all(broker, *[topic.name for topic in agent.reference]):
        wrong = knowledge.learn(raw.topic, raw.key, raw.value, from_epoch(raw.timestamp / 1000))
        assert not isinstance(wrong, Invalid), wrong
    lanes: dict[int, dict[str, list[Record]]] = {}
    for topic in agent.inputs:
        for raw in await read_all(broker, topic.name):
            lanes.setdefault(raw.partition, {}).setdefault(topic.name, []).append(record_of(raw))
    emissions = []
    for number, by_topic in lanes.items():
        start = {topic.name: -1 for topic in agent.inputs}
        partition = Partition(agent.name, number, agent.core(number, knowledge), start, 0.0)
        merged = list(heapq.merge(*by_topic.values(), key=lambda record: record.timestamp_s))
        said = partition.judge(merged, until_s) + partition.tick(until_s)
        emissions += [(partition.src, one) for one in said]
    return emissions
