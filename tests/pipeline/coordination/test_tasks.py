"""Tasks: made by rule or by people, owned by an agency until done, declined or handed over; leave asked and decided."""

from typing import Any

import pytest

from pipeline.casebook import Casebook
from pipeline.coordination.decide import Cabinet, decide
from schemas.command import CommandResult
from schemas.reference import Leave
from schemas.roster import Roster, Shift
from schemas.score import ColourMeaning, Score, ScoreEntry
from schemas.task import Task
from tests.support.office import Bench, at, casebook, command, incident, keyed, learn, messages

DAY = 86400


@pytest.fixture
def book() -> Casebook:
    made = casebook("s1")
    for agency in ("justice", "police"):
        for audience in ("officer", "supervisor"):
            shift = Shift(people=(f"{agency}-{audience}",))
            learn(
                made,
                "rosters",
                Roster(roster_id=f"{agency}/{audience}", agency=agency, audience=audience, shifts=(shift,)),
            )
    return made


@pytest.fixture
def bench(book: Casebook) -> Bench:
    return Bench(keyed(decide, Cabinet, book))


def course(bench: Bench) -> list[tuple[str, str, list[str]]]:
    return [(one.event, one.state, [notice.recipient for notice in one.tell]) for one in messages(bench.said, Task)]


def created(bench: Bench, **fields: Any) -> str:
    """A task that officer o1 of justice asks the police for; its id."""
    known = {"task_kind": "visit", "to_agency": "police", "due_at": str(at(DAY)), "title": "Look whether he is at home"}
    bench.command(command("task.create", 0, **{**known, **fields}))
    return messages(bench.said, Task)[-1].task_id


def police(kind: str, seconds: float, task_id: str, **fields: Any) -> dict[str, Any]:
    return command(kind, seconds, task_id=task_id, **{"agency": "police", "by": "p1", **fields})


def results(said: list[Any]) -> list[tuple[str, str]]:
    return [(one.outcome, one.code) for one in messages(said, CommandResult)]


def test_a_task_is_asked_for_received_accepted_and_done(bench: Bench) -> None:
    task_id = created(bench)
    for number, one in enumerate(
        [
            police("task.receive", 10, task_id),
            police("task.accept", 20, task_id),
            police("task.done", 30, task_id, outcome="at home"),
        ]
    ):
        assert results(bench.command(one)) == [("done", "")], number
    bench.pass_time(at(10 * DAY))
    assert course(bench) == [
        ("created", "open", ["police-officer"]),
        ("received", "received", []),
        ("accepted", "accepted", []),
        ("done", "done", []),
    ]
    task = messages(bench.said, Task)[-1]
    assert (task.owner, task.outcome, task.from_agency, task.created_by) == ("p1", "at home", "justice", "o1")
    assert (task.received_at, task.accepted_at, task.closed_at) == (at(10), at(20), at(30))


def test_nobody_does_it_and_it_goes_up_twice_and_no_further(bench: Bench) -> None:
    created(bench)
    bench.pass_time(at(20 * DAY))
    assert course(bench) == [
        ("created", "open", ["police-officer"]),
        ("reminded", "open", ["police-officer"]),
        ("escalated", "open", ["police-supervisor"]),
        ("escalated", "open", [""]),
    ]
    assert [one.at for one in messages(bench.said, Task)] == [at(0), at(DAY - 3600), at(DAY), at(2 * DAY)]


def test_handing_over_asks_the_next_agency_anew_and_keeps_the_due_time(bench: Bench) -> None:
    task_id = created(bench)
    bench.command(police("task.accept", 10, task_id))
    bench.command(police("task.hand_over", 20, task_id, to_agency="justice", reason="not our district"))
    task = messages(bench.said, Task)[-1]
    assert (task.event, task.state, task.agency, task.from_agency, task.owner, task.due_at) == (
        "handed_over", "open", "justice", "police", "", at(DAY),
    )  # fmt: skip
    assert [one.recipient for one in task.tell] == ["justice-officer"]
    assert results(bench.command(police("task.accept", 30, task_id))) == [("refused", "other_agency")]
    assert results(bench.command(command("task.accept", 31, task_id=task_id))) == [("done", "")]


