"""Where are they, and should they be there? From fixes to incidents, over fences, activations and leaves."""

from agents.agent import Agent
from pipeline.locate import LocateCore
from pipeline.reference import Reference
from schemas.topics import ACTIVATIONS, FENCES, FIXES, INCIDENTS, LEAVES, OUTAGES, PULSES, SUBJECTS

AGENT = Agent(
    name="locate",
    inputs=(FIXES,),
    outputs=(INCIDENTS, PULSES),
    reference=(FENCES, ACTIVATIONS, SUBJECTS, LEAVES, OUTAGES),
    knowledge=Reference,
    core=lambda partition, reference: LocateCore(reference, source=f"locate/{partition}"),
)
