"""Who is sent what, when, and what became of it? The messages about one person, from notices, reports and timers."""

from importlib.resources import files

from agents.agent import Agent
from pipeline.channels.contacts import Contacts
from pipeline.channels.decide import Outbox, decide
from pipeline.channels.policy import read_notify_rules
from pipeline.keyed import KeyedCore
from schemas.topics import (
    ALERTS,
    CHECKIN_CALLS,
    NOTIFICATION_REPORTS,
    NOTIFICATIONS,
    NOTIFICATIONS_DEAD,
    ROSTERS,
    RULES,
    SCORES,
    SUBJECTS,
    TASKS,
)


def contacts() -> Contacts:
    """What is known at the start: the rules that come with the program, and nobody yet."""
    return Contacts(read_notify_rules((files("pipeline.channels") / "default_rules.yaml").read_text("utf-8")))


AGENT = Agent(
    name="notify",
    inputs=(ALERTS, TASKS, SCORES, CHECKIN_CALLS, NOTIFICATION_REPORTS),
    outputs=(NOTIFICATIONS, NOTIFICATIONS_DEAD),
    reference=(RULES, ROSTERS, SUBJECTS),
    knowledge=contacts,
    core=lambda _, known: KeyedCore(decide, Outbox, known),
)
