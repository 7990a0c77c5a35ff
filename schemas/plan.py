"""Check-in plans: when a person is to show its face."""

from typing import Annotated, Literal

import msgspec

from schemas.checkin import Sha256
from schemas.message import Id, Message, Moment
from schemas.reference import Window

Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="HH:MM, local time")]
Days = tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...]
EVERY_DAY: Days = (0, 1, 2, 3, 4, 5, 6)


class FixedTime(Message, frozen=True, kw_only=True):
    """A check-in at a time that the person knows; open from `early_s` before to `late_s` after."""

    at: Clock
    days: Days = EVERY_DAY
    early_s: Annotated[int, msgspec.Meta(ge=0, le=43200)] = 900
    late_s: Annotated[int, msgspec.Meta(ge=60, le=43200)] = 900


class Sampling(Message, frozen=True, kw_only=True):
    """Check-ins at times that nobody chose: `per_day` a day within the hours, each open for `open_s`.

    The times follow from a secret seed. `seed_sha256` is published with the plan; `sealed` is the seed, readable with
    the installation's master key only; `seed` is the seed itself (hexadecimal), published when the plan is over, so
    that anybody can draw the same times and see that they were not made up.
    """

    per_day: Annotated[int, msgspec.Meta(ge=1, le=24)] = 1
    hours: Annotated[tuple[Window, ...], msgspec.Meta(min_length=1)]
    open_s: Annotated[int, msgspec.Meta(ge=60, le=43200)] = 1800
    apart_s: Annotated[int, msgspec.Meta(ge=0, le=43200, description="least time between two of a day")] = 3600
    seed_sha256: Sha256
    sealed: bytes = b""
    seed: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")] = ""


class CheckinPlan(Message, frozen=True, kw_only=True):
    """When a person checks in, on the compacted topic `checkin-plans`, key `subject_id`.

    Any of `fixed`, `windows` (once in each window) and `sampling`. `ends_at` is the end of the order: templates,
    pictures and keys of the person are deleted `keep_days` after it.
    """

    plan_id: Id
    subject_id: Id
    agency: Id = "default"
    order_id: str = ""
    time_zone: str
    starts_at: Moment
    ends_at: Moment | None = None
    fixed: tuple[FixedTime, ...] = ()
    windows: tuple[Window, ...] = ()
    sampling: Sampling | None = None
    tracker_id: Annotated[str, msgspec.Meta(description="the device that the person wears")] = ""
    asked: Annotated[Literal["any", "clip"], msgspec.Meta(description="clip: stills are not enough")] = "any"
    keep_days: Annotated[int, msgspec.Meta(ge=0, le=3650)] = 0
