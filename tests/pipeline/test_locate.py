"""What the core of `locate` says of journeys: breaches, passages, edges, edits, late batches, what it sets aside."""

import msgspec
import numpy as np
import pytest

from pipeline.locate import LocateCore
from pipeline.step import Entry
from schemas.incident import Rejection
from schemas.message import encode
from schemas.reference import Activation, Leave
from schemas.times import from_epoch
from tests.support.cores import changes
from tests.support.journey import (
    T0,
    brief,
    circle,
    fix,
    place,
    records,
    reference,
    run,
    shaken,
    verdicts,
    walk,
)

HOME = circle("home", 150.0)
OUT_AND_BACK = ((0, 0, 0), (600, 0, 0), (800, 400, 0), (1400, 400, 0), (1600, 0, 0), (2200, 0, 0))
"""2 m/s eastward: over the line at 150 m after 675 s, back over it at 1525 s."""


def at(incident):
    return incident.occurred_at.timestamp() - T0


def settled(incident):
    return incident.detected_at.timestamp() - T0


def test_leaving_home_opens_a_breach_at_the_crossing_and_coming_home_closes_it():
    opened, closed = verdicts(run(walk(*OUT_AND_BACK), reference(HOME)))
    assert (opened.type, closed.type) == ("breach.opened", "breach.closed")
    assert at(opened) == pytest.approx(675, abs=3)
    assert at(closed) == pytest.approx(1525, abs=3)
    assert settled(opened) - at(opened) <= 35
    assert opened.breach_id == closed.breach_id
    assert (opened.subject_id, opened.activation_id, opened.device_id) == ("s-d1", "a-d1", "d1")
    assert opened.fence_version == 1
    assert opened.confidence >= 0.97
    assert closed.evidence["max_distance_m"] == pytest.approx(250, abs=15)


def test_evidence_is_enough_to_draw_the_breach():
    opened, _ = verdicts(run(walk(*OUT_AND_BACK), reference(HOME)))
    evidence = opened.evidence
    assert evidence["rule"] == "stay_in"
    assert {"fix_time", "lat", "lon", "accuracy_m", "distance_m"} <= evidence["fixes"][-1].keys()
    assert evidence["fixes"][-1]["p_outside"] == opened.confidence
    lat, lon = place(150)
    assert evidence["crossing"]["lat"] == pytest.approx(lat, abs=3e-5)
    assert evidence["crossing"]["lon"] == pytest.approx(lon, abs=1e-4)


def test_entering_a_zone_to_keep_out_of_is_a_breach_and_leaving_it_ends_it():
    zone = circle("school", 120.0, "keep_out", 400.0)
    opened, closed = verdicts(run(walk(*OUT_AND_BACK), reference(zone)))
    assert opened.evidence["rule"] == "keep_out"
    assert at(opened) == pytest.approx(740, abs=3)
    assert at(closed) == pytest.approx(1460, abs=3)
    assert opened.evidence["distance_m"] < 0


def test_each_fence_is_a_duty_of_its_own():
    fences = HOME, circle("school", 120.0, "keep_out", 400.0), circle("yard", 60.0)
    assert {(i.type, i.fence_id) for i in verdicts(run(walk(*OUT_AND_BACK), reference(*fences)))} == {
        (kind, name) for kind in ("breach.opened", "breach.closed") for name in ("home", "school", "yard")
    }


@pytest.mark.parametrize("throws", [1, 2, 3])
@pytest.mark.parametrize("away_m", [180, 400, 5000])
def test_fixes_thrown_off_open_nothing_however_good_they_claim_to_be(throws, away_m):
    fixes = shaken(walk((0, 0, 0), (3600, 0, 0)), 4.0, 1)
    for n in range(throws):
        lat, lon = place(away_m * (-1) ** n, 30.0 * n)
        fixes[100 + n] = {**fixes[100 + n], "lat": lat, "lon": lon, "accuracy_m": 3.0}
    assert brief(run(fixes, reference(HOME))) == []


def test_a_throw_onto_one_place_that_stays_opens_nothing():
    fixes = shaken(walk((0, 0, 0), (3600, 0, 0)), 4.0, 1)
    for n in range(3):
        lat, lon = place(260 + 3.0 * n)
        fixes[100 + n] = {**fixes[100 + n], "lat": lat, "lon": lon, "accuracy_m": 3.0}
    assert brief(run(fixes, reference(HOME))) == []


