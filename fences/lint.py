"""What is wrong, or looks wrong, with the fences of a file?

Errors are what a worker would refuse. Warnings are fences that would be accepted and then not do what was meant: too
thin to be told inside from outside, swapped coordinates, the wrong datum.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from fences import plane
from fences.atlas import Atlas
from fences.datum import in_china_box, to_wgs84
from fences.schedule import compile_schedule
from fences.shape import Shape
from fences.suspicion import LEAST_FIXES, datum_suspicion
from schemas.fix import Datum, Fix
from schemas.message import Invalid, decode, invalid_from
from schemas.reference import Fence, FenceCollection

THIN_M = 30.0
"""Positions are rarely sure to better than this; a thinner fence leaves most of them uncertain."""
SMALL_M2, LARGE_M2 = 500.0, 2.5e11
NEAR_M = 2000.0
"""Fixes within this distance of a fence tell something of its datum; no shift between datums is longer."""
_AT_REST_MPS, _SHARP_M = 1.0, 100.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with a fence: where, what, and how to mend it. `feature`: its place in the file, from 0."""

    severity: Literal["error", "warning", "note"]
    feature: int
    fence_id: str
    field: str
    what: str
    mend: str


def read_features(raw: bytes) -> list[bytes]:
    """The fences in a file, each still unread: a GeoJSON FeatureCollection, one Feature, or a Feature a line.

    Raises:
        Invalid: none of these.
    """
    kind = msgspec.defstruct("Kind", [("type", str, "")])
    try:
        head = msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        lines = [line for line in raw.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.lstrip().startswith(b"{") and line.rstrip().endswith(b"}") for line in lines):
            return lines
        raise invalid_from(error) from error
    if head.type == "FeatureCollection":  # type: ignore[attr-defined]
        return [bytes(feature) for feature in decode(raw, FenceCollection).features]
    if head.type == "Feature":  # type: ignore[attr-defined]
        return [raw]
    raise Invalid("a file of fences is a GeoJSON FeatureCollection, a Feature, or a Feature a line", "$.type")


def lint(features: Sequence[bytes], fixes: Iterable[Fix] = ()) -> list[Finding]:
    """All findings about `features` (GeoJSON Features), in the order of the file.

    `fixes`: where devices were, to tell the wrong datum by.
    """
    findings: list[Finding] = []
    atlas = Atlas()
    fences: dict[int, tuple[Fence, int]] = {}  # feature: fence, slot
    for number, raw in enumerate(features):
        try:
            fence = decode(raw, Fence)
            if fence.properties.schedule is not None:
                compile_schedule(fence.properties.schedule)
        except Invalid as invalid:
            findings.append(_refused(number, _name(raw), invalid))
            continue
        try:
            # each under an id of its own, so that all are measured, repeated or not
            own = msgspec.structs.replace(fence.properties, fence_id=str(number), effective_from=None)
            slot = atlas.put(msgspec.structs.replace(fence, properties=own), 0.0)
        except Invalid as invalid:
            findings.append(_refused(number, fence.properties.fence_id, invalid))
            continue
        fences[number] = fence, slot
        shape = atlas.shapes[slot]
        if shape is not None:
            findings.extend(_of_size(number, fence, shape))
            findings.extend(_of_datum(number, fence, shape))
    findings.extend(_repeated(fences))
    findings.extend(_swapped(fences, atlas))
    findings.extend(_shifted(fences, atlas, fixes))
    return sorted(findings, key=lambda finding: finding.feature)


def _name(raw: bytes) -> str:
    """The `fence_id` of what could not be decoded, if that much can be read."""
    try:
        return str(msgspec.json.decode(raw)["properties"]["fence_id"])
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, TypeError):
        return ""


def _refused(number: int, fence_id: str, invalid: Invalid) -> Finding:
    mend = "correct this field; a worker refuses the fence and goes on without it"
    what = invalid.reason
    return Finding(severity="error", feature=number, fence_id=fence_id, field=invalid.field, what=what, mend=mend)


def _finding(number: int, fence: Fence, field: str, what: str, mend: str) -> Finding:
    name = fence.properties.fence_id
    return Finding(severity="warning", feature=number, fence_id=name, field=field, what=what, mend=mend)


def _of_size(number: int, fence: Fence, shape: Shape) -> Iterator[Finding]:
    lat, _ = shape.centre()
    k = float(plane.scale(lat, shape.chart))
    width_m, area_m2 = 2 * shape.buffer_m, math.pi * shape.buffer_m**2
    if shape.kind == "line":
        area_m2 += 2 * shape.buffer_m * shapely.length(shape.drawn) / k
    elif shape.kind == "area":
        part = max(shapely.get_parts(shape.drawn), key=shapely.area)
        # The circle that fits in has about the area over the perimeter as radius, or more; only if that is small, look.
        width_m += 2 * shapely.area(part) / shapely.length(part) / k
        if width_m < 2 * THIN_M:
            inner = shapely.maximum_inscribed_circle(part, tolerance=math.sqrt(shapely.area(part)) / 1000)
            width_m = 2 * (shape.buffer_m + shapely.length(inner) / k)
        area_m2 += shapely.area(shape.drawn) / k**2 + shape.buffer_m * shapely.length(shape.drawn) / k
    field = "$.geometry.coordinates" if shape.kind == "area" else "$.properties.buffer_m"
    if width_m < THIN_M:
        what = f"{width_m:.0f} m wide: thinner than positions are sure, so most verdicts will be 'uncertain'"
        yield _finding(number, fence, field, what, f"widen it to {THIN_M:.0f} m or more, or add buffer_m")
    elif area_m2 < SMALL_M2:
        what = f"covers only about {area_m2:.0f} square metres"
        yield _finding(number, fence, field, what, "check the coordinates, or add buffer_m")
    if area_m2 > LARGE_M2:
        what = f"covers about {area_m2 / 1e6:,.0f} square kilometres"
        yield _finding(number, fence, field, what, "check the coordinates and the buffer")


