"""One person's alerts: raised, told, acknowledged, escalated, resolved, cleared; grouped but never hidden."""

from typing import Any

import pytest

from pipeline.alerting.decide import Desk, decide
from pipeline.casebook import Casebook
from schemas.alert import Alert, Delivery, Release, Signal
from schemas.command import CommandResult
from schemas.message import Invalid
from schemas.reference import Window
from schemas.roster import Roster, RuleSet, Shift
from schemas.times import parse
from tests.support.office import Bench, at, casebook, command, incident, keyed, learn, messages

DAY = 86400


@pytest.fixture
def book() -> Casebook:
    made = casebook("s1")
    day, night = Window(start="08:00", end="20:00"), Window(start="20:00", end="08:00")
    shifts = (
        Shift(name="day", windows=(day,), people=("o1", "o2")),
        Shift(name="night", windows=(night,), people=("n1",)),
    )
    learn(made, "rosters", Roster(roster_id="justice", agency="justice", shifts=shifts))
    everyone = (Shift(people=("boss",)),)
    learn(made, "rosters", Roster(roster_id="bosses", agency="justice", audience="supervisor", shifts=everyone))
    return made


@pytest.fixture
def bench(book: Casebook) -> Bench:
    return Bench(keyed(decide, Desk, book))


def told(alert: Alert) -> list[str]:
    return [notice.recipient or f"<{notice.audience}>" for notice in alert.tell]


def course(bench: Bench) -> list[tuple[str, str, list[str]]]:
    return [(one.event, one.state, told(one)) for one in messages(bench.said, Alert)]


def breach(bench: Bench, name: str, seconds: float, **fields: Any) -> None:
    """A breach that the area's judge said is this person's alone."""
    bench.incident(incident(name, seconds, **{"breach_id": f"b-{name}", "fence_id": "home", **fields}))
    release = Release(
        release_id=name, subject_id="s1", rule="breach", incident_id=name, verdict="alone", at=at(seconds + 5)
    )
    bench.tell("alert-releases", release, at(seconds + 5))


def closed(bench: Bench, name: str, seconds: float, type_: str = "breach.closed") -> None:
    bench.incident(incident(f"{name}/{type_}", seconds, type_, breach_id=f"b-{name}", fence_id="home"))


def test_tamper_is_told_to_everybody_on_duty_at_once_with_nothing_in_between(bench: Bench) -> None:
    said = messages(bench.incident(incident("t", 0, "device.tamper", severity="low")), Alert)
    assert [(one.event, one.state, one.severity, told(one)) for one in said] == [
        ("raised", "open", "critical", ["o1", "o2"])
    ]
    assert all(notice.urgent and notice.not_before is None for notice in said[0].tell)


@pytest.mark.parametrize("type_", ["device.tamper", "device.sos", "identity.refuted"])
def test_each_tamper_sos_or_other_person_is_an_alert_of_its_own_also_at_night_and_while_others_are_open(
    bench: Bench, type_: str
) -> None:
    breach(bench, "b", 0, severity="high")
    for number in range(5):
        said = bench.incident(incident(f"x{number}", 10 + number + 14 * 3600, type_))
        assert [one.event for one in messages(said, Alert)][-1] == "raised"
        assert all(notice.urgent for notice in messages(said, Alert)[-1].tell)
    raised = [one.alert_id for one in messages(bench.said, Alert) if one.event == "raised"]
    assert len(set(raised)) == 6


def test_the_wearer_is_told_first_and_nobody_else_when_they_come_back_in_time(bench: Bench) -> None:
    breach(bench, "b", 0)
    closed(bench, "b", 100)
    bench.pass_time(at(DAY))
    assert course(bench) == [("raised", "wearer", ["s1"]), ("cleared", "cleared", [])]


def test_officers_are_told_when_the_wearers_time_is_over_one_after_the_other(bench: Bench) -> None:
    breach(bench, "b", 0)
    bench.pass_time(at(DAY))
    assert course(bench) == [
        ("raised", "wearer", ["s1"]),
        ("told", "open", ["o1"]),
        ("escalated", "open", ["o1", "o2"]),
        ("escalated", "open", ["boss"]),
    ]
    seconds = [(one.at - at(5)).total_seconds() for one in messages(bench.said, Alert)]
    assert seconds == [0, 180, 780, 1680]
    assert [one.level for one in messages(bench.said, Alert)] == [0, 0, 1, 2]


