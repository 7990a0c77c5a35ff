"""What a draft of the rules would have changed, breach by breach."""

from datetime import timedelta

from pipeline.whatif import Comparison, breaches, compare
from schemas.incident import Incident
from schemas.times import parse

T0 = parse("2026-11-23T09:00:00Z")


def breach(start_s: float, end_s: float | None, subject: str = "s-1", fence: str = "home") -> list[Incident]:
    def told(kind: str, second: float) -> Incident:
        at = T0 + timedelta(seconds=second)
        return Incident(
            incident_id=f"{kind}/{subject}/{fence}/{second}",
            type=kind,  # type: ignore[arg-type]
            subject_id=subject,
            fence_id=fence,
            breach_id=f"{subject}/{fence}/{start_s}",
            occurred_at=at,
            detected_at=at + timedelta(seconds=20),
        )

    opened = told("breach.opened", start_s)
    return [opened] if end_s is None else [opened, told("breach.closed", end_s)]


def kinds(comparison: Comparison) -> list[str]:
    return [change.kind for change in comparison.changes]


def test_the_same_run_changes_nothing() -> None:
    run = [*breach(0, 60), *breach(100, None)]
    assert kinds(compare(run, run)) == ["same", "same"]


def test_what_only_one_run_has() -> None:
    current, draft = [*breach(0, 60), *breach(200, 260)], [*breach(200, 260), *breach(500, 600, "s-2")]
    found = compare(current, draft)
    assert kinds(found) == ["dropped", "same", "opened"]
    assert [(t.of, t.before, t.after, t.opened, t.dropped) for t in found.by_subject] == [
        ("s-1", 2, 1, 0, 1),
        ("s-2", 0, 1, 1, 0),
    ]
    assert [(t.of, t.before, t.after) for t in found.by_fence] == [("home", 2, 2)]


def test_what_overlaps_is_the_same_breach_moved() -> None:
    found = compare(breach(0, 100), breach(30, 90))
    assert kinds(found) == ["moved"]
    assert found.by_fence[0].closed == 1


def test_a_breach_that_the_draft_never_ends() -> None:
    found = compare(breach(0, 100), breach(0, None))
    assert (kinds(found), found.by_fence[0].closed) == (["moved"], 0)


def test_a_second_is_no_change() -> None:
    assert kinds(compare(breach(0, 100), breach(0.9, 100.9))) == ["same"]


def test_one_long_breach_against_two_short_ones() -> None:
    assert kinds(compare(breach(0, 100), [*breach(10, 20), *breach(50, 60)])) == ["moved", "opened"]


def test_another_person_or_fence_is_another_breach() -> None:
    assert kinds(compare(breach(0, 100), [*breach(0, 100, "s-2"), *breach(0, 100, fence="work")])) == [
        "dropped",
        "opened",
        "opened",
    ]


def test_what_was_corrected_is_none() -> None:
    opened = breach(0, None)
    corrected = Incident(
        incident_id="c", type="breach.corrected", subject_id="s-1", fence_id="home", breach_id=opened[0].breach_id,
        occurred_at=T0, detected_at=T0,
    )  # fmt: skip
    assert breaches([*opened, corrected]) == []


def test_other_incidents_are_counted_by_type() -> None:
    silent = Incident(incident_id="x", type="device.silent", subject_id="s-1", occurred_at=T0, detected_at=T0)
    passage = Incident(incident_id="y", type="passage", subject_id="s-1", occurred_at=T0, detected_at=T0)
    assert compare([silent, passage], [passage]).others == {"device.silent": (1, 0)}


def test_nothing_against_nothing() -> None:
    assert compare([], []) == Comparison((), (), (), {})
