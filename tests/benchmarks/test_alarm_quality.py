"""The benchmark of alarms counts what it says, and its simulated receivers err as stated."""

import math

import numpy as np
import pytest
import shapely

from benchmarks.alarm_quality import people
from benchmarks.alarm_quality.ours import fenceline
from benchmarks.alarm_quality.peers import PEERS
from benchmarks.alarm_quality.receivers import CLASSES, Reports, report
from benchmarks.alarm_quality.score import Alarm, reliability, score, summary
from benchmarks.alarm_quality.tile38 import drawn as drawn_for_tile38
from benchmarks.alarm_quality.world import Episode, degrees, depths, episodes

FIXES = np.arange(0.0, 90_000.0, 15.0)
OUT = Episode("home", 1000.0, 2000.0, 400.0)
SHORT = Episode("home", 5000.0, 5060.0, 30.0)


def alarm(occurred_s, detected_s, over_s=math.inf, confidence=0.99):
    return Alarm("home", occurred_s, detected_s, over_s, confidence)


def told(*alarms, truth=(OUT, SHORT), sent=FIXES):
    return score(1.0, truth, alarms, sent)


def test_an_alarm_in_a_true_breach_finds_it_with_its_delay_and_the_error_of_its_crossing():
    mine = told(alarm(1003.0, 1040.0))
    assert (mine.due, mine.found, mine.false, mine.repeats) == (1, 1, 0, 0)
    assert (mine.delays_s, mine.errors_s) == ([40.0], [3.0])


def test_a_short_or_shallow_breach_is_not_due_but_an_alarm_of_it_is_not_false():
    mine = told(alarm(1000.0, 1030.0), alarm(5005.0, 5030.0))
    assert (mine.due, mine.false) == (1, 0)


def test_an_alarm_of_no_breach_is_false_and_a_second_of_one_is_a_repeat():
    mine = told(alarm(1000.0, 1030.0, 1300.0), alarm(1310.0, 1400.0), alarm(8000.0, 8030.0))
    assert (mine.found, mine.false, mine.repeats) == (1, 1, 1)
    assert [pair[1] for pair in mine.sure] == [True, True, False]


def test_an_alarm_after_the_breach_does_not_find_it():
    assert told(alarm(1990.0, 2061.0)).found == 0
    assert told().wrong == [OUT]


def test_a_false_alarm_that_stands_when_a_breach_begins_finds_it():
    assert told(alarm(500.0, 530.0, 1500.0)).delays_s == [0.0]
    assert told(alarm(500.0, 530.0, 900.0)).found == 0


def test_a_breach_nobody_sent_fixes_from_is_not_due():
    assert told(sent=FIXES[(FIXES < 1001) | (FIXES > 1990)]).due == 0


def test_figures_carry_intervals_over_devices():
    some = [told(alarm(1000.0, 1020.0 + n)) for n in range(20)] + [told(alarm(9000.0, 9001.0)) for _ in range(5)]
    figures = summary(some)
    assert figures["recall"]["value"] == 0.8
    assert figures["recall"]["low"] < 0.8 < figures["recall"]["high"] < 1
    assert figures["false_per_device_day"]["value"] == 0.2
    assert figures["delay_median_s"]["value"] == pytest.approx(29.5)
    assert [row["true_share"] for row in reliability(some)] == [0.8]


def test_without_any_false_alarm_the_upper_limit_is_three_over_the_days():
    assert summary([told(alarm(1000.0, 1030.0))] * 10)["false_per_device_day"]["high"] == 0.3


@pytest.fixture
def walk_out():
    """Reports every 15 s whose depth rises from -100 m to 100 m; a fix of 300 m in between."""
    t = np.arange(0.0, 300.0, 15.0)
    depth = np.linspace(-100, 100, len(t))
    depth[3] = 300.0
    claim = np.full(len(t), 5.0)
    claim[10] = 80.0
    return Reports(t, depth, np.zeros_like(t), claim, t), depth


def test_peers_judge_as_they_are_described(walk_out):
    reports, depth = walk_out
    first = {way: [one.detected_s for one in judge("home", reports, depth)] for way, judge in PEERS.items()}
    assert first["naive"] == [45.0, 150.0]
    assert first["accuracy_20m"] == [45.0, 165.0]
    assert first["k_of_n"] == [210.0]


def test_receivers_err_as_their_class_says():
    still = people.Life("p", 0.0, np.zeros((400_000, 2)), np.ones(400_000, np.bool_))
    noise = CLASSES["street"]
    reports = report(still, 15, noise, 3)
    off = np.hypot(reports.x, reports.y)
    assert off[off < 100].std() > 0
    assert np.median(np.abs(reports.x[off < 100])) == pytest.approx(0.6745 * noise.indoor_m, rel=0.15)
    thrown = off > 110
    assert 0.5 * noise.throw_rate < thrown.mean() < 3 * noise.throw_rate
    assert off[thrown].max() < 450
    assert (reports.accuracy_m[thrown] <= 6).all()
    assert (np.diff(reports.t) < 0).any(), "some come out of order"
    assert (np.diff(np.sort(reports.t)) == 0).any(), "some come twice"


def test_true_crossings_lie_between_the_seconds():
    life = people.Life("p", 1000.0, np.stack([np.arange(-50, 50.0) + 0.25, np.zeros(100)], axis=1), np.zeros(100, bool))
    zone = people.Zone("home", False, np.array([[-900, -900], [0.5, -900], [0.5, 900], [-900, 900], [-900, -900.0]]))
    (only,) = episodes(life, zone)
    assert only.start_s == pytest.approx(1050.25, abs=0.01)
    assert only.deepest_m == pytest.approx(48.75)
    assert (depths(zone, life.places) > 0).sum() == 49


def test_some_days_of_simulated_people_are_judged_better_than_by_every_fix():
    lives = [people.live(seed) for seed in range(42, 50)]
    devices = [(life, report(life, 60, CLASSES["street"], n)) for n, life in enumerate(lives)]
    opened, _ = fenceline(devices)
    ours, naive = [], []
    for life, reports in devices:
        truth = [one for zone in life.zones for one in episodes(life, zone)]
        alarms = []
        for zone in life.zones:
            alarms += PEERS["naive"](f"{life.name}-{zone.name}", reports, depths(zone, reports.places))
        ours.append(score(1.0, truth, opened[life.name], reports.t))
        naive.append(score(1.0, truth, alarms, reports.t))
    figures = summary(ours)
    assert figures["breaches"] >= 20
    assert figures["recall"]["value"] >= 0.95
    assert sum(one.false for one in ours) <= 2
    assert sum(one.false for one in naive) > 50


def test_tile38_is_given_zones_where_they_are_and_lines_as_wide_as_they_are():
    life = people.live(42)
    spots = np.random.default_rng(1).uniform(-2000, 2000, (400, 2))
    lat, lon = degrees(spots).T
    for zone in life.zones:
        drawn = shapely.geometry.shape(drawn_for_tile38(zone))
        assert drawn.is_valid
        inside = shapely.contains_xy(drawn, lon, lat)
        depth = depths(zone, spots)
        sure = np.abs(depth) > 1
        assert ((inside == zone.keep_out)[sure] == (depth > 0)[sure]).all()
