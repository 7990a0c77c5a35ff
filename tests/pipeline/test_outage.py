"""When an area goes quiet at once, it is known as one event, and nobody's fault."""

from collections import Counter

import numpy as np
import pytest

from pipeline.areas import Areas, district_of
from pipeline.outage import OutageCore, Outages, densest
from pipeline.step import Emission, Entry, Record
from schemas.message import encode
from schemas.outage import AreaPulse, Outage, Pulse
from schemas.times import from_epoch
from tests.support.cores import changes

T0 = 1_780_000_020.0
MINUTE0 = int(T0 // 60)


def pulse(after_s: float, source: str = "locate/0", **areas: tuple[int, dict[int, int]]) -> Pulse:
    told = [
        AreaPulse(area=name.replace("_", ":"), devices=devices, quiet={MINUTE0 + m: n for m, n in quiet.items()})
        for name, (devices, quiet) in areas.items()
    ]
    return Pulse(source=source, at=from_epoch(T0 + after_s), areas=tuple(told))


def put(core: OutageCore, *pulses: Pulse) -> list[Emission]:
    records = [Record("pulses", 0, n, one.source.encode(), encode(one), T0) for n, one in enumerate(pulses)]
    return core.apply(records, from_epoch(T0))


def said(emissions: list[Emission]) -> list[tuple[str, int, int, bool]]:
    return [(e.message.area, e.message.quiet, e.message.devices, e.message.ended_at is not None) for e in emissions]


def test_most_of_an_area_at_once_is_an_outage() -> None:
    (outage,) = put(OutageCore(), pulse(180, carrier_46000=(40, {0: 30, 1: 7}), carrier_46001=(40, {0: 2})))
    assert said([outage]) == [("carrier:46000", 37, 40, False)]
    assert outage.message.since.timestamp() == MINUTE0 * 60


def test_partitions_are_added_up() -> None:
    """No partition alone has enough devices to tell."""
    core = OutageCore()
    parts = [pulse(180, f"locate/{n}", carrier_1=(2, {0: 2})) for n in range(4)]
    assert [len(put(core, part)) for part in parts] == [0, 0, 1, 1]  # six of six, then eight of eight


def test_a_new_count_of_a_partition_takes_the_old_ones_place() -> None:
    core = OutageCore()
    assert put(core, *(pulse(180 + n, carrier_1=(4, {0: 4})) for n in range(5))) == []


@pytest.mark.parametrize(
    ("devices", "quiet"),
    [(4, {0: 4}), (40, {0: 19}), (40, {0: 15, 30: 15})],
    ids=["few", "not half", "not at once"],
)
def test_what_is_no_outage(devices: int, quiet: dict[int, int]) -> None:
    assert put(OutageCore(), pulse(180, carrier_1=(devices, quiet))) == []


def test_it_grows_and_ends() -> None:
    core = OutageCore()
    steps = [{0: 20}, {0: 30}, {0: 31}, {0: 12}, {0: 9}, {0: 9}]
    found = [said(put(core, pulse(60 * n, carrier_1=(40, quiet)))) for n, quiet in enumerate(steps)]
    area = "carrier:1"
    assert found == [[(area, 20, 40, False)], [(area, 30, 40, False)], [], [], [(area, 30, 40, True)], []]


def test_a_partition_that_is_no_longer_counted_is_left_out() -> None:
    core = OutageCore()
    put(core, pulse(0, "locate/0", carrier_1=(100, {})))
    assert put(core, pulse(170, "locate/1", carrier_1=(10, {2: 10}))) == []
    assert len(put(core, pulse(200, "locate/1", carrier_1=(10, {2: 10})))) == 1


def test_an_open_outage_survives_a_restart_and_is_not_opened_again() -> None:
    core = OutageCore()
    put(core, pulse(0, carrier_1=(40, {0: 40})))
    entries = changes(core)
    other = OutageCore()
    other.restore(Entry(key, value or b"") for key, value in [*entries, (b"cell:gone", None)])
    assert put(other, pulse(60, carrier_1=(40, {0: 40}))) == []
    assert said(put(other, pulse(120, carrier_1=(40, {})))) == [("carrier:1", 40, 40, True)]
    assert changes(other) == [(b"carrier:1", None)]


def test_what_is_no_count_is_refused() -> None:
    (refused,) = OutageCore().apply([Record("pulses", 0, 7, b"x", b"{}", T0)], from_epoch(T0))
    assert (refused.topic, refused.key) == ("pulses.rejected", "pulses/0@7")


def outage(area: str, since_s: float, until_s: float | None, quiet: int = 40) -> Outage:
    return Outage(
        outage_id=f"{area}@{since_s}",
        area=area,
        since=from_epoch(T0 + since_s),
        detected_at=from_epoch(T0 + since_s + 90),
        ended_at=None if until_s is None else from_epoch(T0 + until_s),
        quiet=quiet,
        devices=40,
    )


def test_a_device_belongs_to_the_outage_in_which_it_was_last_heard() -> None:
    known = Outages()
    known.learn(outage("carrier:1", 0, 600))
    known.learn(outage("carrier:1", 3600, None))
    found = [known.of(["all", "carrier:1"], T0 + at) for at in (-120, 10, 590, 700, 3590, 9999)]
    assert [one and one.outage_id for one in found] == [
        None, "carrier:1@0", "carrier:1@0", None, "carrier:1@3600", "carrier:1@3600",
    ]  # fmt: skip
    assert known.of(["carrier:2"], T0 + 10) is None
    assert known.open_since_s() == T0 + 3600


def test_of_several_areas_the_hardest_hit_is_named() -> None:
    known = Outages()
    known.learn(outage("all", 0, None, quiet=21))
    known.learn(outage("cell:1/a", 0, None, quiet=39))
    found = known.of(["all", "cell:1/a"], T0)
    assert found is not None
    assert found.area == "cell:1/a"


def test_a_district_is_named_by_its_south_western_corner() -> None:
    assert [district_of(*place) for place in ((30.27, 120.15), (-0.01, -179.99), (0.0, 0.0))] == [
        "district:30.2,120.1",
        "district:-0.1,-180.0",
        "district:0.0,0.0",
    ]


def test_a_partitions_count_by_area_and_minute() -> None:
    areas = Areas()
    rows = np.arange(6)
    carriers, cells = [None, "460-00"] * 3, [f"c{row}" for row in range(6)]
    areas.place_all(rows, np.full(6, 30.27), 120.15 + rows // 3, carriers, cells)
    heard = np.array([T0, T0, T0 + 70, T0, np.nan, T0])
    quiet = np.array([True, True, True, False, True, False])
    told = {one.area: (one.devices, one.quiet) for one in areas.pulse("locate/0", T0 + 200, heard, quiet).areas}
    assert told["all"] == (5, {MINUTE0: 2, MINUTE0 + 1: 1})
    assert told["district:30.2,120.1"] == (3, {MINUTE0: 2, MINUTE0 + 1: 1})
    assert told["district:30.2,121.1"] == (2, {})
    assert told["carrier:460-00"] == (3, {MINUTE0: 1})
    assert {name for name in told if name.startswith("cell:")} == {"cell:/c0", "cell:460-00/c1", "cell:/c2"}
    assert areas.names(1) == ["all", "carrier:460-00", "cell:460-00/c1", "district:30.2,120.1"]
    assert areas.names(99) == []


def test_nobody_to_count() -> None:
    assert Areas().pulse("locate/0", T0, np.zeros(0), np.zeros(0, np.bool_)).areas == ()


def test_the_densest_minutes_agree_with_trying_all() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        quiet = Counter(rng.integers(0, 40, 60).tolist())
        first, count = densest(quiet, 10)
        windows = [sum(n for m, n in quiet.items() if start <= m < start + 10) for start in range(-10, 41)]
        assert count == max(windows)
        assert sum(n for m, n in quiet.items() if first <= m < first + 10) == count
    assert densest({}, 10) == (0, 0)
