"""Where devices are, and their ways: the latest by their own clock, thinned alike however the fixes were cut."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.columns import fix_columns
from pipeline.readmodel.positions import Position, Trail, Whereabouts, pack, read_way, unpack
from pipeline.step import Record
from schemas.times import from_epoch

BEGIN_S = 1_795_000_000.0
DEGREE_M = 111_195.0


def record(offset: int, at_s: float, north_m: float, **fields: object) -> Record:
    fix = {"device_id": "d", "fix_time": str(from_epoch(BEGIN_S + at_s)), "lat": 30 + north_m / DEGREE_M, "lon": 120}
    return Record("fixes", 0, offset, b"d", json.dumps({**fix, **fields}).encode(), BEGIN_S + at_s)


def seen(*records: Record) -> Whereabouts:
    found = Whereabouts()
    found.take(fix_columns(records, from_epoch(BEGIN_S))[0])
    return found


def way(found: Whereabouts) -> list[float]:
    _, ways = found.taken()
    return ((read_way(map(bytes, ways.pieces.values())).t_ms / 1000) - BEGIN_S).tolist()


def test_the_place_is_that_of_the_latest_fix_and_not_of_the_last_to_arrive() -> None:
    found = seen(record(0, 0, 0), record(1, 60, 500, battery_pct=40), record(2, 30, 250))
    assert found.devices["d"].lat == round(30 + 500 / DEGREE_M, 7)
    assert found.devices["d"].battery_pct == 40


def test_an_invented_place_and_a_clock_ahead_are_no_place() -> None:
    ahead = {**json.loads(record(0, 7200, 900).value)}
    late = Record("fixes", 0, 1, b"d", json.dumps(ahead).encode(), BEGIN_S)
    found = seen(record(0, 0, 0), late, record(2, 20, 900, mock=True))
    assert found.devices["d"].t_ms == BEGIN_S * 1000


def test_who_rests_leaves_a_thin_line_and_who_walks_one_with_all_turns() -> None:
    assert way(seen(*(record(n, 15 * n, 0) for n in range(80)))) == [0, 300, 600, 900]
    assert len(way(seen(*(record(n, 15 * n, 30 * n) for n in range(80))))) == 80


def test_what_comes_late_is_part_of_the_way() -> None:
    live = [record(n, 15 * n, 30 * n) for n in (0, 1, 8, 9)]
    late = [record(10 + n, 15 * n, 30 * n) for n in range(2, 8)]
    assert way(seen(*live, *late)) == [15.0 * n for n in range(10)]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(-300, 300)), max_size=40),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_how_fixes_were_cut_into_batches_makes_no_difference(fixes: list[tuple[int, int]], sizes: list[int]) -> None:
    records = [record(n, at_s, north_m) for n, (at_s, north_m) in enumerate(fixes)]
    whole, cut, begin = seen(*records), Whereabouts(), 0
    pieces = b""
    for size in [*sizes, len(records) + 1]:
        cut.take(fix_columns(records[begin : begin + size], from_epoch(BEGIN_S))[0])
        begin += size
        pieces += b"".join(map(bytes, cut.taken()[1].pieces.values()))
        cut.devices = {name: unpack(pack(one)) for name, one in cut.devices.items()}  # as after a crash
    assert read_way([pieces]).t_ms.tolist() == read_way(map(bytes, whole.taken()[1].pieces.values())).t_ms.tolist()
    assert {name: pack(one) for name, one in cut.devices.items()} == {n: pack(one) for n, one in whole.devices.items()}


def test_a_row_is_kept_to_the_bit() -> None:
    one = Position(1, 30.1234567, -179.9999999, 8.5, 71.0, 2, Trail(1, 30.1, 120.2), Trail(0, 29.9, 120.1))
    assert unpack(pack(one)) == one
    assert math.isnan(unpack(pack(Position())).accuracy_m)
