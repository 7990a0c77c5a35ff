"""Which fixes are in these records, as columns? Decoded once; objects stay only for what has no column."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fences.datum import to_wgs84
from pipeline.rejection import rejected, written_at
from pipeline.step import Emission, Record
from schemas.fix import Datum, Fix, decode_fixes, decode_fixes_apart
from schemas.message import Invalid

Column = NDArray[np.float64]

EARLIEST_S = 946_684_800.0
"""2000-01-01: what claims to be older is no time of a fix but of a receiver without one."""

FUTURE_S = 60.0
"""How far a fix_time may lie after its arrival."""


class FixColumns(NamedTuple):
    """Fixes (n,) in the order of their arrival. `record`: place in the batch; times in seconds since 1970; `lat`, `lon`
    WGS 84; `arrived_s` by the gateway's or the broker's clock, 0: not known; `received_s` the gateway's alone."""

    fixes: list[Fix]
    record: NDArray[np.int64]
    t: Column
    lat: Column
    lon: Column
    accuracy_m: Column
    received_s: Column
    arrived_s: Column


def fix_columns(batch: Sequence[Record], now: datetime) -> tuple[FixColumns, list[Emission]]:
    """The fixes in `batch`, and rejections of what is none."""
    fixes: list[Fix] = []
    sizes: list[int] = []
    refused: list[Emission] = []
    for record in batch:
        before = len(fixes)
        try:
            fixes += decode_fixes(record.value)
        except Invalid:
            fixes += _mended(record, written_at(record, now), refused)
        sizes.append(len(fixes) - before)
    return columns_of(fixes, np.repeat(np.arange(len(batch)), sizes), [record.timestamp_s for record in batch]), refused


def _mended(record: Record, at: datetime, refused: list[Emission]) -> list[Fix]:
    """The good fixes of a value in which not all is good."""
    try:
        good, bad = decode_fixes_apart(record.value)
    except Invalid as why:
        refused.append(rejected(record, why, at))
        return []
    single = record.value.lstrip()[:1] != b"["
    for place, raw, fault in bad:
        told = fault if single else Invalid(fault.reason, f"$[{place}]{fault.field.removeprefix('$')}")
        refused.append(rejected(record, told, at, raw=raw, place=place))
    return good


def columns_of(fixes: list[Fix], record: NDArray[np.int64], written_s: Sequence[float]) -> FixColumns:
    """`fixes` as columns; `written_s`: when each record was written, 0 where not known."""
    n = len(fixes)
    t = np.fromiter([fix.fix_time.timestamp() for fix in fixes], np.float64, n)
    lat = np.fromiter([fix.lat for fix in fixes], np.float64, n)
    lon = np.fromiter([fix.lon for fix in fixes], np.float64, n)
    accuracy = np.fromiter([fix.accuracy_m or 0.0 for fix in fixes], np.float64, n)
    received = np.fromiter(
        [0.0 if fix.received_at is None else fix.received_at.timestamp() for fix in fixes], np.float64, n
    )
    datums: tuple[Datum, ...] = ("gcj02", "bd09")
    for datum in datums:
        shifted = [place for place, fix in enumerate(fixes) if fix.datum == datum]
        if shifted:
            lat[shifted], lon[shifted] = to_wgs84(lat[shifted], lon[shifted], datum)
    arrived = np.where(received > 0, received, np.asarray(written_s, np.float64)[record])
    t = np.floor(t * 1000 + 1e-3) / 1000  # whole milliseconds, as times are written
    return FixColumns(fixes, record, t, lat, lon, accuracy, received, arrived)