def test_an_acknowledgement_stops_the_escalation_and_a_second_one_is_refused(bench: Bench) -> None:
    breach(bench, "b", 0, severity="high")
    alert_id = messages(bench.said, Alert)[-1].alert_id
    bench.command(command("alert.acknowledge", 60, alert_id=alert_id))
    again = bench.command(command("alert.acknowledge", 61, alert_id=alert_id, by="o2"))
    bench.pass_time(at(DAY))
    assert [event for event, _, _ in course(bench)] == ["raised", "acknowledged"]
    result = messages(again, CommandResult)[0]
    assert (result.outcome, result.code, result.reason) == ("refused", "wrong_state", "the alert is acknowledged by o1")


def test_an_alert_that_is_handed_over_is_told_to_whoever_has_it_now_and_escalates_no_further(bench: Bench) -> None:
    breach(bench, "b", 14 * 3600, severity="high")
    alert_id = messages(bench.said, Alert)[-1].alert_id
    early = bench.command(command("alert.hand_over", 14 * 3600 + 50, alert_id=alert_id, to="n2"))
    assert [(one.outcome, one.code) for one in messages(early, CommandResult)] == [("refused", "wrong_state")]
    bench.command(command("alert.acknowledge", 14 * 3600 + 60, alert_id=alert_id))
    bench.command(command("alert.hand_over", 14 * 3600 + 70, alert_id=alert_id, to="n2", reason="my shift ends"))
    bench.pass_time(at(3 * DAY))
    assert [event for event, _, _ in course(bench)] == ["raised", "acknowledged", "handed_over"]
    last = messages(bench.said, Alert)[-1]
    assert (last.by, last.acknowledged_by, last.note, told(last)) == ("o1", "n2", "my shift ends", ["n2"])
    assert last.tell[0].urgent, "whoever has it must know, whatever the hour"


def test_the_same_command_delivered_twice_is_answered_once(bench: Bench) -> None:
    breach(bench, "b", 0, severity="high")
    acknowledge = command("alert.acknowledge", 60, alert_id=messages(bench.said, Alert)[-1].alert_id)
    assert len(bench.command(acknowledge)) == 2
    assert bench.command(acknowledge) == []


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("alert.acknowledge", {"role": "analyst"}, "no_authority"),
        ("alert.acknowledge", {"role": "subject", "by": "s1"}, "no_authority"),
        ("alert.acknowledge", {"agency": "court"}, "other_agency"),
        ("alert.resolve", {"role": "agency", "outcome": "test"}, "no_authority"),
        ("alert.acknowledge", {"alert_id": "none"}, "unknown_alert"),
    ],
)
def test_who_may_not_is_refused_with_a_reason_and_nothing_changes(
    bench: Bench, kind: str, fields: dict[str, str], code: str
) -> None:
    breach(bench, "b", 0, severity="high")
    said = bench.command(command(kind, 60, **{"alert_id": messages(bench.said, Alert)[-1].alert_id, **fields}))
    assert [(one.outcome, one.code) for one in messages(said, CommandResult)] == [("refused", code)]
    assert messages(said, CommandResult)[0].reason
    assert not messages(said, Alert)


def test_a_flapping_boundary_is_one_alert_with_a_count_and_one_message(bench: Bench) -> None:
    for number in range(20):
        breach(bench, f"b{number}", number * 120, severity="high")
        closed(bench, f"b{number}", number * 120 + 60)
    alerts = messages(bench.said, Alert)
    assert len({one.alert_id for one in alerts}) == 1
    assert alerts[-1].count == 20
    assert alerts[-1].incident_ids[0] == "b0"
    assert alerts[-1].incident_ids[-1] == "b19"
    assert len(alerts[-1].incident_ids) <= 10
    assert sum(len(one.tell) for one in alerts if one.event != "escalated") == 2, "o1 and o2, once"


def test_a_breach_of_another_fence_and_one_much_later_are_other_alerts(bench: Bench) -> None:
    breach(bench, "b0", 0)
    breach(bench, "b1", 60, fence_id="school")
    closed(bench, "b0", 120)
    breach(bench, "b2", 3600)
    assert len({one.alert_id for one in messages(bench.said, Alert)}) == 3


def test_what_an_officer_took_up_yesterday_does_not_swallow_what_happens_today(bench: Bench) -> None:
    breach(bench, "b0", 0, severity="high")
    bench.command(command("alert.acknowledge", 60, alert_id=messages(bench.said, Alert)[-1].alert_id))
    closed(bench, "b0", 300)
    breach(bench, "b1", DAY, severity="high")
    assert course(bench)[-1] == ("raised", "open", ["o1", "o2"])


