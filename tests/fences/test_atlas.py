import numpy as np
import pytest

from fences.atlas import KEEP_OUT, STAY_IN, Atlas
from schemas.message import Invalid
from tests.support.ground import fence, line, moved, point, polygon

SQUARE = polygon([(10, 60), (10.02, 60), (10.02, 60.01), (10, 60.01)])
HERE = np.array([60.005]), np.array([10.01])


def home(radius_m=100.0, version=1, **more):
    return fence(point(10.01, 60.005), "home", buffer_m=radius_m, version=version, **more)


def holding(atlas, t, lat=HERE[0], lon=HERE[1]):
    _, slots = atlas.candidates(lat, lon)
    return [atlas.fences[slot].properties.version for slot in slots[atlas.in_force(slots, t)]]


def test_columns_of_a_slot():
    atlas = Atlas()
    slot = atlas.put(fence(SQUARE, "a", rule="keep_out"), at=5.0)
    assert atlas.rule[slot] == KEEP_OUT
    assert (atlas.t_from[slot], atlas.t_until[slot]) == (5.0, np.inf)
    assert atlas.shapes[slot].kind == "area"
    assert atlas.rule[atlas.put(home())] == STAY_IN
    assert len(atlas) == 2


def test_an_edit_holds_from_its_time_and_the_old_version_until_then():
    atlas = Atlas()
    atlas.put(home(100, 1), at=100.0)
    atlas.put(home(200, 2), at=200.0)
    assert holding(atlas, 99.9) == []
    assert holding(atlas, 100.0) == [1]
    assert holding(atlas, 199.9) == [1]
    assert holding(atlas, 200.0) == [2]


def test_effective_from_counts_before_the_records_time():
    atlas = Atlas()
    atlas.put(home(100, 1, effective_from="1970-01-01T00:01:00Z"), at=500.0)
    assert holding(atlas, 59.9) == []
    assert holding(atlas, 60.0) == [1]


def test_a_version_for_later_waits_and_an_earlier_one_overrides_it():
    """Put in for 300, then one for 200: from 200 on only the last one put in holds."""
    atlas = Atlas()
    atlas.put(home(100, 1), at=100.0)
    atlas.put(home(100, 2, effective_from="1970-01-01T00:05:00Z"), at=150.0)
    assert holding(atlas, 299.0) == [1]
    assert holding(atlas, 300.0) == [2]
    atlas.put(home(100, 3), at=200.0)
    assert [holding(atlas, t) for t in (150, 250, 350)] == [[1], [3], [3]]


def test_removal_has_its_time_and_the_fence_may_come_back():
    atlas = Atlas()
    atlas.put(home(100, 1), at=100.0)
    assert len(atlas.remove("home", 200.0)) == 1
    assert atlas.remove("home", 250.0) == []
    assert atlas.remove("never there", 1.0) == []
    atlas.put(home(100, 1), at=300.0)
    assert [holding(atlas, t) for t in (150, 200, 299, 300)] == [[1], [], [], [1]]


def test_the_same_version_again_changes_nothing():
    """A file loaded twice, a log read twice: no new slot, no new edition."""
    atlas = Atlas()
    slot = atlas.put(home(), at=100.0)
    edition = atlas.edition
    assert atlas.put(home(), at=400.0) == slot
    assert (atlas.edition, len(atlas)) == (edition, 1)
    assert atlas.put(home(radius_m=101), at=400.0) != slot


def test_a_fence_that_is_refused_changes_nothing():
    atlas = Atlas()
    atlas.put(home(), at=1.0)
    edition = atlas.edition
    with pytest.raises(Invalid):
        atlas.put(fence(line((1, 1), (2, 2)), "home"), at=2.0)
    assert holding(atlas, 3.0) == [1]
    assert atlas.edition == edition


def test_forgetting_frees_what_no_late_fix_can_need():
    atlas = Atlas()
    old = atlas.put(home(100, 1), at=100.0)
    atlas.put(home(100, 2), at=200.0)
    assert atlas.forget_before(199.0) == []
    assert atlas.forget_before(200.0) == [old]
    assert atlas.forget_before(200.0) == []
    assert (len(atlas), atlas.fences[old], atlas.shapes[old]) == (1, None, None)
    assert atlas.candidates(*HERE)[1].tolist() == atlas.versions("home")
    assert atlas.put(fence(SQUARE, "b"), at=300.0) == old
    assert sorted(holding(atlas, 300.0)) == [1, 2]
    atlas.remove("home", 400.0)
    atlas.forget_before(400.0)
    assert atlas.versions("home") == []


