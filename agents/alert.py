"""Who is told what, when, and until somebody acts? One person's alerts, from incidents, commands and timers."""

from agents.agent import Agent
from agents.casebook import casebook
from pipeline.alerting.decide import Desk, decide
from pipeline.keyed import KeyedCore
from schemas.topics import (
    ALERT_RELEASES,
    ALERT_SIGNALS,
    ALERTS,
    COMMAND_RESULTS,
    COMMANDS,
    INCIDENTS,
    NOTIFICATIONS,
    ROSTERS,
    RULES,
    SUBJECTS,
)

AGENT = Agent(
    name="alert",
    inputs=(INCIDENTS, ALERT_RELEASES, NOTIFICATIONS, COMMANDS),
    outputs=(ALERTS, ALERT_SIGNALS, COMMAND_RESULTS),
    reference=(RULES, ROSTERS, SUBJECTS),
    knowledge=casebook,
    core=lambda _, known: KeyedCore(decide, Desk, known),
)
