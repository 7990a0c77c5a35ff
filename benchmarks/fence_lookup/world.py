"""Fences and fixes to look up: a province of rough discs of some 200 m, and people near them and elsewhere."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.message import convert
from schemas.reference import Fence

Column = NDArray[np.float64]


class World(NamedTuple):
    """`rings`: (n, corners + 1, 2) degrees (lon, lat), closed. `lat`, `lon`: the fixes."""

    rings: Column
    lat: Column
    lon: Column

    def geometry(self, number: int) -> dict[str, Any]:
        return {"type": "Polygon", "coordinates": [self.rings[number].tolist()]}

    def fence(self, number: int) -> Fence:
        properties = {"fence_id": f"f{number}", "rule": "stay_in", "datum": "wgs84"}
        return convert({"type": "Feature", "geometry": self.geometry(number), "properties": properties}, Fence)


def world(fences: int, corners: int, fixes: int, seed: int = 1) -> World:
    """`fences` over 3 by 3 degrees, and `fixes`: half of them near some fence, half anywhere."""
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(30, 33, fences), rng.uniform(110, 113, fences)
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = 0.002 * (1 + 0.3 * rng.uniform(-1, 1, (fences, corners)))
    rings = np.stack([lon[:, None] + reach * np.cos(turn), lat[:, None] + reach * np.sin(turn)], axis=-1)
    rings = np.concatenate([rings, rings[:, :1]], axis=1)
    near = rng.integers(0, fences, fixes // 2)
    fix_lat = np.concatenate([lat[near] + rng.normal(0, 0.002, len(near)), rng.uniform(30, 33, fixes - len(near))])
    fix_lon = np.concatenate([lon[near] + rng.normal(0, 0.002, len(near)), rng.uniform(110, 113, fixes - len(near))])
    mixed = rng.permutation(fixes)
    return World(rings, fix_lat[mixed], fix_lon[mixed])