def test_edits_can_be_caught_up_with():
    atlas = Atlas()
    first = atlas.put(home(100, 1), at=100.0)
    edition = atlas.edition
    second = atlas.put(home(100, 2), at=200.0)
    assert sorted(atlas.edited_since(edition)) == sorted([first, second])
    assert atlas.edited_since(atlas.edition) == []


def test_candidates_come_in_one_order_however_the_index_is_packed():
    atlas, again = Atlas(), Atlas()
    fences = [fence(point(10 + n / 1000, 60), f"f{n}", buffer_m=500) for n in range(700)]
    for one in fences:
        atlas.put(one)
        atlas.candidates(*HERE)
    for one in fences:
        again.put(one)
    lat, lon = np.full(100, 60.0), np.linspace(10, 10.7, 100)
    for margin in (0.0, 300.0):
        rows, slots = atlas.candidates(lat, lon, margin)
        assert np.array_equal((rows, slots), again.candidates(lat, lon, margin))
        assert (np.diff(rows * 1000 + slots) > 0).all()


def test_margin_proposes_what_is_near():
    atlas = Atlas()
    slot = atlas.put(fence(SQUARE))
    lat, lon = moved(60.005, 10.02, 90, 900.0)
    near = np.array([lat]), np.array([lon])
    assert atlas.candidates(*near, 800.0)[1].tolist() == []
    assert atlas.candidates(*near, 1000.0)[1].tolist() == [slot]
    assert atlas.candidates(*near, np.array([1000.0]))[1].tolist() == [slot]


def test_candidates_between_finds_what_lies_on_the_way():
    """Between two fixes, over the antimeridian too, and where the geodesic rises over the parallel."""
    atlas = Atlas()
    seam = atlas.put(fence(point(180, 0), "seam", buffer_m=10))
    bulge = atlas.put(fence(point(10, 60.06), "bulge", buffer_m=3000))
    lat0, lon0, lat1, lon1 = (np.array(column, float) for column in ([0, 60], [179.5, 7], [0, 60], [-179.5, 13]))
    rows, slots = atlas.candidates_between(lat0, lon0, lat1, lon1)
    assert list(zip(rows, slots, strict=True)) == [(0, seam), (1, bulge)]
    assert atlas.crossings(60, 7, 60, 13, bulge) != []


def test_signed_distance_of_mixed_kinds_in_one_batch():
    """Areas, lines, points, polar and not, in any order: each pair as if it were alone."""
    atlas = Atlas()
    slots = [
        atlas.put(fence(SQUARE, "area")),
        atlas.put(fence(line((10, 60), (10.02, 60.01)), "line", buffer_m=50)),
        atlas.put(fence(point(10.01, 60.005), "point", buffer_m=50)),
        atlas.put(fence(polygon([(0, 86), (120, 86), (-120, 86)]), "north")),
        atlas.put(fence(polygon([(0, -86), (120, -86), (-120, -86)]), "south")),
    ]
    rng = np.random.default_rng(13)
    pick = rng.integers(0, 5, 200)
    lat, lon = 60.005 + rng.normal(0, 0.01, 200), 10.01 + rng.normal(0, 0.02, 200)
    together = atlas.signed_distance_m(lat, lon, np.array(slots)[pick])
    for row in range(200):
        alone = atlas.signed_distance_m(lat[row : row + 1], lon[row : row + 1], np.array(slots)[pick[row : row + 1]])
        assert alone[0] == together[row]


def test_no_pairs_no_distances():
    atlas = Atlas()
    assert atlas.signed_distance_m(np.empty(0), np.empty(0), np.empty(0, np.int64)).size == 0
    assert atlas.candidates(np.empty(0), np.empty(0), 10.0)[0].size == 0
    assert atlas.clearance_m(np.array([1.0]), np.array([1.0]), 500.0).tolist() == [500.0]


def test_clearance_is_to_the_nearest_boundary_from_either_side():
    atlas = Atlas()
    atlas.put(fence(SQUARE))
    atlas.put(home(50))
    lat, lon = np.array([60.005, 60.005, 61.0]), np.array([10.01, 10.019, 10.0])
    clear = atlas.clearance_m(lat, lon, 10_000.0)
    assert np.allclose(clear, [50, 55.8, 10_000], atol=0.1)


def test_many_fences_grow_the_columns():
    atlas = Atlas()
    for n in range(100):
        atlas.put(fence(point(n, 0), f"f{n}", buffer_m=1000), at=float(n))
    assert atlas.t_from[:100].tolist() == list(range(100))
    off = atlas.signed_distance_m(np.zeros(100), np.arange(100.0), np.arange(100))
    assert np.allclose(off, -1000)
