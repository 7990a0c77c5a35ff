"""Tests of rows of state: from outside they are an array of one structured type."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.rows import StateRows

KIND = np.dtype([("often", "i4"), ("gaps", "u1", (3,)), ("seldom", "i8"), ("never", "f4")])

NAMES = st.sampled_from(("often", "seldom", "never"))
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("one", "column")), st.integers(0, 9), NAMES, st.integers(0, 3)),
        st.tuples(st.just("put"), st.lists(st.integers(0, 4)), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("gaps"), st.integers(0, 9), st.integers(0, 2), st.integers(0, 255)),
    )
)


@given(DEEDS)
def test_rows_say_what_an_array_would(done: list[tuple[Any, ...]]) -> None:
    """Whichever way they are written, of a row put twice the last, and after they grew."""
    rows, plain = StateRows(KIND, ("seldom", "never")), np.zeros(10, KIND)
    rows.lengthen(10)
    for deed, which, what, value in done:
        if deed == "one":
            rows[which][what] = plain[which][what] = value
            rows[np.int64(which)][what] += 1
            plain[which][what] += 1
        elif deed == "column":
            rows[what][which:] = value
            plain[what][which:] = value
        elif deed == "gaps":
            rows[which]["gaps"][what] = plain[which]["gaps"][what] = value
        else:
            new = np.zeros(len(which), KIND)
            new["often"], new["seldom"], new["never"] = np.arange(len(which)), np.arange(len(which))[::-1] * what, value
            rows[np.array(which, np.int64)] = new
            plain[which] = new
    assert rows.tobytes() == plain.tobytes()
    rows.lengthen(13)
    assert len(rows) == 13
    assert rows[:10].tobytes() == rows[np.arange(10)].tobytes() == plain.tobytes()
    assert rows[10:].tobytes() == bytes(3 * KIND.itemsize)
    assert all(np.array_equal(rows[name][:10], plain[name]) for name in KIND.names or ())
    assert all(rows[3][name] == plain[3][name] for name in ("often", "seldom", "never"))
