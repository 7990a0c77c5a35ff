"""The ledger follows from the facts, not from the order or the number of times in which they came."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.keyed import KeyedCore
from pipeline.scoring.books import Books
from pipeline.scoring.decide import decide
from pipeline.scoring.ledger import entry_id_of
from pipeline.scoring.sum import score_of, standing_lines
from schemas.message import encode
from schemas.reference import Leave
from schemas.score import Score, ScoreEntry
from schemas.times import instant
from tests.support.office import START, Bench, at, casebook, command, incident, messages

BOOK = casebook("s1")
TYPES = ("breach.opened", "passage", "device.tamper", "identity.doubtful", "checkin.missed", "fix.mocked")
ACTS = ("score.confirm", "score.reverse", "score.contest", "score.decide")


def facts(seed: int) -> list[tuple[str, Any]]:
    """A month of a busy person: (topic, message), in order of time."""
    rng = random.Random(seed)
    told: list[tuple[float, str, Any]] = []
    for number in range(rng.randint(1, 25)):
        begun = rng.uniform(0, 30 * 86400)
        name = f"i{number}"
        fields: dict[str, Any] = {"severity": rng.choice(["low", "medium", "high"]), "attributable": rng.random() > 0.1}
        type_ = rng.choice(TYPES)
        if type_ == "breach.opened":
            fields["breach_id"] = f"b{number}"
            if rng.random() < 0.7:
                over = rng.choice(["breach.closed", "breach.corrected"])
                later = begun + rng.uniform(1, 20000)
                told.append((later, "incidents", incident(f"{name}/over", later, over, breach_id=f"b{number}")))
        if type_ == "identity.doubtful" and rng.random() < 0.5:
            found = rng.choice(["identity.confirmed", "identity.refuted"])
            later = begun + rng.uniform(1, 5000)
            told.append((later, "incidents", incident(f"{name}/seen", later, found, evidence={"settles": name})))
        told.append((begun, "incidents", incident(name, begun, type_, **fields)))
        if rng.random() < 0.5:
            later = begun + rng.uniform(1, 86400)
            told += [(when, "commands", one) for when, one in rulings(rng, entry_id_of("s1", name), later)]
    for number in range(rng.randint(0, 3)):
        begins = rng.uniform(0, 30 * 86400)
        leave = Leave(
            leave_id=f"l{number}", subject_id="s1", starts_at=at(begins), ends_at=at(begins + 40000), state="approved"
        )
        told.append((begins, "leave-changes", leave))
    return [(topic, message) for _, topic, message in sorted(told, key=lambda one: (one[0], one[1], str(one[2])))]


def rulings(rng: random.Random, entry: str, begin: float) -> list[tuple[float, dict[str, Any]]]:
    """Some commands about an entry, not all of which make sense."""
    said = []
    for number, kind in enumerate(rng.choices(ACTS, k=rng.randint(1, 4))):
        when = begin + number
        person = {"by": "s1", "role": "subject"} if kind == "score.contest" else {"by": rng.choice(["o1", "o2"])}
        more = {"decision": rng.choice(["uphold", "reverse"])} if kind == "score.decide" else {}
        said.append((when, command(kind, when, entry_id=entry, reason="because", **person, **more)))
    return said


def run(told: list[tuple[str, Any]], restart_at: int = -1) -> tuple[Bench, bytes]:
    """Tell it all, a second apart, and let the time of all facts pass; the ledger's bytes."""
    bench = Bench(KeyedCore(decide, Books, BOOK))
    for number, (topic, message) in enumerate(told):
        if number == restart_at:
            bench.restarted(KeyedCore(decide, Books, BOOK))
        bench.tell(topic, message, START)
    bench.pass_time(at(45 * 86400))
    return bench, encode(standing_lines(messages(bench.said, ScoreEntry)))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_shuffled_and_repeated_facts_give_the_same_ledger_to_the_byte(seed: int, data: st.DataObject) -> None:
    told = facts(seed)
    _, ordered = run(told)
    again = data.draw(st.lists(st.sampled_from(told), max_size=4))
    bench, shuffled = run(data.draw(st.permutations(told + again)))
    assert shuffled == ordered
    assert encode(bench.core["s1"].entries) == ordered, "what is kept is what a reader of the topic has"  # type: ignore[index]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_a_restart_anywhere_changes_nothing_that_is_said(seed: int, data: st.DataObject) -> None:
    told = facts(seed)
    whole, _ = run(told)
    broken, _ = run(told, restart_at=data.draw(st.integers(0, len(told) - 1)))
    assert [one.id for one in broken.said] == [one.id for one in whole.said]
    assert encode([one.message for one in broken.said]) == encode([one.message for one in whole.said])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_the_score_is_a_fold_of_the_lines_and_every_id_is_said_once(seed: int) -> None:
    told = facts(seed)
    bench, _ = run(told)
    ids = [one.id for one in bench.said]
    assert len(ids) == len(set(ids))
    shown = messages(bench.said, Score)[-1]
    from pipeline.scoring.calendar import zone_of  # noqa: PLC0415  # only here

    entries = standing_lines(messages(bench.said, ScoreEntry))
    rules = BOOK.score.at(shown.as_of)
    zone = zone_of("Asia/Shanghai", rules.time_zone)
    now = instant(START + timedelta(days=45))
    summed = score_of("s1", "justice", entries, rules=rules, as_of=now, zone=zone)
    assert (summed.points, summed.points_if_confirmed, summed.deducted, summed.restored) == (
        shown.points,
        shown.points_if_confirmed,
        shown.deducted,
        shown.restored,
    )
    assert 0 <= shown.points <= 100


@pytest.mark.parametrize("seed", range(5))
def test_no_doubt_about_identity_moves_the_score_without_a_human(seed: int) -> None:
    rng = random.Random(seed)
    told = [
        ("incidents", incident(f"i{n}", n * 3600, rng.choice(["identity.doubtful", "fix.mocked"]))) for n in range(40)
    ]
    bench, _ = run(told)
    assert {one.points for one in messages(bench.said, Score)} == {100}
