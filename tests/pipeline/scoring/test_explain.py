"""The account adds up, and says of every point why."""

import random
import re

import pytest

from pipeline.scoring.books import Books
from pipeline.scoring.decide import decide
from pipeline.scoring.explain import account
from pipeline.scoring.ledger import entry_id_of
from pipeline.scoring.rules import read_score_rules
from pipeline.scoring.sum import standing_lines
from schemas.message import Invalid
from schemas.score import Score, ScoreEntry
from tests.properties.test_ledger import BOOK, facts, run
from tests.support.office import Bench, at, casebook, command, incident, keyed, messages, rules_text

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("seed", random.Random(3).sample(range(10**6), 20))
def test_the_lines_add_up_from_a_hundred_to_the_score(seed: int) -> None:
    bench, _ = run(facts(seed))
    shown = messages(bench.said, Score)[-1]
    lines = account(standing_lines(messages(bench.said, ScoreEntry)), BOOK.score.at(at(0)), at(45 * 86400))
    assert max(0, min(100, 100 + sum(line.effect for line in lines))) == shown.points
    assert all(line.en.endswith((".", ":")) or ": " in line.en for line in lines)
    assert all(HAN.search(line.zh) for line in lines)
    assert not [line for line in lines if "{" in line.en + line.zh]


def test_a_line_tells_base_weight_duration_cap_and_who_decided() -> None:
    bench = Bench(keyed(decide, Books, casebook("s1")))
    bench.incident(incident("i0", 0))
    bench.incident(incident("i1", 10, severity="high", breach_id="b", fence_name="Home"))
    bench.incident(incident("i2", 7210, "breach.closed", breach_id="b"))
    entry = entry_id_of("s1", "i1")
    bench.command(command("score.contest", 8000, by="s1", role="subject", entry_id=entry, reason="bus"))
    lines = account(standing_lines(messages(bench.said, ScoreEntry)), BOOK.score.at(at(0)), at(8000))
    assert [line.en for line in lines] == [
        "2026-11-23: a broken fence is a warning by clause breach of rules default-1, without points. It counts.",
        "2026-11-23: a broken fence at Home costs 12 points by clause breach of rules default-1 (6 x 2.25 for severity "
        "high and 120 min) (cut from 14 by the cap of the day). It was contested (bus) and counts until that is "
        "decided.",
    ]
    assert "申诉（bus）" in lines[1].zh


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("points: 6", "pionts: 6"), "pionts"),
        (("points: 6", "points: -6"), "points"),
        (("red_below: 60", "red_below: 90"), "red_below is above yellow_below"),
        (("window_days: 90", "window_days: 0"), "window_days"),
        (("types: [passage]", "types: [breach.opened]"), "in the clauses"),
        (("types: [passage]", "types: [breach.opne]"), "breach.opne"),
        (("Asia/Shanghai", "Asia/Shanghia"), "Shanghia"),
        (("    provisional: true           # a machine's", "    grace: 0   # a machine's"), "judgement of identity"),
        (("from_s: 3600", "from_s: 60"), "must rise"),
        (("clauses:", "clauses: ["), "not YAML"),
    ],
)
def test_rules_that_cannot_be_used_are_refused_with_the_place(change: tuple[str, str], why: str) -> None:
    text = rules_text("scoring")
    assert change[0] in text
    with pytest.raises(Invalid, match=why):
        read_score_rules(text.replace(*change, 1))
