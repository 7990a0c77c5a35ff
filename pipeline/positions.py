"""Where was this tracker last? The answer to `position-asks`, from what `locate` keeps of each activation.

Only the person who wears the device is answered: whoever asks with another's device is told nothing.
"""

from collections.abc import Callable
from datetime import datetime

from pipeline.activations import Activations
from pipeline.rejection import rejected, written_at
from pipeline.step import Emission, Record
from schemas.checkin import PositionAnswer, PositionAsk
from schemas.ids import event_id
from schemas.message import Invalid, decode
from schemas.times import from_epoch

ASKS = "position-asks"

LastOf = Callable[[int], tuple[float, float, float, float] | None]
"""Of an activation's slot: (seconds since 1970, lat, lon, accuracy_m or 0) of its latest position; None: none known."""


def answered(record: Record, activations: Activations, last_of: LastOf, now: datetime) -> Emission:
    """The answer to the ask in `record`; a rejection when it is none."""
    try:
        ask = decode(record.value, PositionAsk)
    except Invalid as why:
        return rejected(record, why, written_at(record, now))
    slot = activations.at(ask.device_id, ask.at.timestamp())
    is_worn = slot >= 0 and activations.subjects[activations.subject[slot]] == ask.subject_id
    last = last_of(slot) if is_worn else None
    answer_id = event_id("position-answer", ask.ask_id)
    t, lat, lon, accuracy_m = last or (None, None, None, None)
    answer = PositionAnswer(
        answer_id=answer_id,
        checkin_id=ask.checkin_id,
        subject_id=ask.subject_id,
        device_id=ask.device_id,
        fix_time=None if t is None else from_epoch(t),
        lat=lat,
        lon=lon,
        accuracy_m=accuracy_m if accuracy_m is not None and accuracy_m > 0 else None,  # NaN: not claimed
    )
    return Emission("position-answers", ask.subject_id, answer, answer_id)