def test_a_higher_severity_tells_people_again_also_after_an_acknowledgement(bench: Bench) -> None:
    breach(bench, "b0", 0, severity="medium")
    bench.command(command("alert.acknowledge", 60, alert_id=messages(bench.said, Alert)[-1].alert_id))
    breach(bench, "b1", 120, severity="critical")
    last = messages(bench.said, Alert)[-1]
    assert (last.event, last.state, last.severity, last.count, told(last)) == (
        "worsened", "open", "critical", 2, ["o1", "o2"],
    )  # fmt: skip
    assert last.acknowledged_by == ""


def test_a_resolved_alert_takes_in_what_was_on_its_way_but_nothing_later(bench: Bench) -> None:
    breach(bench, "b0", 0, severity="high")
    alert_id = messages(bench.said, Alert)[-1].alert_id
    bench.command(command("alert.resolve", 60, alert_id=alert_id, outcome="true_breach", reason="called him"))
    resolved = messages(bench.said, Alert)[-1]
    assert (resolved.state, resolved.outcome, resolved.note, resolved.by) == (
        "resolved",
        "true_breach",
        "called him",
        "o1",
    )
    breach(bench, "b1", 58, severity="high")
    assert (messages(bench.said, Alert)[-1].alert_id, course(bench)[-1]) == (alert_id, ("counted", "resolved", []))
    breach(bench, "b2", 70, severity="high")
    assert messages(bench.said, Alert)[-1].alert_id != alert_id
    breach(bench, "b3", 59, severity="critical")
    assert messages(bench.said, Alert)[-1].event in ("worsened", "raised"), "a higher severity is never hidden"


def test_a_correction_clears_the_alert_and_says_why(bench: Bench) -> None:
    breach(bench, "b0", 0, severity="high")
    closed(bench, "b0", 60, "breach.corrected")
    last = messages(bench.said, Alert)[-1]
    assert (last.event, last.state, last.note) == ("cleared", "cleared", "withdrawn by later data")
    bench.pass_time(at(DAY))
    assert len(course(bench)) == 2


def test_a_breach_that_is_over_before_it_is_known_is_still_told_to_an_officer(bench: Bench) -> None:
    """A phone that was away uploads two hours at once: the breach opens and closes in the same second."""
    for one in (
        incident("b0", 0, breach_id="b", fence_id="home"),
        incident("b1", 3600, "breach.closed", breach_id="b", fence_id="home"),
    ):
        bench.incident(one, at(7200))
    assert [(event, state, names) for event, state, names in course(bench)] == [
        ("raised", "open", ["o1"]),
        ("ended", "open", []),
    ]


def test_what_cleared_by_itself_may_still_be_given_an_outcome(bench: Bench) -> None:
    breach(bench, "b", 0)
    closed(bench, "b", 100)
    alert_id = messages(bench.said, Alert)[-1].alert_id
    bench.command(command("alert.resolve", 200, alert_id=alert_id, outcome="false_alarm_gps"))
    assert messages(bench.said, Alert)[-1].outcome == "false_alarm_gps"
    bench.pass_time(at(15 * DAY))
    assert len(bench.core) == 0, "a closed alert is forgotten in the end"  # type: ignore[arg-type]


def test_quiet_hours_hold_back_what_is_not_urgent_and_the_escalation_with_it(bench: Bench) -> None:
    night = 13 * 3600  # 23:00 in Shanghai
    bench.incident(incident("c", night, "device.clock_wrong"))
    first = messages(bench.said, Alert)[0]
    assert told(first) == ["n1"]
    assert first.tell[0].not_before == parse("2026-11-23T23:00:00Z"), "seven in the morning"
    assert first.escalates_at == parse("2026-11-24T03:00:00Z"), "four hours after that, not after the night's alarm"


def test_high_severity_breaks_the_night(bench: Bench) -> None:
    breach(bench, "b", 13 * 3600, severity="high")
    assert [(told(one), one.tell[0].not_before) for one in messages(bench.said, Alert)] == [(["n1"], None)]


def test_with_nobody_on_duty_the_agency_is_told_as_such() -> None:
    bench = Bench(keyed(decide, Desk, casebook("s1", agency="police")))
    bench.incident(incident("t", 0, "device.tamper"))
    notice = messages(bench.said, Alert)[0].tell[0]
    assert (notice.agency, notice.audience, notice.recipient) == ("police", "officer", "")


