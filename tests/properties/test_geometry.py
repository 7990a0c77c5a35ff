"""Geometry against independent ways of finding the same: geodesics, counted crossings, turned and rebuilt worlds."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fences.atlas import Atlas
from fences.datum import from_wgs84
from fences.plane import distance_m
from tests.support.ground import GEOD, blob, edges, fence, inside, moved, point, polygon, signed_m

latitudes = st.floats(-83, 83)
longitudes = st.floats(-180, 180)
seeds = st.integers(0, 2**32 - 1)
radii = st.floats(1.3, 4.5).map(lambda power: 10**power)


def off_m(geometry, lat, lon, **properties):
    atlas = Atlas()
    slot = atlas.put(fence(geometry, **properties))
    lat, lon = np.atleast_1d(lat).astype(float), np.atleast_1d(lon).astype(float)
    return atlas.signed_distance_m(lat, lon, np.full(len(lat), slot))


def wrapped(ring):
    return [[(lon + 180) % 360 - 180, lat] for lon, lat in ring]


@settings(max_examples=60, deadline=None)
@given(latitudes, longitudes, radii, seeds, st.booleans())
def test_signed_distance_is_that_of_the_geodesics(lat, lon, radius_m, seed, holed):
    """Areas of 20 m to 30 km anywhere between 83 S and 83 N, with and without a hole, in and around them."""
    rng = np.random.default_rng(seed)
    rings = [blob(rng, lat, lon, radius_m)]
    if holed:
        rings.append(blob(rng, lat, lon, radius_m * 0.2))
    geometry = polygon(*(wrapped(ring) for ring in rings))
    places = [moved(lat, lon, rng.uniform(0, 360), radius_m * rng.uniform(0, 2)) for _ in range(6)]
    found = off_m(geometry, *np.array(places).T)
    for place, off in zip(places, found, strict=True):
        truth = signed_m(*place, geometry)
        assert abs(off - truth) < 0.01 + 0.004 * abs(truth)
        assert abs(truth) < 0.01 or (off < 0) == (truth < 0)


@settings(max_examples=40, deadline=None)
@given(st.floats(84, 90), longitudes, st.floats(2, 5).map(lambda power: 10**power), seeds, st.sampled_from([1, -1]))
def test_sign_near_a_pole_is_that_of_counted_crossings(lat, lon, radius_m, seed, up):
    """Areas over and beside a pole: inside means inside by counting along the meridian, whichever pole it is."""
    rng = np.random.default_rng(seed)
    ring = [[east, up * north] for east, north in wrapped(blob(rng, lat, lon, radius_m, rough=0.2))]
    geometry = polygon(ring)
    boundary = edges(geometry["coordinates"])
    turns = round(float((boundary[:, 2] - boundary[:, 0]).sum()) / 360)
    places = [moved(up * lat, lon, rng.uniform(0, 360), radius_m * rng.uniform(0, 2)) for _ in range(6)]
    found = off_m(geometry, *np.array(places).T)
    for place, off in zip(places, found, strict=True):
        if abs(off) > 0.02:
            assert (off < 0) == inside(*place, boundary, south_pole=turns != 0 and up < 0)


@settings(max_examples=60, deadline=None)
@given(latitudes, seeds, radii, st.sampled_from([0.0, 35.5]))
def test_the_world_may_be_turned(lat, seed, radius_m, buffer_m):
    """The same fence and places anywhere along the parallel, the antimeridian included, are the same distances."""
    rng = np.random.default_rng(seed)
    ring = blob(rng, lat, 0.0, radius_m)
    places = np.array([moved(lat, 0.0, rng.uniform(0, 360), radius_m * rng.uniform(0, 2)) for _ in range(10)])
    here = off_m(polygon(ring), *places.T, buffer_m=buffer_m)
    for turn in (180.0, -179.9, 90.0):
        there = off_m(
            polygon(wrapped([[lon + turn, north] for lon, north in ring])),
            places[:, 0],
            (places[:, 1] + turn + 180) % 360 - 180,
            buffer_m=buffer_m,
        )
        assert np.abs(here - there).max() < 1e-3


@settings(max_examples=40, deadline=None)
@given(latitudes, longitudes, st.floats(1, 6).map(lambda power: 10**power), seeds)
def test_a_buffered_line_reaches_as_far_as_geodesics_say(lat, lon, buffer_m, seed):
    """Reaches of 10 m to 1,000 km: right to a centimetre at the boundary itself."""
    rng = np.random.default_rng(seed)
    way = [(lon, lat), moved(lat, lon, rng.uniform(0, 360), buffer_m * rng.uniform(0.1, 0.5))[::-1]]
    if abs(way[1][1]) > 83.9:
        return
    geometry = {"type": "LineString", "coordinates": [list(place) for place in way]}
    place = moved(lat, lon, rng.uniform(0, 360), buffer_m * rng.uniform(0.97, 1.0))
    truth = signed_m(*place, geometry, buffer_m)
    (off,) = off_m(geometry, *place, buffer_m=buffer_m)
    if abs(truth) < 0.03 * buffer_m:
        assert abs(off - truth) < 0.01 + 1e-9 * buffer_m
    else:
        assert abs(off - truth) < 0.02 * (truth + buffer_m)


@settings(max_examples=40, deadline=None)
@given(st.floats(20, 45), st.floats(80, 125), seeds, st.sampled_from(["gcj02", "bd09"]))
def test_the_datum_of_a_fence_makes_no_difference(lat, lon, seed, datum):
    """A small fence and the same one drawn on a shifted map measure alike."""
    rng = np.random.default_rng(seed)
    ring = blob(rng, lat, lon, 100.0)
    shifted = [[float(part) for part in from_wgs84(north, east, datum)[::-1]] for east, north in ring]
    places = np.array([moved(lat, lon, rng.uniform(0, 360), rng.uniform(0, 200)) for _ in range(10)])
    assert np.abs(off_m(polygon(ring), *places.T) - off_m(polygon(shifted), *places.T, datum=datum)).max() < 0.1


edits = st.lists(
    st.tuples(
        st.sampled_from(["put", "remove", "forget", "ask"]),
        st.integers(0, 5),  # which fence
        st.integers(0, 50),  # when
        st.integers(0, 3),  # where
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(edits)
def test_an_edited_atlas_answers_as_one_built_from_scratch(history):
    """Whatever was put, removed, forgotten and asked in between: what holds when and where is as if told at once."""
    living = Atlas()
    horizon = 0
    for what, which, when, where in history:
        if what == "put":
            living.put(_circle(which, when, where), float(when))
        elif what == "remove":
            living.remove(f"f{which}", float(when))
        elif what == "forget":
            horizon = max(horizon, when)
            living.forget_before(float(when))
        else:
            living.candidates(np.array([0.0]), np.array([float(where)]))
    scratch = Atlas()
    for what, which, when, where in history:
        if what == "put":
            scratch.put(_circle(which, when, where), float(when))
        elif what == "remove":
            scratch.remove(f"f{which}", float(when))
    for t in range(horizon, 52, 5):
        assert _holding(living, t) == _holding(scratch, t) == _by_hand(history, t)


def _circle(which, when, where):
    return fence(point(where, 0), f"f{which}", buffer_m=1000, name=f"{when}/{where}")


def _holding(atlas, t):
    rows, slots = atlas.candidates(np.zeros(4), np.arange(4.0))
    hold = atlas.in_force(slots, t)
    found = [
        (row, atlas.fences[slot].properties.fence_id, atlas.fences[slot].properties.name)
        for row, slot in zip(rows[hold].tolist(), slots[hold], strict=True)
    ]
    return sorted(found)


def _by_hand(history, t):
    """The last word put or removed for a time up to `t`, for each fence."""
    last = {}
    for what, which, when, where in history:
        if what in ("put", "remove") and when <= t:
            last[which] = (where, f"f{which}", f"{when}/{where}") if what == "put" else None
    return sorted(one for one in last.values() if one)


@settings(max_examples=30, deadline=None)
@given(st.floats(-80, 80), longitudes, seeds)
def test_candidates_miss_no_fence_that_is_near(lat, lon, seed):
    """Every pair within the margin by signed distance is proposed, at any margin."""
    rng = np.random.default_rng(seed)
    atlas = Atlas()
    for n in range(40):
        there = moved(lat, lon, rng.uniform(0, 360), rng.uniform(0, 20_000))
        atlas.put(
            fence(polygon(wrapped(blob(rng, *there, 10 ** rng.uniform(1, 4)))), f"f{n}", buffer_m=rng.uniform(0, 50))
        )
    places = np.array([moved(lat, lon, rng.uniform(0, 360), rng.uniform(0, 20_000)) for _ in range(20)])
    for margin_m in (0.0, 100.0, 5000.0):
        found = set(zip(*(part.tolist() for part in atlas.candidates(*places.T.copy(), margin_m)), strict=True))
        rows, slots = np.repeat(np.arange(20), 40), np.tile(np.arange(40), 20)
        off = atlas.signed_distance_m(places[rows, 0], places[rows, 1], slots)
        near = off <= margin_m
        assert set(zip(rows[near].tolist(), slots[near].tolist(), strict=True)) <= found


@settings(max_examples=30, deadline=None)
@given(latitudes, longitudes, st.floats(2, 4).map(lambda power: 10**power), seeds)
def test_passages_are_where_a_fine_walk_is_inside(lat, lon, radius_m, seed):
    """Walking the way in a thousand steps is inside exactly between the crossings found."""
    rng = np.random.default_rng(seed)
    atlas = Atlas()
    slot = atlas.put(fence(polygon(wrapped(blob(rng, lat, lon, radius_m, corners=12, rough=0.8)))))
    start, end = (moved(lat, lon, rng.uniform(0, 360), radius_m * rng.uniform(0, 2)) for _ in range(2))
    if float(distance_m(*start, *end)) < 1:
        return
    ways = atlas.crossings(*start, *end, slot)
    assert all(a < b for a, b in ways)
    assert all(before[1] < after[0] for before, after in pairwise(ways))
    walk = _walk(start, end)
    off = atlas.signed_distance_m(*walk, np.full(len(walk[0]), slot))
    within = np.array([any(a <= share <= b for a, b in ways) for share in np.linspace(0, 1, len(off))])
    sure = np.abs(off) > 0.05
    assert np.array_equal(within[sure], (off < 0)[sure])


def _walk(start, end, steps=1000):
    between = GEOD.npts(start[1], start[0], end[1], end[0], steps - 1)
    lon, lat = np.array([(start[1], start[0]), *between, (end[1], end[0])]).T
    return lat.copy(), lon.copy()


@settings(max_examples=60, deadline=None)
@given(st.floats(-90, 90), longitudes, st.floats(1, 5).map(lambda power: 10**power), seeds)
def test_a_way_that_may_not_meet_a_fence_does_not(lat, lon, size_m, seed):
    """Quick answers for a batch of ways never deny a passage; and are not always yes."""
    rng = np.random.default_rng(seed)
    atlas = Atlas()
    geometries = [
        point(lon, lat),
        {"type": "LineString", "coordinates": [[lon, lat], list(moved(lat, lon, 77, size_m)[::-1])]},
    ]
    geometries.append(polygon(wrapped(blob(rng, lat, lon, size_m))))
    slots = [atlas.put(fence(one, f"f{n}", buffer_m=size_m / 3)) for n, one in enumerate(geometries)]
    slots.append(atlas.put(fence(geometries[2], "bare")))
    ends = [[moved(lat, lon, rng.uniform(0, 360), size_m * rng.uniform(0, 3)) for _ in range(10)] for _ in range(2)]
    start, end = (np.array(one) for one in ends)
    for slot in slots:
        meets = atlas.may_meet(*start.T.copy(), *end.T.copy(), np.full(10, slot))
        for row in range(10):
            assert meets[row] or not atlas.crossings(*start[row], *end[row], slot)
    far = [np.array(moved(lat, lon, 200, size_m * 5)) for _ in range(2)]
    if abs(lat) < 80:
        assert not atlas.may_meet(*(np.array([part]) for part in (*far[0], *far[1])), np.array(slots[:1])).any()


@pytest.mark.parametrize("seed", range(3))
def test_a_distance_never_changes_by_more_than_the_way(seed):
    """One metre on is at most one metre nearer: what the search for passages rests on."""
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(-80, 80), rng.uniform(-180, 180)
    geometry = polygon(wrapped(blob(rng, lat, lon, 3000.0)))
    places = [moved(lat, lon, rng.uniform(0, 360), rng.uniform(0, 9000)) for _ in range(300)]
    further = [moved(*place, rng.uniform(0, 360), 50.0) for place in places]
    change = off_m(geometry, *np.array(places).T) - off_m(geometry, *np.array(further).T)
    assert np.abs(change).max() < 50 * 1.02
