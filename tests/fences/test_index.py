import numpy as np
import pytest
import rtree.index

from fences.index import BoxIndex, around


def ask(index, lat, lon, margin_m=0.0):
    lat, lon = np.array(lat, float), np.array(lon, float)
    box = (lat, lon, lat, lon) if margin_m == 0 else around(lat, lon, margin_m)
    rows, slots = index.near(*box)
    return list(zip(rows.tolist(), slots.tolist(), strict=True))


def test_empty():
    assert ask(BoxIndex(), [1.0], [2.0]) == []
    assert ask(BoxIndex(), [], []) == []


@pytest.mark.parametrize("asked", [1, 500], ids=["few places", "many places"])
@pytest.mark.parametrize("held", [3, 40, 2000])
def test_edits_are_seen_at_once(asked, held):
    """Put, dropped and put again under the same slot, whichever of the trees it has come to stand in."""
    index = BoxIndex()
    for slot in range(held):
        index.put(slot, (10 + slot / 100, 20, 10 + slot / 100 + 0.005, 20.005))
    lat, lon = [10.001] * asked, [20.001] * asked
    assert ask(index, lat, lon) == [(row, 0) for row in range(asked)]
    index.drop(0)
    assert ask(index, lat, lon) == []
    index.put(0, (50, 60, 51, 61))
    assert ask(index, lat, lon) == []
    assert ask(index, [50.5] * asked, [60.5] * asked) == [(row, 0) for row in range(asked)]
    index.drop(0)
    index.put(0, (10, 20, 11, 21))
    assert (0, 0) in ask(index, lat, lon)
    assert ask(index, lat[:1], lon[:1]) == ask(index, lat, lon)[: len(ask(index, lat[:1], lon[:1]))]


def test_over_the_antimeridian_from_both_sides_and_only_once():
    index = BoxIndex()
    index.put(0, (0, 179, 1, 181))
    index.put(1, (0, -181, 1, -179))
    index.put(2, (0, 179, 1, 180))
    index.put(3, (0, -180, 1, 180))
    assert ask(index, [0.5], [179.5]) == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert ask(index, [0.5], [-179.5]) == [(0, 0), (0, 1), (0, 3)]
    assert ask(index, [0.5] * 50, [-179.99] * 50, 5000.0) == [(row, slot) for row in range(50) for slot in range(4)]


def test_near_a_pole_all_longitudes_are_near():
    index = BoxIndex()
    index.put(0, (89.9, 100, 90, 110))
    assert ask(index, [89.95], [-70.0], 6000.0) == [(0, 0)]
    assert ask(index, [89.0], [-70.0], 6000.0) == []


def test_a_random_history_of_edits_against_rtree():
    """2,000 edits and questions of every size: the same pairs as an rtree that is edited along."""
    rng = np.random.default_rng(12)
    ours, theirs = BoxIndex(), rtree.index.Index()
    held = {}
    for step in range(2000):
        if rng.random() < 0.7 or not held:
            slot = int(rng.integers(3000))
            if slot in held:
                continue
            south, west = rng.uniform(-80, 80), rng.uniform(-170, 160)
            box = (south, west, south + rng.exponential(1), west + rng.exponential(1))
            held[slot] = box
            ours.put(slot, box)
            theirs.insert(slot, (box[1], box[0], box[3], box[2]))
        else:
            slot = int(rng.choice(list(held)))
            box = held.pop(slot)
            ours.drop(slot)
            theirs.delete(slot, (box[1], box[0], box[3], box[2]))
        if step % 50 == 0:
            count = int(rng.choice([1, 5, 33, 300]))
            lat, lon = rng.uniform(-80, 80, count), rng.uniform(-170, 170, count)
            expected = [
                (row, slot)
                for row in range(count)
                for slot in sorted(theirs.intersection((lon[row], lat[row], lon[row], lat[row])))
            ]
            assert ask(ours, lat, lon) == expected