def test_the_first_delivery_is_noted_once(bench: Bench) -> None:
    bench.incident(incident("t", 0, "device.tamper"))
    alert = messages(bench.said, Alert)[0]
    for number, state in enumerate(["sent", "delivered", "delivered"]):
        note = Delivery(
            subject_id="s1", notice_id=alert.tell[0].notice_id, state=state, at=at(number), alert_id=alert.alert_id
        )
        bench.tell("notifications", note, at(number))
    delivered = [one for one in messages(bench.said, Alert) if one.event == "delivered"]
    assert [one.delivered_at for one in delivered] == [at(1)]


def test_escalation_by_hand_goes_one_step_up(bench: Bench) -> None:
    breach(bench, "b", 0)
    alert_id = messages(bench.said, Alert)[-1].alert_id
    bench.command(command("alert.escalate", 10, alert_id=alert_id))
    bench.command(command("alert.escalate", 11, alert_id=alert_id))
    assert [names for _, _, names in course(bench)] == [["s1"], ["o1"], ["o1", "o2"]]


def test_silence_ends_by_itself_when_the_device_is_back(bench: Bench) -> None:
    bench.incident(incident("s", 0, "device.silent"))
    signal = messages(bench.said, Signal)[0]
    assert (signal.area_key, signal.over) == ("area:justice", False)
    bench.tell(
        "alert-releases",
        Release(release_id="r", subject_id="s1", rule="silent", incident_id="s", verdict="alone", at=at(15)),
        at(15),
    )
    bench.incident(incident("k", 60, "device.back"))
    assert [event for event, _, _ in course(bench)] == ["raised", "cleared"]


def test_what_the_areas_judge_never_answers_is_raised_all_the_same(bench: Bench) -> None:
    bench.incident(incident("s", 0, "device.silent"))
    assert course(bench) == []
    bench.pass_time(at(76))
    assert course(bench) == [("raised", "wearer", ["s1"])]


def test_an_answer_that_comes_too_late_folds_the_alert_into_the_outage(bench: Bench) -> None:
    bench.incident(incident("s", 0, "device.silent"))
    bench.pass_time(at(76))
    late = Release(
        release_id="r", subject_id="s1", rule="silent", incident_id="s", verdict="absorbed", alert_id="A", at=at(80)
    )
    bench.tell("alert-releases", late, at(80))
    assert messages(bench.said, Alert)[-1].note == "part of outage A"


def test_every_change_has_its_own_id_and_counts_on(bench: Bench) -> None:
    for number in range(8):
        breach(bench, f"b{number}", number * 300, severity="high")
        if number % 2:
            closed(bench, f"b{number}", number * 300 + 100)
    bench.pass_time(at(DAY))
    alerts = messages(bench.said, Alert)
    assert [one.seq for one in alerts] == list(range(1, len(alerts) + 1))
    assert len({one.change_id for one in alerts}) == len(alerts)
    notices = [notice.notice_id for one in alerts for notice in one.tell]
    assert len(set(notices)) == len(notices), "nobody is told the same thing twice"


def test_the_same_incident_twice_is_one(bench: Bench) -> None:
    bench.incident(incident("t", 0, "device.tamper"))
    assert bench.incident(incident("t", 0, "device.tamper")) == []


def test_timers_survive_a_restart_and_fire_once(book: Casebook) -> None:
    """After every single event the worker is killed and begins anew from its changelog."""
    steady, broken = Bench(keyed(decide, Desk, book)), Bench(keyed(decide, Desk, book))
    for bench in (steady, broken):
        breach(bench, "b", 0)
        for seconds in (100, 200, 700, 1000, 1700, 2500, 9000):
            if bench is broken:
                bench.restarted(keyed(decide, Desk, book))
            bench.pass_time(at(seconds))
    assert [one.id for one in broken.said] == [one.id for one in steady.said]
    assert [event for event, _, _ in course(broken)] == ["raised", "told", "escalated", "escalated"]


def test_rules_that_would_hold_back_an_sos_are_refused(book: Casebook) -> None:
    body = {
        "version": "v2",
        "outage": {"chain": "c"},
        "chains": {"c": [{"to": "officer", "wait_s": 60}]},
        "clauses": {"all": {"types": ["device.sos", "device.tamper", "identity.refuted"], "chain": "c"}},
    }
    rules = RuleSet(rule_set_id="alert/v2", part="alert", version="v2", effective_from=at(0), body=body)
    with pytest.raises(Invalid, match="never held back"):
        book.alert.learn(rules)
    assert book.alert.at(at(10)).version == "default-1", "what was known before stays"
