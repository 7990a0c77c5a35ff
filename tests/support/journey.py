"""People who move on straight legs, for tests of the verdict: fixes, fences and cores in a line each."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from pipeline.locate import LocateCore, LocateRules
from pipeline.reference import Reference
from pipeline.step import Emission, Record
from schemas.incident import Incident
from schemas.message import convert, encode
from schemas.reference import Activation, Fence
from schemas.times import from_epoch, parse

T0 = parse("2026-11-23T08:00:00Z").timestamp()
LAT, LON = 48.0, 11.0
NORTH_M, EAST_M = 111_199.0, 74_634.0
"""Metres per degree at 48 degrees north, on the ellipsoid."""


def place(east_m: float, north_m: float = 0.0) -> tuple[float, float]:
    """(lat, lon) of a place in metres from the middle."""
    return LAT + north_m / NORTH_M, LON + east_m / EAST_M


def walk(
    *legs: tuple[float, float, float], period_s: float = 15.0, device: str = "d1", **more: Any
) -> list[dict[str, Any]]:
    """Fixes every `period_s` along `legs` of (seconds since T0, east m, north m), straight in between."""
    t, east, north = np.array(legs, float).T
    fixes = []
    for at in np.arange(t[0], t[-1] + 1e-6, period_s):
        lat, lon = place(float(np.interp(at, t, east)), float(np.interp(at, t, north)))
        fixes.append(fix(float(at), lat, lon, device, **more))
    return fixes


def fix(
    at_s: float, lat: float, lon: float, device: str = "d1", accuracy_m: float = 5.0, **more: Any
) -> dict[str, Any]:
    """A fix `at_s` after T0."""
    return {"device_id": device, "fix_time": str(from_epoch(T0 + at_s)), "lat": round(lat, 7), "lon": round(lon, 7),
            "accuracy_m": accuracy_m, **more}  # fmt: skip


def shaken(fixes: Sequence[dict[str, Any]], sigma_m: float, seed: int, memory_s: float = 60.0) -> list[dict[str, Any]]:
    """`fixes` with a receiver's drift."""
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, sigma_m, 2)
    moved, before = [], None
    for one in fixes:
        at = parse(one["fix_time"]).timestamp()
        keep = 0.0 if before is None else math.exp(-(at - before) / memory_s)
        drift = keep * drift + math.sqrt(1 - keep * keep) * rng.normal(0, sigma_m, 2)
        before = at
        lat, lon = float(one["lat"] + drift[0] / NORTH_M), float(one["lon"] + drift[1] / EAST_M)
        moved.append({**one, "lat": round(lat, 7), "lon": round(lon, 7), "accuracy_m": round(1.3 * sigma_m, 1)})
    return moved


def circle(fence_id: str, radius_m: float, rule: str = "stay_in", east_m: float = 0.0, **more: Any) -> Fence:
    """A round fence."""
    lat, lon = place(east_m)
    return convert(
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
            "properties": {"fence_id": fence_id, "rule": rule, "datum": "wgs84", "buffer_m": radius_m, **more},
        },
        Fence,
    )


def reference(*fences: Fence, devices: Iterable[str] = ("d1",), ends_at: datetime | None = None) -> Reference:
    """A reference with each device on a subject of its own name with an s before it."""
    known = Reference()
    for device in devices:
        activation = Activation(activation_id=f"a-{device}", device_id=device, subject_id=f"s-{device}", order_id="o",
                                agency="default", starts_at=from_epoch(T0 - 86400), ends_at=ends_at)  # fmt: skip
        assert known.learn("activations", f"a-{device}".encode(), encode(activation), from_epoch(T0)) is None
    for fence in fences:
        known.put_fence(fence)
    return known


def records(fixes: Sequence[Any], first: int = 0) -> list[Record]:
    """Each item of `fixes`, a fix or a frame, as a record."""
    return [Record("fixes", 0, first + n, b"d1", encode(one), 0.0) for n, one in enumerate(fixes)]


def run(
    fixes: Sequence[Any],
    known: Reference,
    rules: LocateRules | None = None,
    sizes: Sequence[int] = (),
    flush: bool = True,
) -> list[Incident]:
    """The incidents of `fixes`, judged in batches of `sizes` (then the rest at once)."""
    core = LocateCore(known, rules)
    waiting, said = records(fixes), list[Emission]()
    for size in (*sizes, len(waiting)):
        part, waiting = waiting[:size], waiting[size:]
        said += core.apply(part, from_epoch(T0))
    if flush:
        said += core.flush(from_epoch(core.newest_s))
    return [one.message for one in said if isinstance(one.message, Incident)]


def verdicts(incidents: Iterable[Incident]) -> list[Incident]:
    """Those about fences."""
    return [one for one in incidents if one.type.startswith(("breach.", "passage"))]


def brief(incidents: Iterable[Incident]) -> list[tuple[str, str, float]]:
    """(type, fence, seconds from T0 when it happened) of those about fences."""
    return [(one.type, one.fence_id, one.occurred_at.timestamp() - T0) for one in verdicts(incidents)]
