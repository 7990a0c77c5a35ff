"""Tests of who wears what: the compact form says what strings and dictionaries would."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.activations import Activations
from pipeline.editlog import KINDS, EditLog
from pipeline.roster import Roster
from pipeline.texts import Texts
from schemas.message import Invalid
from schemas.reference import Activation
from schemas.times import from_epoch

T0 = 1_790_000_000.0
texts = st.text(max_size=6) | st.sampled_from(["", "a", "\0", "a\0", "é", "北京", "\ud800", "s-1", "s-2"])


@settings(deadline=None)  # the table's filling is compiled when it is first needed
@given(st.lists(texts))
def test_texts_are_numbered_as_by_a_dictionary(words: list[str]) -> None:
    """In the order in which they come, whatever letters they have."""
    known, plain = Texts(), dict[str, int]()
    for word in words:
        assert known.find(word) == plain.get(word, -1)
        assert known.number(word) == plain.setdefault(word, len(plain))
    assert len(known) == len(plain)
    assert [known[number] for number in range(len(known))] == list(known) == list(plain)


def test_texts_are_found_among_many() -> None:
    """The table was widened many times, and texts of one hash stand behind one another."""
    known = Texts()
    words = [f"activation-{n * n:09d}" for n in range(20_000)]
    assert [known.number(word) for word in words] == list(range(len(words)))
    assert [known.find(word) for word in words] == list(range(len(words)))
    assert [known[number] for number in range(len(words))] == words
    assert known.find("activation-") == known.find("") == -1


@pytest.mark.parametrize("number", [-1, 1])
def test_no_text_has_a_number_that_was_not_given(number: int) -> None:
    """Neither from the end, as of a list."""
    known = Texts()
    known.number("a")
    with pytest.raises(IndexError):
        known[number]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9))))
def test_a_roster_says_what_lists_by_subject_would(pairs: list[tuple[int, int]]) -> None:
    """In the order in which duties were added."""
    roster, plain = Roster(), defaultdict[int, list[int]](list)
    for subject, duty in pairs:
        roster.add(subject, duty)
        plain[subject].append(duty)
    assert [roster.of(subject) for subject in range(8)] == [plain[subject] for subject in range(8)]
    assert roster.all() == list(dict.fromkeys(duty for _, duty in pairs))


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2**31 - 1))), st.integers(0, 9))
def test_an_edit_log_says_what_a_list_would(edits: list[tuple[str, int]], since: int) -> None:
    """One by one, and all since a place."""
    log = EditLog()
    for edit in edits[:2]:
        log.append(edit)
    log.extend(edits[2:])
    assert len(log) == len(edits)
    assert log[since:] == edits[since:]
    assert list(log) == edits
    assert log.kinds(since) == {kind for kind, _ in edits[since:]}
    for one in KINDS:
        assert log.numbers(one, since).tolist() == [number for kind, number in edits[since:] if kind == one]


def test_an_edit_of_no_known_kind_is_refused() -> None:
    """And not noted in half."""
    log = EditLog()
    with pytest.raises(ValueError, match="not in tuple"):
        log.append(("subject", 1))
    assert not len(log)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 6), st.sampled_from("dev"), st.sampled_from("pq"), st.integers(0, 9), st.integers(0, 9)
        ),
        max_size=20,
    )
)
def test_activations_are_kept_as_they_were_told(told: list[tuple[int, str, str, int, int]]) -> None:
    """Each keeps its slot, device and subject; the one in force is the newest that began."""
    known, plain, order = Activations(), dict[str, Activation](), list[str]()
    for number, device, subject, start, length in told:
        one = Activation(
            activation_id=f"a-{number}", device_id=device, subject_id=subject, order_id="o", agency=f"g-{length}",
            starts_at=from_epoch(T0 + start), ends_at=from_epoch(T0 + start + length) if length else None,
        )  # fmt: skip
        before = plain.get(one.activation_id, one)
        if (before.device_id, before.subject_id) != (device, subject):
            with pytest.raises(Invalid, match="an activation keeps its"):
                known.learn(one)
            continue
        order += [one.activation_id] if one.activation_id not in plain else []
        plain[one.activation_id] = one
        assert known.learn(one) == order.index(one.activation_id)
    assert list(known.ids) == order
    assert len(known) == len(order)
    assert known.devices == [plain[one].device_id for one in order]
    assert [known.slot(one) for one in order] == list(range(len(order)))
    for slot, one in enumerate(order):
        assert known.subjects[known.subject[slot]] == plain[one].subject_id
        assert known.agencies[known.agency[slot]] == plain[one].agency
    devices = {one.device_id for one in plain.values()}
    assert known.shared == sum(known.devices.count(device) > 1 for device in devices)
    assert known.at("elsewhere", T0) == -2
    for device in devices:
        for t in np.arange(T0 - 0.5, T0 + 20):
            worn = [
                (one.starts_at.timestamp(), slot)
                for slot, one in enumerate(plain[activation_id] for activation_id in order)
                if one.device_id == device
                and one.starts_at.timestamp() <= t
                and (one.ends_at is None or t < one.ends_at.timestamp())
            ]
            assert known.at(device, float(t)) == max(worn, default=(0.0, -1))[1]


def test_one_string_names_a_device_that_many_wear() -> None:
    """However often it was read."""
    known = Activations()
    for n in range(3):
        device = "".join(["bracelet-", "7"])
        known.learn(
            Activation(activation_id=f"a-{n}", device_id=device, subject_id="s", order_id="o", agency="a",
                       starts_at=from_epoch(T0 + n))
        )  # fmt: skip
    assert known.devices == ["bracelet-7"] * 3
    assert len({id(one) for one in (*known.devices, *known.of_device)}) == 1
    assert known.of_device["bracelet-7"] == [0, 1, 2]
