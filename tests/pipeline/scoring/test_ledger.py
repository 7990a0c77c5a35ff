"""What an incident costs, what makes it cost nothing, and what brings points back."""

from datetime import timedelta

import pytest

from pipeline.scoring.books import Books
from pipeline.scoring.decide import decide
from pipeline.scoring.ledger import entry_id_of
from pipeline.scoring.sum import standing_lines
from schemas.command import CommandResult
from schemas.reference import Leave
from schemas.roster import RuleSet
from schemas.score import Score, ScoreEntry
from schemas.times import instant, parse
from tests.support.office import START, Bench, at, casebook, command, incident, keyed, learn, messages

DAY = 86400


@pytest.fixture
def bench() -> Bench:
    return Bench(keyed(decide, Books, casebook("s1")))


def ledger(bench: Bench) -> list[tuple[str, int, str, str]]:
    return [
        (one.incident_id, one.points, one.state, one.cause) for one in standing_lines(messages(bench.said, ScoreEntry))
    ]


def score(bench: Bench) -> Score:
    return messages(bench.said, Score)[-1]


def test_the_first_breach_is_a_warning_and_the_second_costs(bench: Bench) -> None:
    bench.incident(incident("i1", 0))
    bench.incident(incident("i2", 60))
    assert ledger(bench) == [("i1", 0, "confirmed", ""), ("i2", -6, "confirmed", "")]
    assert score(bench).points == 94


def test_a_day_costs_no_more_than_its_cap_and_says_what_was_cut(bench: Bench) -> None:
    for number in range(5):
        bench.incident(incident(f"i{number}", number * 60))
    entries = standing_lines(messages(bench.said, ScoreEntry))
    assert [one.points for one in entries] == [0, -6, -6, 0, 0]
    assert [one.capped_from for one in entries] == [None, None, None, 6, 6]


def test_the_cap_begins_anew_at_local_midnight_not_at_that_of_utc() -> None:
    bench = Bench(keyed(decide, Books, casebook("s1", time_zone="America/New_York")))
    late = parse("2026-11-24T04:59:59.999Z")  # a minute to midnight there
    for number, when in enumerate(
        [late - timedelta(seconds=3), late - timedelta(seconds=2), late - timedelta(seconds=1), late]
    ):
        bench.incident(incident(f"i{number}", (when - START).total_seconds()))
    bench.incident(incident("i4", (late - START).total_seconds() + 0.001))
    days = [(one.local_day, one.points) for one in standing_lines(messages(bench.said, ScoreEntry))]
    assert days == [("2026-11-23", 0), ("2026-11-23", -6), ("2026-11-23", -6), ("2026-11-23", 0), ("2026-11-24", -6)]


def test_severity_and_duration_weigh_once_the_breach_is_over(bench: Bench) -> None:
    bench.incident(incident("i0", 0))
    bench.incident(incident("i1", 10, severity="high", breach_id="b1"))
    assert ledger(bench)[-1] == ("i1", -9, "confirmed", "")
    said = messages(bench.incident(incident("i2", 10 + 7200, "breach.closed", breach_id="b1")), ScoreEntry)
    assert [(one.points, one.state, one.cause) for one in said] == [
        (-9, "reversed", "recomputed"),
        (-12, "confirmed", ""),
    ]
    assert said[-1].duration_s == 7200
    assert (said[-1].weight, said[-1].capped_from) == (2.25, 14)


def test_a_correction_takes_the_deduction_back(bench: Bench) -> None:
    bench.incident(incident("i0", 0))
    bench.incident(incident("i1", 10, breach_id="b1"))
    bench.incident(incident("i2", 20, "breach.corrected", breach_id="b1"))
    assert ledger(bench)[-1] == ("i1", -6, "reversed", "corrected")
    assert score(bench).points == 100


def test_withdrawing_the_first_makes_the_second_the_one_that_is_only_warned(bench: Bench) -> None:
    bench.incident(incident("i0", 0, breach_id="b0"))
    bench.incident(incident("i1", 10, breach_id="b1"))
    bench.incident(incident("i2", 20, "breach.corrected", breach_id="b0"))
    assert ledger(bench) == [("i0", -6, "reversed", "corrected"), ("i1", 0, "confirmed", "")]
    assert score(bench).points == 100


