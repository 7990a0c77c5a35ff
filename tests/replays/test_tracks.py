"""Real tracks of real people: what the core says of them agrees with plain geometry on the same fixes.

Each trip gets three fences: one to stay in around its start, one to keep out of around a place on the way, and one so
wide that it is never left. The check knows geodesics and nothing else of the project. Since the fixes themselves are
the truth here (no error model is laid over them), a stay of minutes and a hundred metres beyond a boundary must be
found, and a breach must not be told of a time at which no fix lies on the forbidden side.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyproj
import pytest
from click.testing import CliRunner

from fenceline.commands.replay import command
from schemas.times import instant, parse

GEOD = pyproj.Geod(ellps="WGS84")
STAY_M, ZONE_M, WIDE_M = 400.0, 250.0, 60_000.0
DEEP_M, LONG_S = 100.0, 180.0
SLACK_S = 60.0


class Trip(NamedTuple):
    device_id: str
    at: list[datetime]
    lat: np.ndarray
    lon: np.ndarray


class Fence(NamedTuple):
    fence_id: str
    rule: str
    lat: float
    lon: float
    radius_m: float


@pytest.fixture(scope="module")
def trips(real_tracks: Path) -> list[Trip]:
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (real_tracks / "geolife_sample.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter=";"):
            rows[row["trajectory_id"]].append(row)
    found = []
    for name, told in rows.items():
        times = [datetime.fromisoformat(row["t"] + ":00").astimezone(UTC) for row in told]
        order = np.argsort(np.array([at.timestamp() for at in times]), kind="stable").tolist()
        lat, lon = (np.array([float(told[n][axis]) for n in order]) for axis in "YX")
        found.append(Trip(f"trip-{name}", [times[n] for n in order], lat, lon))
    assert len(found) >= 5
    return found


@pytest.fixture(scope="module")
def fences(trips: list[Trip]) -> dict[tuple[str, str], Fence]:
    found = {}
    for trip in trips:
        way = len(trip.lat) * 3 // 5
        for fence in (
            Fence("stay", "stay_in", trip.lat[0], trip.lon[0], STAY_M),
            Fence("zone", "keep_out", trip.lat[way], trip.lon[way], ZONE_M),
            Fence("wide", "stay_in", trip.lat[0], trip.lon[0], WIDE_M),
        ):
            name = f"{fence.fence_id}-{trip.device_id}"
            found[trip.device_id, name] = fence._replace(fence_id=name, lat=float(fence.lat), lon=float(fence.lon))
    return found


@pytest.fixture(scope="module")
def incidents(
    trips: list[Trip], fences: dict[tuple[str, str], Fence], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What `fenceline replay` prints for all trips, as one file with their fixes mixed by time."""
    folder = tmp_path_factory.mktemp("tracks")
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [fence.lon, fence.lat]},
            "properties": {
                "fence_id": fence.fence_id, "rule": fence.rule, "datum": "wgs84",
                "buffer_m": fence.radius_m, "subjects": [device],
            },
        }
        for (device, _), fence in fences.items()
    ]  # fmt: skip
    (folder / "fences.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    fixes = [
        {"device_id": trip.device_id, "fix_time": str(instant(at)), "lat": lat, "lon": lon}
        for trip in trips
        for at, lat, lon in zip(trip.at, trip.lat.tolist(), trip.lon.tolist(), strict=True)
    ]
    fixes.sort(key=lambda fix: str(fix["fix_time"]))
    (folder / "fixes.ndjson").write_text("\n".join(map(json.dumps, fixes)))
    options = ["--fences", str(folder / "fences.geojson"), str(folder / "fixes.ndjson")]
    result = CliRunner().invoke(command, options, catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def depth_m(trip: Trip, fence: Fence) -> np.ndarray:
    """How far each fix is on the forbidden side."""
    count = len(trip.lat)
    _, _, away = GEOD.inv(np.full(count, fence.lon), np.full(count, fence.lat), trip.lon, trip.lat)
    beyond = np.asarray(away) - fence.radius_m
    return beyond if fence.rule == "stay_in" else -beyond


def stays(trip: Trip, depth: np.ndarray) -> Iterator[tuple[datetime, datetime, float]]:
    """Stretches of fixes on the forbidden side: first, last, deepest."""
    start = None
    for place, deep in enumerate([*(depth > 0), False]):
        if deep and start is None:
            start = place
        elif not deep and start is not None:
            yield trip.at[start], trip.at[place - 1], float(depth[start:place].max())
            start = None


def told(incidents: list[dict[str, Any]], trip: Trip, fence_id: str) -> list[tuple[datetime, datetime]]:
    """The breaches told of a trip and fence: since, until (the trip's end while open)."""
    mine = [i for i in incidents if i["device_id"] == trip.device_id and i["fence_id"] == fence_id]
    ends = {i["breach_id"]: parse(i["occurred_at"]) for i in mine if i["type"] == "breach.closed"}
    gone = {i["breach_id"] for i in mine if i["type"] == "breach.corrected"}
    opened = [i for i in mine if i["type"] == "breach.opened" and i["breach_id"] not in gone]
    return [(parse(i["occurred_at"]), ends.get(i["breach_id"], trip.at[-1])) for i in opened]


def test_every_long_and_deep_stay_beyond_a_boundary_is_found(
    trips: list[Trip], fences: dict[tuple[str, str], Fence], incidents: list[dict[str, Any]]
) -> None:
    slack = timedelta(seconds=SLACK_S)
    expected = 0
    for trip in trips:
        for (device, name), fence in fences.items():
            if device != trip.device_id:
                continue
            for first, last, deepest in stays(trip, depth_m(trip, fence)):
                if deepest >= DEEP_M and (last - first).total_seconds() >= LONG_S:
                    expected += 1
                    found = told(incidents, trip, name)
                    assert any(since <= last and until >= first - slack for since, until in found), (name, first, last)
    assert expected >= 5


def test_no_breach_is_told_of_a_time_without_a_fix_on_the_forbidden_side(
    trips: list[Trip], fences: dict[tuple[str, str], Fence], incidents: list[dict[str, Any]]
) -> None:
    slack = timedelta(seconds=SLACK_S)
    count = 0
    for trip in trips:
        for (device, name), fence in fences.items():
            if device != trip.device_id:
                continue
            depth = depth_m(trip, fence)
            for since, until in told(incidents, trip, name):
                count += 1
                within = [since - slack <= at <= until + slack for at in trip.at]
                assert (depth[within] > 0).any(), (name, since, until)
    assert count >= 5


def test_a_fence_that_is_never_left_raises_nothing(incidents: list[dict[str, Any]]) -> None:
    assert [i for i in incidents if i["fence_id"].startswith("wide")] == []


def test_a_breach_begins_where_the_fixes_cross_the_boundary(
    trips: list[Trip], fences: dict[tuple[str, str], Fence], incidents: list[dict[str, Any]]
) -> None:
    """Against the straight way between the two fixes on either side of the boundary."""
    errors = []
    for trip in trips:
        fence = fences[trip.device_id, f"stay-{trip.device_id}"]
        depth = depth_m(trip, fence)
        crossings = []
        for place in np.flatnonzero((depth[:-1] <= 0) & (depth[1:] > 0)).tolist():
            share = -depth[place] / (depth[place + 1] - depth[place])
            crossings.append(trip.at[place] + share * (trip.at[place + 1] - trip.at[place]))
        for since, _ in told(incidents, trip, fence.fence_id):
            errors.append(min(abs((since - crossing).total_seconds()) for crossing in crossings))
    assert len(errors) >= 4
    assert float(np.median(errors)) <= 1.0
    assert max(errors) <= SLACK_S
