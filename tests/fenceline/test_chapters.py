"""One person's story: told once each, of that person only, and it is known what has not come yet."""

from datetime import UTC, datetime

import msgspec

from fenceline.demo.chapters import CHAPTERS, Chapters
from fenceline.demo.office import JUSTICE, OFFICER, PATROL, POLICE, Office
from schemas.alert import Alert
from schemas.command import AcceptTask, AcknowledgeAlert, Command, CreateTask
from schemas.score import Score
from schemas.task import Task
from schemas.times import instant

NOW = instant(datetime(2026, 11, 23, 12, tzinfo=UTC))


def alert(event: str, state: str = "open", **fields: object) -> Alert:
    plain = Alert(
        alert_id="a1",
        change_id="c1",
        seq=1,
        event="raised",
        state="open",
        at=NOW,
        subject_id="s1",
        agency=JUSTICE,
        rule="breach",
        severity="high",
        incident_type="breach.opened",
        fence_name="Lakeside school",
        raised_at=NOW,
        first_occurred_at=NOW,
        last_occurred_at=NOW,
    )
    return msgspec.structs.replace(plain, event=event, state=state, **fields)


def task(event: str = "created", **fields: object) -> Task:
    plain = Task(
        task_id="t1",
        change_id="c1",
        seq=1,
        event="created",
        state="open",
        at=NOW,
        subject_id="s1",
        kind="visit",
        agency=POLICE,
        created_at=NOW,
        created_by=OFFICER,
    )
    return msgspec.structs.replace(plain, event=event, **fields)


def score(points: int) -> Score:
    return Score(subject_id="s1", points=points, points_if_confirmed=points, colour="green", as_of=NOW, window_days=90)


def test_a_story_is_told_line_by_line_to_its_end() -> None:
    story = Chapters("s1", "2026-0001")
    assert story.untold() == CHAPTERS
    lines = [
        story.alert_seen(alert("raised")),
        story.sms_seen("+8613800000001", "Fence broken. Case 2026-0001, home, since 20:00."),
        story.push_seen("Fence broken", "Case 2026-0001, home, since 20:00."),
        story.alert_seen(alert("acknowledged", acknowledged_by=OFFICER)),
        story.score_seen(score(91)),
        story.task_seen(task()),
        story.task_seen(task("accepted", owner=PATROL)),
    ]
    assert None not in lines
    assert lines[1] == f"SMS to {OFFICER}: Fence broken. Case 2026-0001, home, since 20:00."
    assert story.told() == CHAPTERS
    assert story.untold() == ()


def test_nothing_is_told_twice_nor_of_others() -> None:
    story = Chapters("s1", "2026-0001")
    assert story.alert_seen(alert("raised")) is not None
    assert story.alert_seen(alert("raised")) is None
    assert story.alert_seen(alert("raised", subject_id="s2", alert_id="a2")) is None
    assert story.sms_seen("+86", "Case 2026-00012, elsewhere") is None
    assert story.score_seen(score(100)) is None
    assert story.told() == ("alert",)


async def test_the_office_acts_once_on_what_it_is_told() -> None:
    """Acknowledged when delivered, the police asked for one visit however many alerts there are; acts have ids."""
    given: list[Command] = []

    async def give(command: Command) -> None:
        given.append(command)

    office = Office("s1", give, looks_after_s=0)
    await office.alert_seen(alert("raised"))
    assert given == []
    await office.alert_seen(alert("delivered"))
    await office.alert_seen(alert("delivered"))
    await office.alert_seen(alert("delivered", alert_id="a2"))
    await office.alert_seen(alert("delivered", subject_id="s2", alert_id="a3"))
    await office.task_seen(task())
    await office.task_seen(task("reminded"))
    assert [type(one) for one in given] == [AcknowledgeAlert, CreateTask, AcknowledgeAlert, AcceptTask]
    assert len({one.command_id for one in given}) == 4
