"""Which work follows, who owns it, and is it done? Tasks and leaves, from incidents, entries, scores and commands."""

from agents.agent import Agent
from agents.casebook import casebook
from pipeline.coordination.decide import Cabinet, decide
from pipeline.keyed import KeyedCore
from schemas.topics import (
    COMMAND_RESULTS,
    COMMANDS,
    INCIDENTS,
    LEAVE_CHANGES,
    LEAVES,
    ROSTERS,
    RULES,
    SCORE_ENTRIES,
    SCORES,
    SUBJECTS,
    TASKS,
)

AGENT = Agent(
    name="coordinate",
    inputs=(INCIDENTS, SCORE_ENTRIES, SCORES, LEAVE_CHANGES, COMMANDS),
    outputs=(TASKS, LEAVES, LEAVE_CHANGES, COMMAND_RESULTS),
    reference=(RULES, ROSTERS, SUBJECTS),
    knowledge=casebook,
    core=lambda _, known: KeyedCore(decide, Cabinet, known),
)
