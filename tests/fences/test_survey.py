import numpy as np
import pytest
import shapely

from fences.atlas import Atlas
from fences.shape import Shape, compile_shape
from fences.survey import compile_shapes
from schemas.message import Invalid
from tests.fences.test_shape import REFUSED
from tests.support.ground import blob, fence, line, point, polygon


def alike(one, other):
    if isinstance(one, Invalid) or isinstance(other, Invalid):
        return (str(one), type(one)) == (str(other), type(other))
    return (
        (one.kind, one.chart, one.buffer_m, one.vertices) == (other.kind, other.chart, other.buffer_m, other.vertices)
        and np.allclose(one.bounds, other.bounds, rtol=0, atol=1e-12)
        and abs(one.x_middle - other.x_middle) < 1e-8
        and shapely.equals_exact(one.drawn, other.drawn, 1e-8)
    )


def alone(one):
    try:
        return compile_shape(one)
    except Invalid as invalid:
        return invalid


def bag():
    """Fences of every kind: small and large, holed, turned, polar, shifted, doubled, buffered, and refused ones."""
    rng = np.random.default_rng(15)
    made = []
    for _ in range(150):
        lat, lon = rng.uniform(-89, 89), rng.uniform(-180, 180)
        ring = [[(x + 180) % 360 - 180, y] for x, y in blob(rng, lat, lon, 10 ** rng.uniform(1, 5.5))]
        made.append(fence(polygon(ring), buffer_m=float(rng.choice([0, 50]))))
    square = [(10, 60), (10.01, 60), (10.01, 60.01), (10, 60.01)]
    made += [
        fence(polygon(square, [(10.002, 60.002), (10.004, 60.002), (10.004, 60.004)])),
        fence(polygon([*square[:2], *square[1:]])),
        fence(polygon(square), datum="gcj02"),
        fence({"type": "Polygon", "coordinates": [[[lon, lat, 7.0] for lon, lat in [*square, square[0]]]]}),
        fence(polygon([(179.9, 0), (-179.9, 0), (-179.9, 1), (179.9, 1)])),
        fence(polygon([(179.9, 0), (180, 0), (180, 1), (179.9, 1)])),
        fence(line((1, 2), (3, 4)), buffer_m=5),
        fence(point(1, 2), buffer_m=5),
        fence(point(1, 89), buffer_m=500_000),
        fence(point(180, 0), buffer_m=5),
        fence(point(116, 39), buffer_m=5, datum="bd09"),
        fence(point(1, 2)),
    ]
    made += [fence(geometry, buffer_m=10) for geometry, _, _ in REFUSED.values()]
    return [made[n] for n in rng.permutation(len(made))]


def test_many_at_once_are_as_each_alone():
    fences = bag()
    for one, together in zip(fences, compile_shapes(fences), strict=True):
        assert alike(alone(one), together), one


def test_none():
    assert compile_shapes([]) == []


@pytest.mark.parametrize("geometry", [point(200, 1), polygon([(0, 0), (1, 1), (1, 0), (0, 1)])])
def test_one_bad_fence_costs_only_itself(geometry):
    good = fence(point(1, 2), buffer_m=5)
    first, bad, last = compile_shapes([good, fence(geometry, buffer_m=5), good])
    assert isinstance(bad, Invalid)
    assert isinstance(first, Shape)
    assert isinstance(last, Shape)


def test_an_atlas_filled_at_once_is_as_one_filled_one_by_one():
    """Also where one file holds several versions, a repetition and a refused fence."""
    told = [(fence(point(n % 40, 60), f"f{n % 40}", buffer_m=100.0 + n % 3), float(n)) for n in range(120)]
    told.insert(60, (fence(point(1, 2), "f7"), 60.0))
    told.append(told[-1])
    at_once, each = Atlas(), Atlas()
    slots = at_once.put_many(told)
    assert isinstance(slots[60], Invalid)
    for (one, at), slot in zip(told, slots, strict=True):
        if isinstance(slot, int):
            assert each.put(one, at) == slot
    count = len(each.fences)
    assert np.array_equal(at_once.t_from[:count], each.t_from[:count])
    assert np.array_equal(at_once.t_until[:count], each.t_until[:count])
    lat, lon = np.full(40, 60.0), np.arange(40.0)
    assert np.array_equal(at_once.candidates(lat, lon), each.candidates(lat, lon))
