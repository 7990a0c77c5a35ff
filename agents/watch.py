"""What does leave mean for a person's record? Leaves that start and end, and breaches that they undo."""

from agents.agent import Agent
from pipeline.keyed import KeyedCore
from pipeline.watch import Watched, watch
from schemas.topics import INCIDENTS, LEAVE_CHANGES

AGENT = Agent(
    name="watch",
    inputs=(INCIDENTS, LEAVE_CHANGES),
    outputs=(INCIDENTS,),
    core=lambda _, knowledge: KeyedCore(watch, Watched, knowledge),
)
