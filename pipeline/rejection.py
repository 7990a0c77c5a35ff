"""What becomes of a record that cannot be used? It goes to `<topic>.rejected`: its bytes, why, and whence it came."""

from datetime import datetime
from hashlib import sha256

from pipeline.step import Emission, Record, rejected_topic
from schemas.ids import event_id
from schemas.incident import Rejection
from schemas.message import Invalid
from schemas.times import from_epoch, instant

KEPT_BYTES = 64 * 1024
"""Longer input is cut to this; its whole length and SHA-256 stay known."""


def rejected(
    record: Record, why: Invalid, now: datetime, *, raw: bytes | None = None, place: int = 0, device_id: str = ""
) -> Emission:
    """`record`, or the part `raw` at `place` in it, for the topic of what could not be used of its topic.

    The id comes from where the record stands, so that the same record judged again is the same rejection.
    """
    source = f"{record.topic}/{record.partition}@{record.offset}"
    part = record.value if raw is None else raw
    part = part or b""
    rejection = Rejection(
        rejection_id=event_id("rejection", source, place),
        source=source,
        reason=why.reason,
        field=why.field,
        rejected_at=instant(now),
        device_id=device_id,
        key=(record.key or b"")[:KEPT_BYTES],
        raw=part[:KEPT_BYTES],
        raw_size=len(part),
        raw_sha256=sha256(part).hexdigest(),
        raw_truncated=len(part) > KEPT_BYTES,
    )
    return Emission(rejected_topic(record.topic), source, rejection, rejection.rejection_id)


def written_at(record: Record, now: datetime) -> datetime:
    """When the broker says that `record` was written; `now` where it does not say."""
    return from_epoch(record.timestamp_s) if record.timestamp_s > 0 else instant(now)