def test_a_day_at_rest_beside_the_line_with_a_drifting_receiver_is_quiet():
    fixes = shaken(walk((0, 135, 0), (86400, 135, 0)), 18.0, 3)
    assert brief(run(fixes, reference(HOME))) == []


def test_somebody_who_drives_off_is_noticed_with_the_second_fix_outside():
    opened = verdicts(run(walk((0, 0, 0), (900, 0, 0), (1000, 1500, 0), (1300, 1500, 0)), reference(HOME)))[0]
    assert settled(opened) - 910 <= 35
    assert at(opened) == pytest.approx(910, abs=5)


def test_outside_from_the_first_fix_is_a_breach_from_then():
    (opened,) = verdicts(run(walk((0, 400, 0), (600, 400, 0)), reference(HOME)))
    assert at(opened) <= 30


def test_a_fence_may_ask_for_more_fixes_and_a_longer_span():
    fence = circle("home", 150.0, confirm={"fixes": 8, "span_s": 150})
    opened = verdicts(run(walk(*OUT_AND_BACK), reference(fence)))[0]
    assert settled(opened) - at(opened) >= 120
    assert at(opened) == pytest.approx(675, abs=15)


def test_a_zone_between_two_fixes_is_a_passage_with_its_times():
    zone = circle("strip", 60.0, "keep_out", 900.0)
    drive = walk((0, 0, 0), (300, 0, 0), (420, 2400, 0), (900, 2400, 0), period_s=30)
    (passage,) = verdicts(run(drive, reference(zone)))
    assert passage.type == "passage"
    assert at(passage) == pytest.approx(342, abs=2)  # 840 m at 20 m/s
    assert passage.evidence["inside_s"] == pytest.approx(6, abs=0.5)


def test_passages_of_devices_that_take_turns_in_a_batch_are_all_seen():
    legs = ((0, 0, 0), (300, 0, 0), (420, 2400, 0), (900, 2400, 0))
    known = reference(circle("strip", 60.0, "keep_out", 900.0), devices=("d1", "d2"))
    turns = [walk(*legs, period_s=30, device=device) for device in ("d1", "d2")]
    passed = verdicts(run([one for both in zip(*turns, strict=True) for one in both], known))
    assert [(one.type, one.device_id) for one in passed] == [("passage", "d1"), ("passage", "d2")]


def test_state_belongs_to_the_activation_and_a_device_brings_nothing_with_it():
    known = reference(HOME, ends_at=from_epoch(T0 + 1000))
    after = Activation(activation_id="a-2", device_id="d1", subject_id="s-2", order_id="o", agency="default",
                       starts_at=from_epoch(T0 + 1000))  # fmt: skip
    assert known.learn("activations", b"a-2", encode(after), from_epoch(T0)) is None
    said = verdicts(run(walk(*OUT_AND_BACK), known))
    mine = [(i.type, at(i), i.evidence.get("reason")) for i in said if i.subject_id == "s-d1"]
    assert mine[-1] == ("breach.closed", 1000, "activation")
    others = [i for i in said if i.subject_id == "s-2"]
    assert [i.type for i in others] == ["breach.opened", "breach.closed"]
    assert at(others[0]) >= 1000


def test_of_overlapping_activations_the_newest_start_wins_and_it_is_said():
    known = reference(HOME)
    newer = Activation(activation_id="a-2", device_id="d1", subject_id="s-2", order_id="o", agency="default",
                       starts_at=from_epoch(T0 - 60))  # fmt: skip
    assert known.learn("activations", b"a-2", encode(newer), from_epoch(T0)) is None
    assert {i.subject_id for i in verdicts(run(walk(*OUT_AND_BACK), known))} == {"s-2"}
    assert known.activations.overlaps == [("a-2", "a-d1")]


def test_fences_concern_the_subjects_they_name_or_all_of_their_agency():
    mine, others = circle("mine", 150.0, subjects=["s-d1"]), circle("others", 150.0, subjects=["s-x"])
    away = circle("away", 150.0, agency="elsewhere")
    said = verdicts(run(walk(*OUT_AND_BACK), reference(mine, others, away)))
    assert {i.fence_id for i in said} == {"mine"}