def test_an_outage_never_deducts_also_when_it_is_known_only_later(bench: Bench) -> None:
    for number in range(4):
        bench.incident(incident(f"i{number}", number, "device.tamper", attributable=number != 3))
    assert ledger(bench)[-1] == ("i3", -20, "reversed", "not_attributable")
    bench.incident(incident("i0", 0, "device.tamper", attributable=False))
    assert ledger(bench)[0] == ("i0", -20, "reversed", "not_attributable")
    bench.incident(incident("i0", 0, "device.tamper", attributable=True))
    assert ledger(bench)[0][2] == "reversed"


def test_leave_that_is_approved_afterwards_reverses_and_a_refused_one_does_not(bench: Bench) -> None:
    bench.incident(incident("i0", 0, "passage"))
    bench.incident(incident("i1", 100, "passage"))
    leave = Leave(leave_id="l1", subject_id="s1", starts_at=at(50), ends_at=at(100), state="approved", decided_by="o2")
    bench.tell("leave-changes", leave)
    assert ledger(bench)[-1] == ("i1", -3, "confirmed", ""), "the end is not part of it"
    longer = Leave(leave_id="l2", subject_id="s1", starts_at=at(50), ends_at=at(101), state="asked")
    bench.tell("leave-changes", longer)
    assert ledger(bench)[-1][2] == "confirmed"
    bench.tell(
        "leave-changes", Leave(leave_id="l2", subject_id="s1", starts_at=at(50), ends_at=at(101), state="approved")
    )
    assert ledger(bench)[-1] == ("i1", -3, "reversed", "leave")


def test_leave_does_not_lift_a_keep_out_duty(bench: Bench) -> None:
    bench.tell(
        "leave-changes", Leave(leave_id="l1", subject_id="s1", starts_at=at(0), ends_at=at(900), state="approved")
    )
    bench.incident(incident("i1", 10, evidence={"rule": "keep_out"}))
    bench.incident(incident("i2", 20, evidence={"rule": "keep_out"}))
    assert [state for _, _, state, _ in ledger(bench)] == ["confirmed", "confirmed"]


def test_what_a_machine_thinks_of_an_identity_counts_only_once_confirmed(bench: Bench) -> None:
    bench.incident(incident("i1", 0, "identity.doubtful"))
    assert ledger(bench) == [("i1", -10, "provisional", "")]
    assert (score(bench).points, score(bench).points_if_confirmed) == (100, 90)
    bench.command(command("score.confirm", 60, entry_id=entry_id_of("s1", "i1")))
    assert ledger(bench) == [("i1", -10, "confirmed", "")]
    assert score(bench).points == 90


@pytest.mark.parametrize(
    ("type_", "state", "cause", "points"),
    [("identity.refuted", "confirmed", "", 90), ("identity.confirmed", "reversed", "identity_confirmed", 100)],
)
def test_the_video_check_settles_the_doubt(bench: Bench, type_: str, state: str, cause: str, points: int) -> None:
    bench.incident(incident("i1", 0, "identity.doubtful"))
    bench.incident(incident("i2", 60, type_, evidence={"settles": "i1"}))
    assert ledger(bench) == [("i1", -10, state, cause)]
    assert score(bench).points == points


def test_an_appeal_is_contested_by_the_person_and_decided_by_another_officer(bench: Bench) -> None:
    entry = entry_id_of("s1", "i1")
    bench.incident(incident("i1", 0, "device.tamper"))
    bench.command(command("score.contest", 10, entry_id=entry, by="s1", role="subject", reason="it fell off"))
    assert ledger(bench) == [("i1", -20, "appealed", "")]
    assert (score(bench).points, score(bench).appealed) == (80, 20), "it counts until it is decided"
    bench.command(command("score.decide", 20, entry_id=entry, decision="reverse", reason="the strap was worn"))
    assert ledger(bench) == [("i1", -20, "reversed", "appeal")]
    assert score(bench).points == 100


