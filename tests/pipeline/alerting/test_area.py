"""A whole place goes quiet: one alert for its agency, nobody's tamper behind it, nobody forgotten in it."""

import random
from typing import Any

import pytest

from pipeline.alerting.area import AreaCore
from pipeline.alerting.decide import Desk, decide
from pipeline.step import Emission
from schemas.alert import Alert, Release, Signal
from schemas.command import CommandResult
from schemas.incident import Incident
from tests.support.office import Bench, at, casebook, command, incident, keyed, messages

HOUR = 3600


class Site:
    """Subject stage and area stage beside each other, what one says told to the other at once."""

    def __init__(self) -> None:
        self.book = casebook()
        self.persons = Bench(keyed(decide, Desk, self.book))
        self.area = Bench(AreaCore(self.book))
        self.said: list[Emission] = []

    def route(self, emissions: list[Emission]) -> list[Emission]:
        """Hand what was said to whoever reads it, until nothing more is said; all of it."""
        todo, all_said = list(emissions), []
        while todo:
            one = todo.pop(0)
            all_said.append(one)
            if one.topic == "alert-signals":
                todo += self.area.tell(one.topic, one.message, key=one.key)
            elif one.topic == "alert-releases":
                todo += self.persons.tell(one.topic, one.message, key=one.key)
        self.said += all_said
        return all_said

    def happen(self, one: Incident) -> list[Emission]:
        """An incident, as it is detected."""
        self.pass_time(one.detected_at)
        return self.route(self.persons.incident(one))

    def order(self, one: dict[str, Any]) -> list[Emission]:
        """A command to the area's judge."""
        return self.route(self.area.command(one))

    def pass_time(self, until: Any) -> None:
        """Let both stages' timers fire in their order."""
        for _ in range(10_000):
            due = min(
                (core.next_wake() for core in (self.persons.core, self.area.core) if core.next_wake()), default=None
            )
            if due is None or due > until:
                break
            self.route(self.persons.pass_time(due))
            self.route(self.area.pass_time(due))
        self.persons.now = self.area.now = until

    def alerts(self, rule: str) -> list[Alert]:
        """The changes of alerts under one rule."""
        return [one for one in messages(self.said, Alert) if one.rule == rule]


def silent(number: int, seconds: float, **evidence: Any) -> Incident:
    place = {"lat": 30.1 + number % 100 * 0.001, "lon": 120.1, "carrier": "46000"}
    subject = f"s{number}"
    return incident(f"silent-{number}", seconds, "device.silent", subject_id=subject, evidence={**place, **evidence})


def back(number: int, seconds: float) -> Incident:
    return incident(f"back-{number}", seconds, "device.back", subject_id=f"s{number}")


@pytest.fixture
def site() -> Site:
    return Site()


def test_ten_thousand_silent_in_a_minute_are_a_handful_of_words_and_tamper_is_told_at_once(site: Site) -> None:
    rng = random.Random(7)
    moments = sorted((rng.uniform(0, 60), number) for number in range(10_000))
    told_after = {}
    for place, (seconds, number) in enumerate(moments):
        site.happen(silent(number, seconds))
        if place in (3, 2500, 9000):
            tamper = incident(f"t{place}", seconds, "device.tamper", subject_id=f"s{number}")
            said = site.happen(tamper)
            told_after[place] = [(one.event, len(one.tell)) for one in messages(said, Alert) if one.rule == "tamper"]
    site.pass_time(at(300))
    assert told_after == {place: [("raised", 1)] for place in (3, 2500, 9000)}
    outage = site.alerts("outage")
    assert len({one.alert_id for one in outage}) == 1
    assert len(site.alerts("silent")) == 0
    assert outage[-1].count == 10_000
    area = outage[-1].area
    assert area is not None
    assert (area.subjects, area.carriers, round(area.south or 0, 3), round(area.north or 0, 3)) == (
        10_000,
        {"46000": 10_000},
        30.1,
        30.199,
    )
    told = [one for one in outage if one.tell and one.event != "escalated"]
    assert [(one.event, one.count) for one in told] == [
        ("raised", 10),
        ("counted", 100),
        ("counted", 1000),
        ("counted", 10_000),
    ]
    assert len(outage) < 12


def test_nine_are_nine_persons_and_wait_no_longer_than_the_hold(site: Site) -> None:
    for number in range(9):
        site.happen(silent(number, number))
    site.pass_time(at(60))
    raised = site.alerts("silent")
    assert [one.event for one in raised] == ["raised"] * 9
    assert {(one.at - one.first_occurred_at).total_seconds() for one in raised} == {15.0}
    assert not site.alerts("outage")


def test_the_same_person_ten_times_is_no_outage(site: Site) -> None:
    for number in range(12):
        site.happen(
            incident(f"x{number}", number, "device.silent", subject_id="s1", evidence={"lat": 30.0, "lon": 120.0})
        )
    site.pass_time(at(60))
    assert not site.alerts("outage")


