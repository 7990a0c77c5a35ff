"""Is it one person, or a whole place? The judge over each agency's signals, beside the agent of persons' alerts."""

from agents.agent import Agent
from agents.casebook import casebook
from pipeline.alerting.area import AreaCore
from schemas.topics import (
    ALERT_RELEASES,
    ALERT_SIGNALS,
    ALERTS,
    COMMAND_RESULTS,
    COMMANDS,
    ROSTERS,
    RULES,
    SUBJECTS,
)

AGENT = Agent(
    name="area",
    inputs=(ALERT_SIGNALS, COMMANDS),
    outputs=(ALERTS, ALERT_RELEASES, COMMAND_RESULTS),
    reference=(RULES, ROSTERS, SUBJECTS),
    knowledge=casebook,
    core=lambda _, known: AreaCore(known),
)