def test_declining_needs_a_reason_and_tells_whoever_asked(bench: Bench) -> None:
    task_id = created(bench)
    assert bench.command({**police("task.decline", 5, task_id), "reason": ""}) == [], "the audit agent rejects it"
    bench.command(police("task.decline", 10, task_id, reason="no car"))
    task = messages(bench.said, Task)[-1]
    assert (task.state, task.reason, [one.recipient for one in task.tell]) == (
        "declined",
        "no car",
        ["justice-supervisor"],
    )
    bench.pass_time(at(10 * DAY))
    assert messages(bench.said, Task)[-1] == task, "a closed task reminds nobody"


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (("task.done", {"outcome": "x"}), "wrong_state"),
        (("task.accept", {"role": "analyst"}), "no_authority"),
        (("task.accept", {"role": "subject", "by": "s1"}), "no_authority"),
        (("task.accept", {"agency": "court"}), "other_agency"),
        (("task.accept", {"task_id": "none"}), "unknown_task"),
        (("task.cancel", {"agency": "court", "reason": "x"}), "other_agency"),
    ],
)
def test_who_may_not_is_refused_with_a_reason(bench: Bench, one: tuple[str, dict[str, str]], code: str) -> None:
    kind, fields = one
    said = bench.command(police(kind, 10, **{"task_id": created(bench), **fields}))
    assert results(said) == [("refused", code)]
    assert not messages(said, Task)


def test_what_one_has_accepted_another_does_not_finish_but_a_supervisor_may(bench: Bench) -> None:
    task_id = created(bench)
    bench.command(police("task.accept", 10, task_id))
    assert results(bench.command(police("task.done", 20, task_id, by="p2", outcome="x"))) == [("refused", "not_owner")]
    boss = police("task.done", 30, task_id, by="p9", role="supervisor", outcome="x")
    assert results(bench.command(boss)) == [("done", "")]


def test_whoever_asked_may_cancel_also_after_a_hand_over(bench: Bench) -> None:
    task_id = created(bench)
    bench.command(police("task.accept", 10, task_id))
    bench.command(police("task.hand_over", 20, task_id, to_agency="court", reason="x"))
    assert results(bench.command(command("task.cancel", 30, task_id=task_id, reason="he is here"))) == [("done", "")]


def test_a_due_time_that_has_passed_already_escalates_at_once(bench: Bench) -> None:
    created(bench, due_at=str(at(-100)))
    bench.pass_time(at(5))
    assert [event for event, _, _ in course(bench)] == ["created", "escalated"]


def test_a_doubtful_check_in_makes_a_video_check_which_its_outcome_closes(bench: Bench) -> None:
    bench.incident(incident("i1", 0, "identity.doubtful"))
    bench.incident(incident("i2", 10, "identity.doubtful"))
    bench.pass_time(at(301))
    bench.incident(incident("i3", 600, "identity.confirmed", evidence={"settles": "i1"}))
    assert [(one.event, one.kind, one.incident_id) for one in messages(bench.said, Task)] == [
        ("created", "video_check", "i1"),
        ("reminded", "video_check", "i1"),
        ("done", "video_check", "i1"),
    ]
    assert messages(bench.said, Task)[-1].outcome == "identity.confirmed"


def test_three_faults_within_a_week_ask_for_another_device_and_two_do_not(bench: Bench) -> None:
    for number, day in enumerate([0, 8, 9]):
        bench.incident(incident(f"i{number}", day * DAY, "device.stuck"))
    assert course(bench) == []
    bench.incident(incident("i3", 10 * DAY, "device.battery_low"))
    assert [one.kind for one in messages(bench.said, Task)] == ["device_exchange"]


def entry(state: str, **fields: Any) -> ScoreEntry:
    known = {"entry_id": "e1", "subject_id": "s1", "agency": "justice", "kind": "deduction", "points": -10, "rule": "x",
             "rule_version": "v1", "occurred_at": at(0), "local_day": "2026-11-23", "incident_id": "i1"}  # fmt: skip
    return ScoreEntry(**{**known, "state": state, **fields})  # type: ignore[arg-type]


def test_a_provisional_entry_is_reviewed_and_an_appeal_goes_to_a_supervisor(bench: Bench) -> None:
    bench.tell("score-entries", entry("provisional"), at(0))
    bench.tell("score-entries", entry("provisional"), at(1))
    bench.tell("score-entries", entry("confirmed", settled_by="o1", settled_id="c1"), at(2))
    bench.tell("score-entries", entry("appealed", settled_by="s1", settled_id="c2"), at(3))
    bench.tell("score-entries", entry("upheld", settled_by="o2", settled_id="c3"), at(4))
    assert [(one.kind, one.role, one.event, one.outcome) for one in messages(bench.said, Task)] == [
        ("entry_review", "officer", "created", ""),
        ("entry_review", "officer", "done", "confirmed"),
        ("appeal_decision", "supervisor", "created", ""),
        ("appeal_decision", "supervisor", "done", "upheld"),
    ]


