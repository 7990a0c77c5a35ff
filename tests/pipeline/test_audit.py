"""The audit's chains: whole when nothing happened, broken where something was taken out, changed or moved."""

import random
from typing import Any

import msgspec
import pytest

from pipeline.audit import AuditCore, Head, against_records, digest, verify
from pipeline.step import Entry, Record
from schemas.audit import AuditEntry, Reading
from schemas.message import decode, encode
from tests.support.cores import changes
from tests.support.office import START, at, command


def records(count: int, partition: int = 0) -> list[Record]:
    """Commands and readings in turn, as two topics bring them."""
    made = []
    for number in range(count):
        if number % 3:
            message: Any = command("alert.acknowledge", number, alert_id=f"a{number}", reason="seen")
            topic, offset = "commands", number - number // 3 - 1
        else:
            message = Reading(
                reading_id=f"r{number}", subject_id="s1", by="o1", role="officer", at=at(number), what="card"
            )
            topic, offset = "readings", number // 3
        made.append(Record(topic, partition, offset, b"s1", encode(message), START.timestamp() + number))
    return made


def written(some: list[Record]) -> list[bytes]:
    """The audit topic's values for these records."""
    return [encode(one.message) for one in AuditCore().apply(some, START)]


@pytest.fixture
def values() -> list[bytes]:
    return written(records(12))


def test_an_untouched_chain_holds_and_says_where_it_ends(values: list[bytes]) -> None:
    verdict = verify(values)
    assert verdict.breaks == ()
    assert [(one.chain, one.seq) for one in verdict.heads] == [("commands/0", 8), ("readings/0", 4)]
    assert verify(values, verdict.heads).breaks == ()


def test_each_link_tells_who_did_what_and_when(values: list[bytes]) -> None:
    entry = decode(values[1], AuditEntry)
    assert (entry.act, entry.kind, entry.by, entry.role, entry.reason, entry.source) == (
        "command", "alert.acknowledge", "o1", "officer", "seen", "commands/0@0",
    )  # fmt: skip


@pytest.mark.parametrize("place", range(12))
def test_taking_any_link_out_shows_as_a_gap_or_as_a_head_that_is_missing(values: list[bytes], place: int) -> None:
    heads = verify(values).heads
    entry = decode(values[place], AuditEntry)
    faults = {one.fault for one in verify(values[:place] + values[place + 1 :], heads).breaks}
    last = any(one.chain == entry.chain and one.seq == entry.seq for one in heads)
    first = entry.seq == 1
    assert faults == ({"missing_head"} if last else set() if first else {"gap"})


@pytest.mark.parametrize("place", range(12))
@pytest.mark.parametrize("field", ["by", "at", "reason", "subject_id", "kind", "record_sha256", "previous_sha256"])
def test_changing_any_word_of_any_link_shows(values: list[bytes], place: int, field: str) -> None:
    entry = decode(values[place], AuditEntry)
    other = "f" * 64 if field.endswith("sha256") else at(999) if field == "at" else "x"
    values[place] = encode(msgspec.structs.replace(entry, **{field: other}))
    assert "changed" in {one.fault for one in verify(values).breaks}


def test_a_change_with_a_hash_made_to_fit_breaks_the_next_link(values: list[bytes]) -> None:
    entry = msgspec.structs.replace(decode(values[1], AuditEntry), by="somebody")
    values[1] = encode(msgspec.structs.replace(entry, sha256=digest(entry)))
    assert [one.fault for one in verify(values).breaks] == ["unlinked"]


def test_two_links_that_changed_places_show(values: list[bytes]) -> None:
    values[1], values[2] = values[2], values[1]
    assert "reordered" in {one.fault for one in verify(values).breaks}


def test_a_word_put_beside_the_known_ones_shows(values: list[bytes]) -> None:
    values[3] = values[3][:-1] + b',"note":"forged"}'
    assert [one.fault for one in verify(values).breaks] == ["changed"]


def test_what_is_no_link_at_all_shows(values: list[bytes]) -> None:
    assert [one.fault for one in verify([*values, b"{}"]).breaks] == ["unreadable"]


def test_the_same_link_sent_twice_is_no_break_but_another_under_its_number_is(values: list[bytes]) -> None:
    assert verify([*values[:3], values[1], *values[3:]]).breaks == ()
    other = msgspec.structs.replace(decode(values[1], AuditEntry), by="x")
    forged = encode(msgspec.structs.replace(other, sha256=digest(other)))
    assert "doubled" in {one.fault for one in verify([*values[:3], forged, *values[3:]]).breaks}


def test_a_chain_whose_beginning_is_no_longer_kept_holds_together(values: list[bytes]) -> None:
    assert verify(values[5:]).breaks == ()


def test_the_end_cut_off_shows_only_against_a_head_kept_elsewhere(values: list[bytes]) -> None:
    heads = verify(values).heads
    assert verify(values[:-2]).breaks == ()
    assert {one.fault for one in verify(values[:-2], heads).breaks} == {"missing_head"}
    assert verify(values, [Head(chain="commands/7", seq=3, sha256="0" * 64)]).breaks[0].chain == "commands/7"


def test_a_command_changed_on_its_own_topic_shows(values: list[bytes]) -> None:
    sources = {f"{one.topic}/{one.partition}@{one.offset}": one.value for one in records(12)}
    assert against_records(values, sources) == []
    sources["commands/0@3"] = sources["commands/0@3"].replace(b"seen", b"Seen")
    assert [one.fault for one in against_records(values, sources)] == ["record_changed"]


@pytest.mark.parametrize("seed", range(20))
def test_the_chains_are_the_same_however_topics_interleave_and_whenever_it_crashes(seed: int) -> None:
    rng = random.Random(seed)
    told = records(30)
    steady = {one.id: encode(one.message) for one in AuditCore().apply(told, START)}
    lanes = [[one for one in told if one.topic == topic] for topic in ("commands", "readings")]
    core, found, saved, positions = AuditCore(), {}, {}, {"commands": -1, "readings": -1}
    while any(lanes):
        lane = rng.choice([one for one in lanes if one])
        batch = [lane.pop(0) for _ in range(min(len(lane), rng.randint(1, 4)))]
        found |= {one.id: encode(one.message) for one in core.apply(batch, START)}
        positions[batch[-1].topic] = batch[-1].offset
        if rng.random() < 0.5:
            saved |= dict(changes(core))
            core = AuditCore()
            core.restore(Entry(key, value or b"", dict(positions)) for key, value in saved.items())
            assert core.apply(batch, START) == [], "what is in the state is not linked again"
    assert found == steady


def test_what_is_neither_command_nor_reading_is_rejected() -> None:
    bad = [
        Record("commands", 0, 0, b"s1", b"{", 0.0),
        Record("commands", 0, 1, b"s1", encode(command("alert.explode")), 0.0),
        Record("readings", 0, 0, b"s1", b"[]", 0.0),
        Record("readings", 0, 1, b"", encode({}), 0.0),
    ]
    assert [one.topic for one in AuditCore().apply(bad, START)] == ["commands.rejected"] * 2 + ["readings.rejected"] * 2