CURFEW = {"time_zone": "UTC", "windows": [{"start": "08:15", "end": "08:20"}]}


def test_outside_when_the_hours_begin_is_a_breach_at_that_moment_and_ends_with_them():
    fence = circle("home", 150.0, schedule=CURFEW)
    opened, closed = verdicts(run(walk(*OUT_AND_BACK), reference(fence)))
    assert (at(opened), opened.evidence["edge"]) == (900, True)
    assert (at(closed), closed.evidence["reason"]) == (1200, "schedule")


def test_the_hours_begin_without_any_new_fix():
    core = LocateCore(reference(circle("home", 150.0, schedule=CURFEW)))
    said = core.apply(records(walk(*OUT_AND_BACK[:3], (850, 400, 0))), from_epoch(T0 + 850))
    assert said == []
    wake = core.next_wake()
    while wake and wake.timestamp() < T0 + 1000:
        said += core.wake(wake)
        wake = core.next_wake()
    (opened,) = (one.message for one in said)
    assert at(opened) == 900
    assert 900 <= settled(opened) <= 930


@pytest.mark.parametrize("live", [False, True])
def test_hours_begin_the_same_in_the_worker_as_in_a_replay(live):
    core = LocateCore(reference(circle("home", 150.0, schedule=CURFEW)))
    said = []
    for record, one in zip(records(walk(*OUT_AND_BACK)), walk(*OUT_AND_BACK), strict=True):
        now = from_epoch(T0 + 0.5 + records([one])[0].offset)
        said += core.apply([record], now)
        if live:
            said += core.wake(from_epoch(core.newest_s + 1))
    said += core.flush(from_epoch(core.newest_s))
    assert [encode(one.message) for one in said] == [
        encode(one) for one in run(walk(*OUT_AND_BACK), reference(circle("home", 150.0, schedule=CURFEW)))
    ]


def leave(**more):
    return encode(Leave(leave_id="l", subject_id="s-d1", starts_at=from_epoch(T0 + 500), ends_at=from_epoch(T0 + 1300),
                        state="approved", **more))  # fmt: skip


def test_leave_lifts_the_duty_and_its_end_brings_it_back():
    known = reference(HOME)
    assert known.learn("leaves", b"l", leave(), from_epoch(T0)) is None
    opened, closed = verdicts(run(walk(*OUT_AND_BACK), known))
    assert at(opened) == 1300
    assert at(closed) == pytest.approx(1525, abs=3)


def test_leave_to_a_region_allows_being_there_and_nowhere_else():
    lat, lon = place(400)
    region = {"type": "Polygon", "coordinates": [[[lon + dx * 0.004, lat + dy * 0.003] for dx, dy in
              ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))]]}  # fmt: skip
    known = reference(HOME)
    assert known.learn("leaves", b"l", leave(region=region), from_epoch(T0)) is None
    first = brief(run(walk(*OUT_AND_BACK), known))
    assert [kind for kind, _, _ in first] == ["breach.opened", "breach.closed"]
    assert first[0][2] >= 1290
    known = reference(HOME)
    assert known.learn("leaves", b"l", leave(region=region), from_epoch(T0)) is None
    elsewhere = [(t, -east, north) for t, east, north in OUT_AND_BACK]
    assert brief(run(walk(*elsewhere), known))[0][2] == pytest.approx(675, abs=3)


def test_approving_leave_while_a_breach_is_open_closes_it():
    known = reference(HOME)
    fixes = records(walk(*OUT_AND_BACK))
    core = LocateCore(known)
    said = core.apply(fixes[:65], from_epoch(T0))
    assert [one.message.type for one in said] == ["breach.opened"]
    given = Leave(leave_id="l", subject_id="s-d1", starts_at=from_epoch(T0 + 1000), ends_at=from_epoch(T0 + 5000),
                  state="approved")  # fmt: skip
    assert known.learn("leaves", b"l", encode(given), from_epoch(T0 + 970)) is None
    said = core.apply(fixes[65:], from_epoch(T0))
    assert [(one.message.type, at(one.message), one.message.evidence["reason"]) for one in said] == [
        ("breach.closed", 1000, "leave")
    ]