def score(points: int, seconds: float) -> Score:
    colour = "red" if points < 60 else "green"
    meaning = ColourMeaning(task="measure_review" if colour == "red" else "")
    return Score(subject_id="s1", agency="justice", points=points, points_if_confirmed=points, colour=colour,
                 as_of=at(seconds), window_days=90, meaning=meaning)  # type: ignore[arg-type]  # fmt: skip


def test_red_asks_a_human_for_a_review_once_and_does_nothing_else(bench: Bench) -> None:
    for number, points in enumerate([70, 55, 50, 90, 40]):
        bench.tell("scores", score(points, number), at(number))
    assert {one.topic for one in bench.said} == {"tasks"}
    assert [(one.kind, one.details["points"]) for one in messages(bench.said, Task)] == [("measure_review", 55)]
    review = messages(bench.said, Task)[-1].task_id
    for kind, more in (("task.accept", {}), ("task.done", {"outcome": "stays"})):
        bench.command(command(kind, 10, task_id=review, **more))
    bench.tell("scores", score(90, 20), at(20))
    bench.tell("scores", score(30, 30), at(30))
    assert messages(bench.said, Task)[-1].event == "created", "red again after it was green is a new question"


def test_leave_is_asked_by_the_person_and_decided_by_an_officer(bench: Bench) -> None:
    ask = command(
        "leave.ask", 0, by="s1", role="subject", starts_at=str(at(DAY)), ends_at=str(at(2 * DAY)), reason="funeral"
    )
    asked = messages(bench.command(ask), Leave)
    assert [(one.state, one.reason) for one in asked] == [("asked", "funeral")] * 2
    assert {one.topic for one in bench.said} == {"leaves", "leave-changes", "command-results", "tasks"}
    leave_id = asked[0].leave_id
    itself = command("leave.decide", 1, by="s1", role="subject", leave_id=leave_id, decision="approve")
    assert results(bench.command(itself)) == [("refused", "no_authority")]
    said = bench.command(command("leave.decide", 2, leave_id=leave_id, decision="approve"))
    assert {(one.state, one.decided_by) for one in messages(said, Leave)} == {("approved", "o1")}
    assert [(one.kind, one.event, one.outcome) for one in messages(said, Task)] == [
        ("leave_decision", "done", "approved")
    ]
    for one in messages(said, Leave)[:1]:
        assert bench.tell("leave-changes", one) == [], "its own word comes back and changes nothing"
    withdrawn = bench.command(command("leave.withdraw", 3, by="s1", role="subject", leave_id=leave_id))
    assert {one.state for one in messages(withdrawn, Leave)} == {"withdrawn"}


@pytest.mark.parametrize(
    "fields",
    [
        {"starts_at": str(at(10)), "ends_at": str(at(10))},
        {"starts_at": str(at(0)), "ends_at": str(at(10)), "region": {"type": "Polygon", "coordinates": []}},
    ],
)
def test_a_leave_that_makes_no_sense_is_refused_with_the_reason(bench: Bench, fields: dict[str, Any]) -> None:
    said = bench.command(command("leave.ask", 0, by="s1", role="subject", **fields))
    assert results(said) == [("refused", "unusable")]
    assert not messages(said, Leave)


def test_a_transfer_from_stage_to_stage_can_be_carried_by_a_task(bench: Bench) -> None:
    details = {"from_stage": "pre-trial", "to_stage": "probation", "documents": ["order-17"]}
    created(bench, task_kind="transfer", to_agency="court", details=details)
    task = messages(bench.said, Task)[-1]
    assert (task.kind, task.agency, task.details) == ("transfer", "court", details)


def test_timers_survive_a_restart_and_fire_once(book: Casebook) -> None:
    steady, broken = Bench(keyed(decide, Cabinet, book)), Bench(keyed(decide, Cabinet, book))
    for bench in (steady, broken):
        created(bench)
        for hour in range(0, 80, 5):
            if bench is broken:
                bench.restarted(keyed(decide, Cabinet, book))
            bench.pass_time(at(hour * 3600))
    assert [one.id for one in broken.said] == [one.id for one in steady.said]
    assert len({notice.notice_id for one in messages(broken.said, Task) for notice in one.tell}) == 4


def test_the_same_request_twice_makes_one_task(bench: Bench) -> None:
    created(bench)
    assert bench.command(command("task.create", 0, task_kind="visit", to_agency="police", due_at=str(at(DAY)),
                                 title="Look whether he is at home")) == []  # fmt: skip
