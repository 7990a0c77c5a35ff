"""What of a topic that several agents read is for this one? Of those that cannot read a record, one says so.

Unusable incidents are rejected by the score agent, unusable commands by the audit agent; the others pass over them, so
that `<topic>.rejected` holds each once.
"""

from typing import TypeVar

from schemas.command import Command, read_command
from schemas.message import Invalid, decode

M = TypeVar("M")


def heard(raw: bytes, kind: type[M]) -> M | None:
    """The message, or None where it cannot be used and another agent says so."""
    try:
        return decode(raw, kind)
    except Invalid:
        return None


def heard_command(raw: bytes) -> Command | None:
    """The command, or None where it cannot be used and the audit agent says so."""
    try:
        return read_command(raw)
    except Invalid:
        return None
