"""What becomes of a record that cannot be used? It goes to `<topic>.rejected`: its bytes, why, and where it came from."""

from hashlib import sha256

from pipeline.step import Emission, Record, rejected_topic
from schemas.ids import event_id
from schemas.incident import Rejection
from schemas.message import Invalid
from schemas.times import from_epoch

KEPT_BYTES = 64 * 1024
"""Longer values are cut to this; their whole length and SHA-256 stay known."""


def rejected(
    record: Record, why: Invalid, raw: bytes | None = None, place: int | None = None, device_id: str = ""
) -> Emission:
    """`record`, or of its value the part `raw` at `place` of a frame, refused for `why`. The same at every replay."""
    raw = record.value if raw is None else raw
    source = f"{record.topic}/{record.partition}@{record.offset}"
    rejection_id = event_id("rejection", source, "" if place is None else place)
    rejection = Rejection(
        rejection_id=rejection_id,
        source=source,
        reason=why.reason,
        field=why.field,
        rejected_at=from_epoch(record.timestamp_s),
        device_id=device_id,
        key=record.key,
        raw=raw[:KEPT_BYTES],
        raw_size=len(raw),
        raw_sha256=sha256(raw).hexdigest(),
        raw_truncated=len(raw) > KEPT_BYTES,
    )
    return Emission(rejected_topic(record.topic), source, rejection, rejection_id)
