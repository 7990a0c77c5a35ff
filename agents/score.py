"""What was deducted, why, and what is left? From incidents, leaves and rulings to a ledger and its sum."""

from agents.agent import Agent
from agents.casebook import casebook
from pipeline.keyed import KeyedCore
from pipeline.scoring.books import Books
from pipeline.scoring.decide import decide
from schemas.topics import (
    COMMAND_RESULTS,
    COMMANDS,
    INCIDENTS,
    LEAVE_CHANGES,
    ROSTERS,
    RULES,
    SCORE_ENTRIES,
    SCORES,
    SUBJECTS,
)

AGENT = Agent(
    name="score",
    inputs=(INCIDENTS, LEAVE_CHANGES, COMMANDS),
    outputs=(SCORE_ENTRIES, SCORES, COMMAND_RESULTS),
    reference=(RULES, ROSTERS, SUBJECTS),
    knowledge=casebook,
    core=lambda _, known: KeyedCore(decide, Books, known),
)
