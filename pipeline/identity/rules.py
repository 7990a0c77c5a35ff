"""Which figures decide over check-ins? All in one place, each with why it is what it is."""

from typing import Annotated

import msgspec

from pipeline.identity.calibration import DLIB, Calibration
from schemas.message import Message

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class IdentityRules(Message, frozen=True, kw_only=True):
    """What an installation may set about check-ins. `version` stands in each incident.

    `fmr`, `fnmr`: accepted rates of false matches and false non-matches. `free_failures`, `delay_s`: after so many
    failures in a row the next try has to wait so long (NIST SP 800-63B, 5.2.3: five, then at least 30 seconds).
    """

    version: str = "identity-1"
    model: str = "Dlib"
    calibration: Calibration | None = DLIB
    fmr: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 1e-3
    fnmr: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 1e-2
    free_failures: Annotated[int, msgspec.Meta(ge=1)] = 5
    delay_s: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    grace_s: Annotated[float, msgspec.Meta(ge=0, description="after a slot's end, for what is on its way")] = 60.0
    position_wait_s: Annotated[float, msgspec.Meta(ge=0, description="for the tracker's position")] = 10.0
    result_wait_s: Annotated[float, msgspec.Meta(ge=0, description="for the pictures to be examined")] = 1800.0
    unsure_tries: Annotated[int, msgspec.Meta(ge=1, description="undetermined so often: a human looks")] = 3
    video_link: str = "https://meet.jit.si/fenceline-{room}"
    video_check_s: Annotated[float, msgspec.Meta(gt=0)] = 1800.0
    apart_m: Annotated[float, msgspec.Meta(gt=0, description="phone and tracker, beyond their accuracies")] = 200.0
    apart_mps: Annotated[float, msgspec.Meta(ge=0, description="and what a vehicle covers between their times")] = 30.0
    apart_old_s: Annotated[float, msgspec.Meta(gt=0, description="older positions say nothing")] = 600.0
    turn_deg: Annotated[float, msgspec.Meta(gt=0)] = 14.0
    nod_deg: Annotated[float, msgspec.Meta(gt=0)] = 7.0
    blink: Annotated[Share, msgspec.Meta(description="eyes' opening, as a share of the usual, that counts as shut")] = (
        0.65
    )
    moire: float = 2.0
    antispoof: Share = 0.9
    flatness: Share = 0.9
