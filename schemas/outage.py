"""Areas gone quiet: what the holders of partitions report of them, and what is made of it."""

from typing import Annotated, Literal

import msgspec

from schemas.message import Id, Message, Moment

AreaKind = Literal["all", "carrier", "cell", "district"]

DISTRICT_DEG = 0.1
"""A district is a square of this many degrees (some 10 km): an area that needs no map, where none is told."""


class AreaPulse(Message, frozen=True, kw_only=True):
    """How an area's devices in one partition are heard.

    `quiet`: by the minute (since 1970) of their last hearing, how many are overdue by half their patience.
    """

    area: Annotated[Id, msgspec.Meta(description="all, carrier:<MCC-MNC>, cell:<id>, district:<lat>,<lon>")]
    devices: Annotated[int, msgspec.Meta(ge=0)]
    quiet: dict[int, int] = {}


class Pulse(Message, frozen=True, kw_only=True):
    """How one partition's devices are heard, on the topic `pulses`, key: `source`, which names the partition."""

    source: Id
    at: Moment
    areas: tuple[AreaPulse, ...] = ()


class Outage(Message, frozen=True, kw_only=True):
    """Many devices of one area fell quiet at once, on the compacted topic `outages`, key `outage_id`; nobody's fault.

    `since`: when the first of them was last heard. `ended_at`: when most were heard again.
    """

    outage_id: Id
    area: Id
    since: Moment
    detected_at: Moment
    ended_at: Moment | None = None
    quiet: Annotated[int, msgspec.Meta(ge=0, description="devices that fell quiet, when last counted")]
    devices: Annotated[int, msgspec.Meta(ge=1, description="devices in the area, when last counted")]