def test_an_upheld_appeal_cannot_be_brought_again(bench: Bench) -> None:
    entry = entry_id_of("s1", "i1")
    bench.incident(incident("i1", 0, "device.tamper"))
    bench.command(command("score.contest", 10, entry_id=entry, by="s1", role="subject", reason="no"))
    bench.command(command("score.decide", 20, entry_id=entry, decision="uphold", reason="photograph"))
    said = bench.command(command("score.contest", 30, entry_id=entry, by="s1", role="subject", reason="no!"))
    assert ledger(bench) == [("i1", -20, "upheld", "")]
    assert [(one.outcome, one.code) for one in messages(said, CommandResult)] == [("refused", "wrong_state")]


def test_whoever_confirmed_does_not_decide_the_appeal(bench: Bench) -> None:
    entry = entry_id_of("s1", "i1")
    bench.incident(incident("i1", 0, "identity.doubtful"))
    bench.command(command("score.confirm", 5, entry_id=entry))
    bench.command(command("score.contest", 10, entry_id=entry, by="s1", role="subject", reason="it was me"))
    said = bench.command(command("score.decide", 20, entry_id=entry, decision="uphold", reason="sure"))
    assert messages(said, CommandResult)[0].code == "same_person"
    said = bench.command(command("score.decide", 30, entry_id=entry, by="o2", decision="uphold", reason="sure"))
    assert messages(said, CommandResult)[0].outcome == "done"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"role": "analyst"}, "no_authority"),
        ({"agency": "police"}, "other_agency"),
        ({"agency": ""}, "other_agency"),
        ({"role": "device"}, "no_authority"),
    ],
)
def test_a_command_without_authority_is_refused_and_moves_nothing(
    bench: Bench, fields: dict[str, str], code: str
) -> None:
    bench.incident(incident("i1", 0, "device.tamper"))
    said = bench.command(command("score.reverse", 10, entry_id=entry_id_of("s1", "i1"), reason="x", **fields))
    assert [(one.outcome, one.code) for one in messages(said, CommandResult)] == [("refused", code)]
    assert ledger(bench) == [("i1", -20, "confirmed", "")]


def test_nobody_contests_for_somebody_else(bench: Bench) -> None:
    bench.incident(incident("i1", 0, "device.tamper"))
    contest = command("score.contest", 10, entry_id=entry_id_of("s1", "i1"), by="s2", role="subject", reason="x")
    assert messages(bench.command(contest), CommandResult)[0].code == "no_authority"


def test_the_same_command_twice_is_one(bench: Bench) -> None:
    bench.incident(incident("i1", 0, "device.tamper"))
    reverse = command("score.reverse", 10, entry_id=entry_id_of("s1", "i1"), reason="x")
    assert len(bench.command(reverse)) > 0
    assert bench.command(reverse) == []


def test_a_command_about_an_entry_that_is_not_there_yet_waits_for_it(bench: Bench) -> None:
    reverse = command("score.reverse", 10, entry_id=entry_id_of("s1", "i1"), reason="x")
    assert [one.outcome for one in messages(bench.command(reverse), CommandResult)] == ["waiting"]
    said = bench.incident(incident("i1", 0, "device.tamper"))
    assert [one.outcome for one in messages(said, CommandResult)] == ["done"]
    assert ledger(bench) == [("i1", -20, "reversed", "officer")]


def test_clean_weeks_pay_back_oldest_first_and_a_week_with_a_deduction_does_not(bench: Bench) -> None:
    bench.incident(incident("i0", 0))
    bench.incident(incident("i1", 60))  # -6 on Monday
    bench.incident(incident("i2", 8 * DAY, "device.power_off"))
    bench.pass_time(at(28 * DAY))
    restored = [one for one in standing_lines(messages(bench.said, ScoreEntry)) if one.kind == "restoration"]
    monday = [f"{one.occurred_at:%a %H:%M} {one.points}" for one in restored]
    assert monday == ["Sun 16:00 2", "Sun 16:00 2", "Sun 16:00 2"], "midnight in Shanghai; a warning is no deduction"
    assert {one.restores for one in restored} == {entry_id_of("s1", "i1")}
    assert score(bench).points == 100


def test_points_given_back_leave_the_window_with_their_deduction(bench: Bench) -> None:
    bench.incident(incident("t", 0, "device.tamper"))
    bench.pass_time(at(89 * DAY))
    assert score(bench).points == 100 - 20 + 20
    bench.incident(incident("u", 89 * DAY, "device.tamper"))
    assert score(bench).points == 80
    bench.pass_time(at(90 * DAY + 1))
    assert score(bench).points == 80, "the first deduction and what was paid back of it are gone together"