def test_withdrawing_a_fence_closes_its_open_breach_even_without_a_new_fix():
    known = reference(HOME)
    core = LocateCore(known)
    core.apply(records(walk(*OUT_AND_BACK))[:65], from_epoch(T0))
    assert known.learn("fences", b"home", None, from_epoch(T0 + 980)) is None
    said = core.wake(from_epoch(T0 + 1100))
    assert [(one.message.type, at(one.message), one.message.evidence["reason"]) for one in said] == [
        ("breach.closed", 980, "fence")
    ]


def test_a_fence_redrawn_is_judged_anew_under_its_new_version():
    known = reference(HOME)
    wider = circle("home", 300.0, version=2, effective_from=str(from_epoch(T0 + 1000)))
    known.put_fence(wider)
    said = verdicts(run(walk(*OUT_AND_BACK), known))
    assert [(i.type, i.fence_version) for i in said] == [
        ("breach.opened", 1), ("breach.closed", 1), ("breach.opened", 2), ("breach.closed", 2),
    ]  # fmt: skip
    assert at(said[1]) == 1000
    assert said[1].evidence["reason"] == "fence"
    assert at(said[3]) == pytest.approx(1450, abs=3)


def test_a_fence_redrawn_for_the_past_corrects_the_breach():
    known = reference(HOME)
    core = LocateCore(known)
    core.apply(records(walk(*OUT_AND_BACK))[:60], from_epoch(T0))
    known.put_fence(circle("home", 900.0, version=2, effective_from=str(from_epoch(T0 + 100))))
    said = core.apply(records(walk(*OUT_AND_BACK))[60:], from_epoch(T0))
    assert [one.message.type for one in said] == ["breach.corrected"]


def test_an_edit_concerns_devices_that_were_far_from_any_line():
    known = reference(circle("home", 5000.0))
    core = LocateCore(known)
    fixes = records(walk((0, 0, 0), (3000, 0, 0)))
    assert core.apply(fixes[:150], from_epoch(T0)) == []
    known.put_fence(circle("zone", 500.0, "keep_out"), T0 + 2300)
    (opened,) = core.apply(fixes[150:], from_epoch(T0))
    assert opened.message.fence_id == "zone"
    assert at(opened.message) == 2300


def test_an_edit_made_while_the_worker_was_away_concerns_the_states_that_it_takes_back():
    """The state says how far every boundary was; that was before the edit."""
    before, known = LocateCore(reference(circle("home", 5000.0))), reference(circle("home", 5000.0))
    fixes = records(walk((0, 0, 0), (3000, 0, 0)))
    assert before.apply(fixes[:150], from_epoch(T0)) == []
    known.put_fence(circle("zone", 500.0, "keep_out"), T0 + 2300)
    after = LocateCore(known)
    after.restore(Entry(key, value or b"") for key, value in changes(before))
    (opened,) = after.apply(fixes[150:], from_epoch(T0))
    assert (opened.message.fence_id, at(opened.message)) == ("zone", 2300)


# late


def hour_away():
    """At home, an hour of which 20 minutes outside without a network, home again."""
    return walk((0, 0, 0), (1200, 0, 0), (1400, 400, 0), (2600, 400, 0), (2800, 0, 0), (4600, 0, 0), (6000, 0, 0))


def test_an_hour_that_comes_late_opens_and_closes_its_breach_marked_late():
    fixes = hour_away()
    there = [n for n, one in enumerate(fixes) if 900 < n * 15 < 4500]
    held = [fixes[n] for n in there]
    live = [one for n, one in enumerate(fixes) if n not in set(there)]
    said = verdicts(run([*live[:70], *held, *live[70:]], reference(HOME)))
    assert [(i.type, i.late) for i in said] == [("breach.opened", True), ("breach.closed", True)]
    plain = verdicts(run(fixes, reference(HOME)))
    assert [at(i) for i in said] == [pytest.approx(at(i), abs=1) for i in plain]


def test_late_fixes_of_a_breach_that_goes_on_tell_nothing_twice():
    fixes = walk((0, 0, 0), (600, 0, 0), (800, 400, 0), (4000, 400, 0))
    held = fixes[35:120]
    live = fixes[:35] + fixes[120:]
    said = verdicts(run([*live[:60], *held, *live[60:]], reference(HOME)))
    assert [i.type for i in said] == ["breach.opened"]


