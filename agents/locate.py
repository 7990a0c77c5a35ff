"""Where are they, and should they be there? From fixes to incidents, over fences, activations and leaves."""

from agents.agent import Agent
from pipeline.locate import LocateCore
from pipeline.reference import Reference
from schemas.topics import ACTIVATIONS, FENCES, FIXES, INCIDENTS, LEAVES, SUBJECTS

AGENT = Agent(
    name="locate",
    inputs=(FIXES,),
    outputs=(INCIDENTS,),
    reference=(FENCES, ACTIVATIONS, SUBJECTS, LEAVES),
    knowledge=Reference,
    core=lambda _, reference: LocateCore(reference),
)