def test_a_late_breach_makes_a_clean_week_unclean_again(bench: Bench) -> None:
    bench.incident(incident("t", 0, "device.tamper"))
    bench.pass_time(at(14 * DAY))
    assert score(bench).points == 82
    said = bench.incident(incident("u", 9 * DAY, "device.tamper", late=True), at(14 * DAY))
    taken = [(one.kind, one.state, one.cause) for one in messages(said, ScoreEntry)]
    assert ("restoration", "reversed", "recomputed") in taken
    assert score(bench).points == 60


def test_a_deduction_leaves_the_window_by_itself(bench: Bench) -> None:
    book = casebook("s1")
    bench = Bench(keyed(decide, Books, book))
    bench.incident(incident("t", 0, "device.tamper"))
    bench.incident(incident("u", DAY, "device.tamper"))
    bench.pass_time(at(200 * DAY))
    assert score(bench).points == 100
    assert bench.core.next_wake() is None, "nothing is left to wait for"


def test_colours_and_what_they_mean(bench: Bench) -> None:
    for number in range(3):
        bench.incident(incident(f"t{number}", number * DAY, "device.tamper"))
    seen = [(one.points, one.colour, one.meaning.task) for one in messages(bench.said, Score)]
    assert seen == [(80, "green", ""), (60, "yellow", ""), (40, "red", "measure_review")]


def test_nobody_is_judged_by_a_rule_that_came_later() -> None:
    book = casebook("s1")
    bench = Bench(keyed(decide, Books, book))
    body = {
        "version": "v2", "window_days": 90, "yellow_below": 80, "red_below": 60,
        "clauses": {"tamper": {"types": ["device.tamper"], "points": 50}},
    }  # fmt: skip
    learn(book, "rules", RuleSet(rule_set_id="score/v2", part="score", version="v2", effective_from=at(100), body=body))
    bench.incident(incident("t1", 200, "device.tamper"))
    bench.incident(incident("t0", 99.999, "device.tamper", late=True), at(300))
    entries = standing_lines(messages(bench.said, ScoreEntry))
    assert [(one.rule_version, one.points) for one in entries] == [("default-1", -20), ("v2", -50)]


def test_a_change_of_clocks_makes_one_day_of_the_long_night() -> None:
    """In Berlin the night to 25 October 2026 has 02:30 twice; both are on the same local day, under one cap."""
    bench = Bench(keyed(decide, Books, casebook("s1", time_zone="Europe/Berlin")))
    for number, text in enumerate(
        ["2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T22:59:59Z"]
    ):
        bench.incident(incident(f"i{number}", (parse(text) - START).total_seconds()), START)
    bench.incident(incident("i4", (parse("2026-10-25T23:00:00Z") - START).total_seconds()), START)
    entries = standing_lines(messages(bench.said, ScoreEntry))
    days = [(one.local_day, one.points) for one in entries if one.kind != "restoration"]
    assert days == [("2026-10-25", 0), ("2026-10-25", -6), ("2026-10-25", -6), ("2026-10-25", 0), ("2026-10-26", -6)]


def test_books_of_long_ago_are_closed_and_late_data_no_longer_opens_them(bench: Bench) -> None:
    bench.incident(incident("t0", 0, "device.tamper"))
    bench.incident(incident("t1", 150 * DAY, "device.tamper"))
    before = len(bench.said)
    bench.incident(incident("t2", 60, "device.tamper", late=True), at(150 * DAY + 5))
    assert len(bench.said) == before
    said = bench.command(command("score.reverse", 151 * DAY, entry_id=entry_id_of("s1", "t0"), reason="x"))
    assert messages(said, CommandResult)[0].code == "books_closed"


def test_years_of_history_keep_the_state_small(bench: Bench) -> None:
    for week in range(160):
        bench.incident(incident(f"t{week}", week * 7 * DAY, "device.tamper"))
    books = bench.core["s1"]  # type: ignore[index]
    assert len(books.facts.deeds) < 20
    assert len(books.entries) < 80
    assert score(bench).as_of == instant(START + timedelta(days=159 * 7))
