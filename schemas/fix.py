"""One position report of a device, single or in a frame."""

from typing import Annotated, Literal

import msgspec

from schemas.message import Id, Invalid, Moment, invalid_from
from schemas.times import instant

Datum = Literal["wgs84", "gcj02", "bd09"]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90, description="degrees")]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180, description="degrees")]
Metres = Annotated[float, msgspec.Meta(ge=0, le=1e7)]

ALARMS = ("tamper", "sos", "low_battery", "power_off", "jamming", "fall", "geofence", "overspeed")
"""Alarm names that Fenceline knows; others pass through untouched and are shown, not judged."""


class Fix(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A position of `device_id` at `fix_time`; on the topic `fixes` keyed by `device_id`.

    Holds nothing that could hold it, so that the garbage collector need not look (`gc`).

    Not a `Message`: a hundred thousand of these are read a second, so times stay what msgspec reads.
    Whoever builds one passes `Instant`s.
    """

    device_id: Id
    fix_time: Moment
    lat: Latitude
    lon: Longitude
    accuracy_m: Metres | None = None
    speed_mps: Annotated[float, msgspec.Meta(ge=0, le=1e4)] | None = None
    course_deg: Annotated[float, msgspec.Meta(ge=0, le=360)] | None = None
    altitude_m: Annotated[float, msgspec.Meta(ge=-1e5, le=1e6)] | None = None
    battery_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    charging: bool | None = None
    provider: Annotated[str, msgspec.Meta(description="gnss, network or fused; others are not judged")] | None = None
    satellites: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    datum: Datum = "wgs84"
    seq: int | None = None
    alarms: tuple[str, ...] = ()
    mock: Annotated[bool, msgspec.Meta(description="the phone says that an app invented this position")] = False
    carrier: Annotated[str, msgspec.Meta(description="mobile network, MCC-MNC")] | None = None
    cell_id: Annotated[str, msgspec.Meta(description="serving cell, as the device names it")] | None = None
    received_at: Annotated[Moment, msgspec.Meta(description="set by the gateway")] | None = None


_FRAME = msgspec.json.Decoder(list[Fix])
_FIX = msgspec.json.Decoder(Fix)


def decode_fixes(raw: bytes) -> list[Fix]:
    """The fixes in a value of the topic `fixes`: one object, or a frame (an array) of them.

    Raises:
        Invalid: any of them unusable; the path names which (``$[3].lat``).
    """
    try:
        return _FRAME.decode(raw) if raw[:1] == b"[" or raw.lstrip()[:1] == b"[" else [_FIX.decode(raw)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_from(error) from error


def decode_fixes_apart(raw: bytes) -> tuple[list[Fix], list[tuple[int, bytes, Invalid]]]:
    """As `decode_fixes`, but one bad fix in a frame costs only itself.

    Returns: the good fixes in order, and (place in the frame, raw JSON, why) for each bad one.

    Raises:
        Invalid: not JSON, or neither an object nor an array.
    """
    try:
        parts = msgspec.json.decode(raw, type=list[msgspec.Raw] | msgspec.Raw) if raw.lstrip()[:1] == b"[" else [raw]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_from(error) from error
    good: list[Fix] = []
    bad: list[tuple[int, bytes, Invalid]] = []
    for place, part in enumerate(parts):
        try:
            good.append(_FIX.decode(part))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            bad.append((place, bytes(part), invalid_from(error)))
    return good, bad


def normalised(fix: Fix) -> Fix:
    """`fix` with its times as `Instant`s, ready to be written."""
    received = None if fix.received_at is None else instant(fix.received_at)
    return msgspec.structs.replace(fix, fix_time=instant(fix.fix_time), received_at=received)