def test_people_far_apart_are_no_outage(site: Site) -> None:
    for number in range(30):
        far = incident(
            f"x{number}", number, "device.silent", subject_id=f"s{number}", evidence={"lat": 20 + number, "lon": 100}
        )
        site.happen(far)
    site.pass_time(at(120))
    assert not site.alerts("outage")
    assert len(site.alerts("silent")) == 30


def test_an_outage_that_was_found_upstream_needs_no_crowd(site: Site) -> None:
    for number in range(3):
        site.happen(silent(number, number, outage_id="o-1"))
    site.pass_time(at(120))
    assert [(one.event, one.count) for one in site.alerts("outage")][:2] == [("raised", 2), ("counted", 3)]
    assert not site.alerts("silent")


def test_when_most_are_back_it_is_over_and_who_is_not_gets_an_alert_of_their_own(site: Site) -> None:
    for number in range(20):
        site.happen(silent(number, number))
    for number in range(18):
        site.happen(back(number, 600 + number))
    site.pass_time(at(2 * HOUR))
    assert site.alerts("outage")[-1].state == "cleared"
    area = site.alerts("outage")[-1].area
    assert area is not None
    assert (area.subjects, area.still) == (20, 2)
    assert {one.subject_id for one in site.alerts("silent") if one.event == "raised"} == {"s18", "s19"}


def test_who_is_back_before_the_hold_is_over_was_never_anything(site: Site) -> None:
    site.happen(silent(1, 0))
    site.happen(back(1, 5))
    site.pass_time(at(HOUR))
    assert not messages(site.said, Alert)
    assert [one.over for one in messages(site.said, Signal)] == [False, True]


def test_an_outage_has_an_end_even_when_nobody_comes_back(site: Site) -> None:
    for number in range(12):
        site.happen(silent(number, number))
    site.pass_time(at(7 * HOUR))
    assert {one.subject_id for one in site.alerts("silent") if one.event == "raised"} == {f"s{n}" for n in range(12)}


def test_an_officer_acknowledges_and_resolves_an_outage(site: Site) -> None:
    for number in range(12):
        site.happen(silent(number, number))
    alert = site.alerts("outage")[0]
    about = {"subject_id": alert.subject_id, "alert_id": alert.alert_id}
    site.order(command("alert.acknowledge", 30, **about))
    wrong = site.order(command("alert.acknowledge", 31, **about, agency="court", by="o9"))
    assert messages(wrong, CommandResult)[0].code == "other_agency"
    site.pass_time(at(HOUR))
    assert "escalated" not in {one.event for one in site.alerts("outage")}
    resolve = command("alert.resolve", HOUR + 1, **about, outcome="outage", reason="the mast was struck by lightning")
    said = site.order(resolve)
    assert site.order(resolve) == [], "the same command again is no command"
    assert site.alerts("outage")[-1].outcome == "outage"
    assert len([one for one in messages(said, Release) if one.verdict == "still"]) == 12
    assert len({one.subject_id for one in site.alerts("silent")}) == 12


def test_a_later_silence_of_the_same_place_makes_an_outage_of_its_own(site: Site) -> None:
    for number in range(12):
        site.happen(silent(number, number))
    for number in range(12):
        site.happen(back(number, 600 + number))
    site.pass_time(at(2 * HOUR))
    for number in range(12):
        again = incident(
            f"again-{number}",
            3 * HOUR + number,
            "device.silent",
            subject_id=f"s{number}",
            evidence={"lat": 30.1, "lon": 120.1},
        )
        site.happen(again)
    assert len({one.alert_id for one in site.alerts("outage")}) == 2


def test_everything_is_forgotten_in_the_end(site: Site) -> None:
    for number in range(12):
        site.happen(silent(number, number))
        site.happen(back(number, 100 + number))
    site.pass_time(at(30 * 86400))
    assert len(site.persons.core) == 0  # type: ignore[arg-type]
    assert site.area.core.next_wake() is None


def test_killed_after_every_event_it_says_the_same(site: Site) -> None:
    broken = Site()
    for one in (site, broken):
        for number in range(15):
            one.happen(silent(number, number))
            if one is broken:
                one.area.restarted(AreaCore(one.book))
                one.persons.restarted(keyed(decide, Desk, one.book))
        for number in range(13):
            one.happen(back(number, 100 + number))
            if one is broken:
                one.area.restarted(AreaCore(one.book))
        one.pass_time(at(8 * HOUR))
    assert [one.id for one in broken.said] == [one.id for one in site.said]


def test_records_that_are_no_signals_are_rejected_and_harm_nothing(site: Site) -> None:
    said = site.area.tell("alert-signals", {"nonsense": 1}, key="area:justice")
    assert [one.topic for one in said] == ["alert-signals.rejected"]