def _of_datum(number: int, fence: Fence, shape: Shape) -> Iterator[Finding]:
    named = fence.properties.datum
    if named != "wgs84" and not in_china_box(*shape.centre()):
        what = f"named {named}, but lies where that datum is not used and shifts nothing"
        mend = "name it wgs84, or check the coordinates"
        yield _finding(number, fence, "$.properties.datum", what, mend)


def _repeated(fences: dict[int, tuple[Fence, int]]) -> Iterator[Finding]:
    last: dict[str, tuple[int, Fence]] = {}
    for number, (fence, _) in fences.items():
        own = fence.properties
        before = last.get(own.fence_id)
        last[own.fence_id] = number, fence
        if before is None or own.version > before[1].properties.version:
            continue
        earlier, other = before[0], before[1].properties
        field = "$.properties.version"
        if own.version < other.version:
            what = f"version {own.version} comes after version {other.version} (feature {earlier}) and replaces it"
            yield _finding(number, fence, field, what, "put versions in rising order")
        elif fence == before[1]:
            what = f"the same fence again (feature {earlier})"
            yield _finding(number, fence, "$.properties.fence_id", what, "leave one of them out")
        else:
            what = f"another fence {own.fence_id!r} of version {own.version} (feature {earlier}) says something else"
            mend = "give each fence its own fence_id, or the newer one a higher version"
            yield msgspec.structs.replace(_finding(number, fence, field, what, mend), severity="error")


def _swapped(fences: dict[int, tuple[Fence, int]], atlas: Atlas) -> Iterator[Finding]:
    """Fences far from all others that would stand among them with latitude and longitude exchanged."""
    numbers = list(fences)
    if len(numbers) < 3:
        return
    places = [shape.centre() for _, slot in fences.values() if (shape := atlas.shapes[slot]) is not None]
    lat, lon = np.array(places).T
    middle = float(np.median(lat)), float(np.median(lon))
    off_m = plane.distance_m(lat, lon, *middle)
    able = np.abs(lon) <= 90
    swapped_m = np.full(len(lat), np.inf)
    swapped_m[able] = plane.distance_m(lon[able], lat[able], *middle)
    for place in np.flatnonzero((off_m > 1e6) & (swapped_m < off_m / 10)):
        what = f"lies {off_m[place] / 1000:,.0f} km from the other fences, {swapped_m[place] / 1000:,.0f} km if swapped"
        mend = "GeoJSON writes [longitude, latitude]; exchange them"
        yield _finding(numbers[place], fences[numbers[place]][0], "$.geometry.coordinates", what, mend)


def _shifted(fences: dict[int, tuple[Fence, int]], atlas: Atlas, fixes: Iterable[Fix]) -> Iterator[Finding]:
    """Fences beside which somebody rests who would be inside if fence or fixes were in another datum."""
    rests = _rests(fixes)
    if not rests:
        return
    lat, lon = np.concatenate([rest.lat for rest in rests]), np.concatenate([rest.lon for rest in rests])
    owner = np.repeat(np.arange(len(rests)), [len(rest.lat) for rest in rests])
    rows, slots = atlas.candidates(lat, lon, NEAR_M)
    inside = atlas.signed_distance_m(lat[rows], lon[rows], slots) <= 0
    order = np.argsort(slots, kind="stable")
    rows, slots, inside = rows[order], slots[order], inside[order]
    for number, (fence, slot) in fences.items():
        shape = atlas.shapes[slot]
        here = slice(*np.searchsorted(slots, [slot, slot + 1]))
        if shape is None or fence.properties.rule != "stay_in" or inside[here].sum() >= LEAST_FIXES:
            continue  # somebody does rest in it
        suspicions = []
        for one in np.unique(owner[rows[here]]):
            near = rows[here][owner[rows[here]] == one]
            named = fence.properties.datum
            suspicions.append(datum_suspicion(lat[near], lon[near], shape, named, rests[one].datum))
        found = [one for one in suspicions if one is not None]
        if found:
            what, mend = max(found, key=lambda one: one.fixes).words()
            yield _finding(number, fence, "$.properties.datum", what, mend)


class _Rest(NamedTuple):
    """Where one device was at rest, degrees WGS 84, and the datum it named."""

    datum: Datum
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]


def _rests(fixes: Iterable[Fix]) -> list[_Rest]:
    places: dict[tuple[str, Datum], list[tuple[float, float]]] = {}
    for fix in fixes:
        if (fix.speed_mps or 0) < _AT_REST_MPS and (fix.accuracy_m or 0) <= _SHARP_M:
            places.setdefault((fix.device_id, fix.datum), []).append((fix.lat, fix.lon))
    rests = []
    for (_, datum), rest in places.items():
        lat, lon = np.array(rest).T
        rests.append(_Rest(datum, *to_wgs84(lat, lon, datum)))
    return rests