def test_late_fixes_that_show_a_return_end_the_breach_and_begin_another():
    fixes = walk(
        (0, 0, 0),
        (300, 0, 0),
        (500, 400, 0),
        (1200, 400, 0),
        (1400, 0, 0),
        (2400, 0, 0),
        (2600, 400, 0),
        (5000, 400, 0),
    )
    held = fixes[60:200]
    live = fixes[:60] + fixes[200:]
    said = verdicts(run([*live[:90], *held, *live[90:]], reference(HOME)))
    assert [i.type for i in said] == ["breach.opened", "breach.closed", "breach.opened"]
    assert [i.late for i in said] == [False, True, True]
    assert at(said[1]) == pytest.approx(1325, abs=5)
    assert at(said[2]) == pytest.approx(2475, abs=5)


def test_late_fixes_may_come_in_any_batches():
    fixes = hour_away()
    live = fixes[:60] + fixes[300:]
    mixed = [*live[:70], *fixes[60:300], *live[70:]]
    whole = [encode(i) for i in run(mixed, reference(HOME))]
    assert whole == [encode(i) for i in run(mixed, reference(HOME), sizes=[1] * 400)]
    assert whole == [encode(i) for i in run([live[:70], fixes[60:300], live[70:]], reference(HOME))]


def test_what_arrives_long_after_it_was_measured_is_marked_late():
    fixes = [{**one, "received_at": str(from_epoch(T0 + 7200))} for one in walk(*OUT_AND_BACK)]
    assert [i.late for i in verdicts(run(fixes, reference(HOME)))] == [True, True]


# what is set aside


def test_an_unknown_device_is_refused_with_its_name():
    core = LocateCore(reference(HOME))
    (said,) = core.apply(records([fix(0, *place(0), device="stranger")]), from_epoch(T0))
    assert said.topic == "fixes.rejected"
    assert "'stranger'" in said.message.reason
    assert said.message.field == "$.device_id"


def test_one_bad_fix_in_a_frame_costs_only_itself():
    fixes = walk(*OUT_AND_BACK)
    bad = [*fixes[:10], {**fixes[10], "lat": 91}, {"device_id": "d1"}, *fixes[11:]]
    core = LocateCore(reference(HOME))
    said = core.apply(records([bad]), from_epoch(T0)) + core.flush(from_epoch(T0 + 2200))
    refused = [one.message for one in said if isinstance(one.message, Rejection)]
    assert [one.field for one in refused] == ["$[10].lat", "$[11]"]
    assert [one.message.type for one in said if one.topic == "incidents"] == ["breach.opened", "breach.closed"]


@pytest.mark.parametrize("value", [b"", b"{", b"[1,", b"null", b'"x"', b"\xff\xfe", b"[" * 5000])
def test_what_is_no_fix_is_refused_and_the_stream_goes_on(value):
    core = LocateCore(reference(HOME))
    good = records(walk(*OUT_AND_BACK))
    said = core.apply([good[0]._replace(value=value), *good[1:]], from_epoch(T0))
    assert [one.topic for one in said].count("fixes.rejected") == 1
    assert [one.message.type for one in said if one.topic == "incidents"] == ["breach.opened", "breach.closed"]


def test_a_time_from_the_future_or_of_no_clock_is_not_judged():
    core = LocateCore(reference(HOME))
    odd = [fix(9e5, *place(5000), received_at=str(from_epoch(T0))), fix(-T0, *place(5000))]
    core.apply(records([*odd, *walk(*OUT_AND_BACK)]), from_epoch(T0))
    assert core.ignored["from the future"] == 1
    assert verdicts(run([*odd, *walk(*OUT_AND_BACK)], reference(HOME)))[0].type == "breach.opened"


def test_fixes_outside_of_any_activation_are_counted_and_judged_for_nobody():
    core = LocateCore(reference(HOME, ends_at=from_epoch(T0 - 10)))
    assert core.apply(records(walk(*OUT_AND_BACK)), from_epoch(T0)) == []
    assert core.ignored["outside of any activation"] == len(walk(*OUT_AND_BACK))


def test_an_invented_position_does_not_prove_that_somebody_is_home():
    fixes = walk(*OUT_AND_BACK)
    fixes = [
        {**one, "mock": True, "lat": place(0)[0], "lon": place(0)[1]} if n > 60 else one for n, one in enumerate(fixes)
    ]
    assert [kind for kind, _, _ in brief(run(fixes, reference(HOME)))] == ["breach.opened"]


