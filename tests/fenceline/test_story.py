"""The demo's last word counts what was planted, found and lost, and tells the truth about each."""

from fenceline.demo.story import Story, percentile
from schemas.fix import Fix
from schemas.incident import Incident
from schemas.times import from_epoch

PLANTED = {("s1", "home-1"), ("s2", "home-2")}


def opened(subject_id: str, fence_id: str, at_s: float, incident_id: str = "") -> Incident:
    return Incident(
        incident_id=incident_id or f"{subject_id}{fence_id}{at_s}",
        type="breach.opened",
        subject_id=subject_id,
        device_id="d",
        fence_id=fence_id,
        occurred_at=from_epoch(at_s - 5),
        detected_at=from_epoch(at_s),
    )


def seen(story: Story, at_s: float, received_at_s: float) -> None:
    fix = Fix(device_id="d", fix_time=from_epoch(at_s), lat=0.0, lon=0.0, received_at=from_epoch(received_at_s))
    story.fix_seen(fix)


def test_all_found_and_nothing_lost_is_good() -> None:
    story = Story()
    seen(story, 100, 101)
    assert story.incident_seen(opened("s1", "home-1", 100), written_at_s=101.25)
    assert story.incident_seen(opened("s2", "home-2", 100), written_at_s=101.75)
    summary = story.summary(PLANTED, {("d", 100)}, devices=2, seconds=5)
    assert (summary.breaches_found, summary.breaches_expected, summary.false_alarms) == (2, 2, 0)
    assert (summary.p50_ms, summary.p99_ms) == (250, 750)
    assert summary.good()


def test_a_missed_breach_is_not_good() -> None:
    story = Story()
    story.incident_seen(opened("s1", "home-1", 100), 101)
    assert not story.summary(PLANTED, set(), devices=2, seconds=5).good()


def test_a_fix_acknowledged_but_not_on_the_topic_is_lost() -> None:
    story = Story()
    story.opened |= PLANTED
    summary = story.summary(PLANTED, {("d", 100)}, devices=2, seconds=5)
    assert summary.fixes_lost == 1
    assert not summary.good()


def test_an_incident_twice_counts_once_and_an_unplanted_one_is_a_false_alarm() -> None:
    story = Story()
    assert story.incident_seen(opened("s9", "home-9", 100, "same"), 101)
    assert not story.incident_seen(opened("s9", "home-9", 100, "same"), 102)
    summary = story.summary(PLANTED, set(), devices=2, seconds=5)
    assert (summary.incidents, summary.false_alarms) == (1, 1)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
