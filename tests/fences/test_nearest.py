"""The compiled distances are those that GEOS gives."""

import numpy as np
import shapely

from fences.boundary import Boundaries
from fences.shape import compile_geometry


def _ring(rng: np.random.Generator, lon: float, lat: float, size: float, corners: int) -> list[list[float]]:
    turn = np.sort(rng.uniform(0, 2 * np.pi, corners))
    reach = size * rng.uniform(0.5, 1.0, corners)
    squeeze = np.cos(np.radians(lat))
    ring = [[lon + r * np.cos(a) / squeeze, lat + r * np.sin(a)] for a, r in zip(turn, reach, strict=True)]
    ring = [[float((x + 180) % 360 - 180), float(y)] for x, y in ring]
    return [*ring, ring[0]]


def test_small_polygons_with_and_without_holes_at_all_latitudes() -> None:
    """To a millimetre near the boundary and to 0.3 % far from it; inside and outside the same."""
    rng = np.random.default_rng(3)
    compiled, geos = Boundaries(), Boundaries()
    lats, lons, slots = [], [], []
    for slot in range(60):
        lat, lon = rng.uniform(-70, 70), rng.choice([rng.uniform(-170, 170), 180.0])
        rings = [_ring(rng, lon, lat, 0.004, int(rng.integers(5, 40)))]
        if slot % 3 == 0:
            rings.append(_ring(rng, lon, lat, 0.0008, 5))
        if lon != 180.0 and not shapely.Polygon(rings[0], rings[1:]).is_valid:
            continue
        shape = compile_geometry({"type": "Polygon", "coordinates": rings}, "wgs84")
        compiled.put(slot, shape)
        geos.put(slot, shape)
        lats.append(lat + rng.uniform(-0.006, 0.006, 50))
        lons.append((lon + rng.uniform(-0.006, 0.006, 50) + 180) % 360 - 180)
        slots.append(np.full(50, slot))
    lat, lon, slot_of = np.concatenate(lats), np.concatenate(lons), np.concatenate(slots)
    found = compiled.signed_distance_m(lat, lon, slot_of)
    expected = geos._in_order(lat, lon, slot_of)
    assert len(found) > 2000
    np.testing.assert_array_equal(found < 0, expected < 0)
    np.testing.assert_allclose(found, expected, rtol=3e-3, atol=1e-3)


def test_a_slot_that_is_drawn_anew_forgets_its_old_corners() -> None:
    """The pool of corners gives room back, and no fence is measured by another's."""
    some = Boundaries()
    for turn in range(200):
        slot = turn % 3
        lat = 10.0 + turn * 0.1
        square = [[20.0, lat], [20.01, lat], [20.01, lat + 0.01], [20.0, lat + 0.01], [20.0, lat]]
        some.put(slot, compile_geometry({"type": "Polygon", "coordinates": [square]}, "wgs84"))
        inside = some.signed_distance_m(np.array([lat + 0.005]), np.array([20.005]), np.array([slot]))
        assert -560 < inside[0] < -450, turn