def test_each_datum_is_converted():
    from fences.datum import from_wgs84  # noqa: PLC0415

    lat0, lon0 = 31.2, 121.4
    fence = msgspec.structs.replace(HOME, geometry={"type": "Point", "coordinates": [lon0, lat0]})
    said = []
    for datum in ("wgs84", "gcj02", "bd09"):
        fixes = walk(*OUT_AND_BACK)
        for one in fixes:
            lat, lon = from_wgs84(one["lat"] - 48.0 + lat0, one["lon"] - 11.0 + lon0, datum)
            one.update(lat=float(lat), lon=float(lon), datum=datum)
        said.append(brief(run(fixes, reference(fence))))
    assert said[0] == [(kind, name, pytest.approx(t, abs=0.1)) for kind, name, t in said[1]]
    assert [kind for kind, _, _ in said[2]] == ["breach.opened", "breach.closed"]


# alarms


@pytest.mark.parametrize("alarm", ["sos", "tamper"])
def test_an_alarm_is_told_at_once_and_once_an_episode(alarm):
    fixes = walk((0, 0, 0), (1200, 0, 0))
    for n in (10, 11, 12, 60):
        fixes[n] = {**fixes[n], "alarms": [alarm]}
    core = LocateCore(reference(HOME))
    said = core.apply(records(fixes)[:11], from_epoch(T0))
    assert [(one.message.type, at(one.message)) for one in said] == [(f"device.{alarm}", 150)]
    said = core.apply(records(fixes)[11:], from_epoch(T0))
    assert [(one.message.type, at(one.message)) for one in said] == [(f"device.{alarm}", 900)]


def test_a_call_for_help_is_heard_in_the_first_fix_a_late_one_and_one_without_a_usable_time():
    for one in (fix(0, *place(0)), fix(-5000, *place(0)), fix(9e5, *place(0), received_at=str(from_epoch(T0)))):
        said = run([fix(0, *place(0)), {**one, "alarms": ["sos"]}], reference(HOME))
        assert "device.sos" in [i.type for i in said]


# odd places


@pytest.mark.parametrize("lon0", [179.9995, -179.9995])
def test_the_antimeridian_is_a_place_like_any_other(lon0):
    fence = msgspec.structs.replace(HOME, geometry={"type": "Point", "coordinates": [lon0, 0.5]})
    fixes = walk(*OUT_AND_BACK)
    for one in fixes:
        lon = lon0 + (one["lon"] - 11.0) * np.sign(lon0)
        one.update(lat=0.5, lon=float((lon + 180) % 360 - 180))
    assert [kind for kind, _, _ in brief(run(fixes, reference(fence)))] == ["breach.opened", "breach.closed"]


def test_a_long_way_from_home_and_back_keeps_its_metres():
    said = brief(
        run(
            walk((0, 0, 0), (600, 0, 0), (9600, 250_000, 0), (9900, 250_000, 0), (18900, 0, 0), (19500, 0, 0)),
            reference(HOME),
        )
    )
    assert [kind for kind, _, _ in said] == ["breach.opened", "breach.closed"]
    assert said[1][2] == pytest.approx(18895, abs=10)


def test_who_turns_up_far_away_after_an_hour_unseen_is_found_at_the_second_fix():
    before = walk((0, 0, 0), (1200, 0, 0))
    there = [fix(4800 + 15 * n, *place(20_000.0 + n % 3)) for n in range(8)]
    (opened,) = verdicts(run(before + there, reference(HOME)))
    assert settled(opened) <= 4800 + 15


def test_a_throw_of_three_fixes_to_one_spot_opens_nothing():
    resting = walk((0, 0, 0), (1800, 0, 0))
    for n in (60, 61, 62):
        resting[n] = fix(15 * n, *place(260.0 + n), accuracy_m=4.0)
    assert verdicts(run(resting, reference(HOME))) == []


def test_who_is_driven_off_a_few_hundred_metres_and_then_walks_is_not_held_for_thrown():
    at_home = walk((0, 0, 0), (1800, 0, 0), period_s=60.0)
    gone = [fix(1860 + 60 * n, *place(375.0 + 30 * n)) for n in range(10)]
    (opened,) = verdicts(run(at_home + gone, reference(HOME)))
    assert settled(opened) <= 1860 + 4 * 60
