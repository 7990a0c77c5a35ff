"""Is a fence, or are the fixes, in another datum than they say?

In China the datums lie 100 to 700 metres apart (BD-09 up to 1.5 km), always to the same side. So a person who rests
beside a fence day after day, and would rest inside it if one of the two were in another datum, is more likely misread
than in breach.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fences import plane
from fences.boundary import Boundaries
from fences.datum import from_wgs84, in_china_box, to_wgs84
from fences.shape import Shape
from schemas.fix import Datum

LEAST_FIXES = 10
LEAST_SHIFT_M = 50.0
FEW, MOST = 0.2, 0.8
"""Shares of the fixes inside: as the datums are named, and as they are suspected."""
Column = NDArray[np.float64]
Places = tuple[Column, Column]
_ALL: tuple[Datum, ...] = ("wgs84", "gcj02", "bd09")


@dataclass(frozen=True, slots=True)
class DatumSuspicion:
    """That the `side` is in `likely`, not in `named`. `shift_m`: how far apart the two are there. `inside_named` and
    `inside_likely`: shares of the `fixes` inside the fence."""

    side: Literal["fence", "fixes"]
    named: Datum
    likely: Datum
    shift_m: float
    inside_named: float
    inside_likely: float
    fixes: int

    def words(self) -> tuple[str, str]:
        """What is suspected and how to mend it, for people."""
        what = (
            f"{self.fixes} fixes at rest lie beside it, {self.inside_named:.0%} inside; if the {self.side} were in "
            f"{self.likely} ({self.shift_m:.0f} m off), {self.inside_likely:.0%} would be"
        )
        if self.side == "fence":
            return what, f"draw it on a {self.named} map, or name its datum {self.likely}"
        return what, f"have the device name its datum {self.likely}, or check where the fence was drawn"


def datum_suspicion(
    lat: Column, lon: Column, shape: Shape, named: Datum, fixes_named: Datum = "wgs84"
) -> DatumSuspicion | None:
    """What the fixes of one person at rest (degrees WGS 84, read as `fixes_named`) say of a stay-in fence's datum.

    None: nothing to suspect; too few fixes, not in China, mostly inside, or no other datum explains it.
    """
    if len(lat) < LEAST_FIXES or not in_china_box(lat, lon).all():
        return None
    inside_named = _share_inside(lat, lon, shape)
    if inside_named > FEW:
        return None
    found = []
    for likely in _ALL:
        # A fence in another datum: the fixes' places in its numbers, read as its numbers were read.
        as_fence = from_wgs84(lat, lon, likely)
        as_fixes = from_wgs84(lat, lon, fixes_named)
        sides: tuple[tuple[Literal["fence", "fixes"], Datum, Places], ...] = (
            ("fence", named, to_wgs84(*as_fence, named)),
            ("fixes", fixes_named, to_wgs84(*as_fixes, likely)),
        )
        for side, told, moved in sides:
            if likely != told:
                shift_m = float(np.median(plane.distance_m(lat, lon, *moved)))
                inside_likely = _share_inside(*moved, shape)
                found.append(DatumSuspicion(side, told, likely, shift_m, inside_named, inside_likely, len(lat)))
    likely_ones = [one for one in found if one.inside_likely >= MOST and one.shift_m >= LEAST_SHIFT_M]
    return max(likely_ones, key=lambda one: one.inside_likely, default=None)


def _share_inside(lat: Column, lon: Column, shape: Shape) -> float:
    one = Boundaries()
    one.put(0, shape)
    return float((one.signed_distance_m(lat, lon, np.zeros(len(lat), np.int64)) <= 0).mean())
