"""Who did what, and who looked at whose record: a chain of entries in which nothing can be changed unseen."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.credential import Role
from schemas.message import Id, Message, Moment

GENESIS = "0" * 64
"""`previous_sha256` of the first entry of a chain."""


class Reading(Message, frozen=True, kw_only=True):
    """Someone read a person's record, on the topic `readings`, key `subject_id`; sent by whatever served it.

    A list of many people is one reading with `subject_id` ``area:<agency>`` and what was asked in `query`.
    """

    reading_id: Id
    subject_id: Id
    by: Id
    role: Role
    agency: str = ""
    at: Moment
    what: Annotated[str, msgspec.Meta(description="card, positions, score, alerts, tasks, images ...")]
    query: dict[str, Any] = {}
    purpose: str = ""


class AuditEntry(Message, frozen=True, kw_only=True):
    """A link of a chain, on the topic `audit`, key `subject_id`; one chain for each partition.

    `sha256` is over the entry's JSON as written, with `sha256` itself empty; `previous_sha256` is the entry before it
    in the chain; `seq` counts from 1. `source` is where the record came from (``commands/3@1042``), `record_sha256` is
    over its bytes, so that the command or reading itself is covered too.
    """

    audit_id: Id
    chain: Annotated[str, msgspec.Meta(description="audit/<partition>")]
    seq: Annotated[int, msgspec.Meta(ge=1)]
    previous_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    act: Literal["command", "reading"]
    kind: Annotated[str, msgspec.Meta(description="of the command, or what was read")]
    subject_id: Id
    by: str
    role: str
    agency: str = ""
    at: Moment
    reason: str = ""
    ref_id: Annotated[str, msgspec.Meta(description="command_id or reading_id")]
    source: str
    record_sha256: str
    sha256: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")] = ""
