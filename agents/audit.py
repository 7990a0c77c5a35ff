"""Who did what, and who looked at whose record? A hash chain over each partition of commands and readings."""

from agents.agent import Agent
from pipeline.audit import AuditCore
from schemas.topics import AUDIT, COMMANDS, READINGS

AGENT = Agent(name="audit", inputs=(COMMANDS, READINGS), outputs=(AUDIT,), core=lambda *_: AuditCore())
