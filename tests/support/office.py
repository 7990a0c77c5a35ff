"""A bench for the rules of scores, alerts and tasks: incidents and commands in, emissions out, time moved by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, TypeVar

from pipeline.alerting.policy import read_alert_rules
from pipeline.casebook import Casebook
from pipeline.coordination.policy import read_task_rules
from pipeline.keyed import KeyedCore
from pipeline.scoring.rules import read_score_rules
from pipeline.step import Core, Emission, Entry, Record
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import convert, encode
from schemas.reference import Subject
from schemas.roster import Roster, RuleSet
from schemas.times import Instant, instant, parse
from tests.support.cores import changes

M = TypeVar("M")

START = parse("2026-11-23T02:00:00Z")
"""A Monday, ten in the morning in Shanghai."""


def rules_text(part: str) -> str:
    """The YAML of the rules that come with a part."""
    return (files(f"pipeline.{part}") / "default_rules.yaml").read_text("utf-8")


def casebook(*subjects: str, agency: str = "justice", time_zone: str = "Asia/Shanghai") -> Casebook:
    """Reference data with the rules that come with the program, and some people."""
    book = Casebook(
        read_score_rules(rules_text("scoring")),
        read_alert_rules(rules_text("alerting")),
        read_task_rules(rules_text("coordination")),
    )
    for name in subjects:
        learn(book, "subjects", Subject(subject_id=name, agency=agency, time_zone=time_zone))
    return book


def learn(book: Casebook, topic: str, message: Any) -> None:
    """Tell `book` of a reference record; it must be accepted."""
    key = {Subject: "subject_id", Roster: "roster_id", RuleSet: "rule_set_id"}[type(message)]
    assert book.learn(topic, getattr(message, key).encode(), encode(message), START) is None


def at(seconds: float) -> Instant:
    """A moment `seconds` after the start."""
    return instant(START + timedelta(seconds=seconds))


def incident(name: str, seconds: float = 0, type: str = "breach.opened", **fields: Any) -> Incident:
    """An incident of the person `s1` that happened and was detected `seconds` after the start."""
    known: dict[str, Any] = {
        "incident_id": name,
        "type": type,
        "subject_id": "s1",
        "agency": "justice",
        "occurred_at": str(at(seconds)),
        "detected_at": str(at(seconds)),
    }
    return convert({**known, **fields}, Incident)


def command(kind: str, seconds: float = 0, **fields: Any) -> dict[str, Any]:
    """A command of officer o1 of the justice bureau about s1, given `seconds` after the start."""
    known = {
        "kind": kind,
        "command_id": event_id(kind, sorted(fields.items()), seconds),
        "subject_id": "s1",
        "by": "o1",
        "role": "officer",
        "agency": "justice",
        "at": str(at(seconds)),
    }
    return {**known, **fields}


class Bench:
    """A core with time and offsets: `tell` it something, `pass_time`, and read what it `said`."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.said: list[Emission] = []
        self.now: datetime = START
        self._offsets: dict[str, int] = {}
        self._changelog: dict[bytes, bytes] = {}

    def tell(self, topic: str, message: Any, at: datetime | None = None, key: str | None = None) -> list[Emission]:
        """One record, written at `at` (default: now); what follows from it."""
        self.now = max(self.now, at or self.now)
        offset = self._offsets[topic] = self._offsets.get(topic, -1) + 1
        named = message.get("subject_id") if isinstance(message, dict) else getattr(message, "subject_id", "s1")
        record = Record(topic, 0, offset, (key or str(named)).encode(), encode(message), self.now.timestamp())
        emissions = self.core.apply([record], self.now)
        self.said += emissions
        return emissions

    def incident(self, one: Incident, at: datetime | None = None) -> list[Emission]:
        """An incident, as it is detected."""
        return self.tell("incidents", one, at or one.detected_at)

    def command(self, one: dict[str, Any], at: datetime | None = None) -> list[Emission]:
        """A command, as it is given."""
        return self.tell("commands", one, at or parse(one["at"]))

    def pass_time(self, until: datetime) -> list[Emission]:
        """Fire all timers up to a moment."""
        self.now = until
        emissions = self.core.wake(until)
        self.said += emissions
        return emissions

    def restarted(self, core: Core) -> "Bench":
        """The same with another core that took back the state, as after a crash."""
        for key, value in changes(self.core):
            self._changelog.pop(key, None)
            if value is not None:
                self._changelog[key] = value
        core.restore(Entry(key, value) for key, value in self._changelog.items())
        self.core = core
        return self


def keyed(decide: Any, kind: type, book: Casebook) -> KeyedCore[Any]:
    """The core of a rule by subject."""
    return KeyedCore(decide, kind, book)


def messages(emissions: Sequence[Emission], kind: type[M]) -> list[M]:
    """The messages of one kind, in order."""
    return [one.message for one in emissions if isinstance(one.message, kind)]
