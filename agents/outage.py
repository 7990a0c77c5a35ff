"""Has a whole area gone quiet at once? From the partitions' pulses to outages, which all partitions read."""

from agents.agent import Agent
from pipeline.outage import OutageCore
from schemas.topics import OUTAGES, PULSES

AGENT = Agent(name="outage", inputs=(PULSES,), outputs=(OUTAGES,), core=lambda *_: OutageCore())
