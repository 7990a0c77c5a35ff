"""Files of fences, people, devices and leaves, checked and written to their topics."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kafka import KafkaProducer
from kafka.partitioner.default import murmur2

from agents.topics import create_topics
from fenceline.commands.explain import command as explain
from fenceline.commands.load import command as load
from fenceline.embedded import embedded_broker
from fenceline.entries import read_entries
from fenceline.history import records
from fenceline.settings import Settings
from pipeline.step import Record
from schemas.message import Invalid, decode
from schemas.reference import Fence, Leave

PARTITIONS = 4


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with embedded_broker() as bootstrap:
        asyncio.run(create_topics(Settings(broker=bootstrap, partitions=PARTITIONS), []))
        yield bootstrap


def feature(fence_id: str = "home-1", **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [120.15, 30.27]},
        "properties": {"fence_id": fence_id, "rule": "stay_in", "datum": "wgs84", "buffer_m": 80.0, **properties},
    }


def collection(*features: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)}


def activation(number: int, **more: Any) -> dict[str, Any]:
    plain = {"activation_id": f"a-{number}", "device_id": f"d-{number}", "subject_id": f"s-{number}", "order_id": "o"}
    return {**plain, "agency": "police", "starts_at": "2026-11-23T08:00:00Z", **more}


def leave(**more: Any) -> dict[str, Any]:
    plain = {"leave_id": "l-1", "subject_id": "s-1", "starts_at": "2026-11-23T08:00:00Z"}
    return {**plain, "ends_at": "2026-11-23T10:00:00Z", "state": "approved", **more}


def run(kind: str, content: Any, tmp_path: Path, *options: str) -> tuple[Result, list[dict[str, Any]]]:
    path = tmp_path / "file.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    result = CliRunner().invoke(load, [kind, str(path), *options], catch_exceptions=False)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def on_topic(broker: str, topic: str) -> list[Record]:
    async def read() -> list[Record]:
        return [record async for chunk in records(broker, topic) for record in chunk]

    return asyncio.run(read())


def test_a_fence_gets_a_higher_version_when_it_says_something_new(broker: str, tmp_path: Path) -> None:
    steps = [(80.0, 1), (80.0, 1), (90.0, 2), (80.0, 3)]
    states = []
    for buffer_m, version in steps:
        result, lines = run("fences", collection(feature("grows", buffer_m=buffer_m)), tmp_path, "--broker", broker)
        assert result.exit_code == 0, result.stderr
        assert lines[0]["version"] == version
        states.append(lines[0]["state"])
    assert states == ["written", "unchanged", "written", "written"]
    on = [decode(record.value, Fence) for record in on_topic(broker, "fences") if record.key == b"grows"]
    assert [(fence.properties.version, fence.properties.buffer_m) for fence in on] == [(1, 80.0), (2, 90.0), (3, 80.0)]


def test_a_version_of_the_file_that_is_higher_stays(broker: str, tmp_path: Path) -> None:
    run("fences", feature("named", version=7), tmp_path, "--broker", broker)
    _, lines = run("fences", feature("named", version=12, buffer_m=81), tmp_path, "--broker", broker)
    assert lines[0]["version"] == 12


def test_activations_lie_where_their_devices_fixes_do(broker: str, tmp_path: Path) -> None:
    result, lines = run("activations", [activation(n) for n in range(20)], tmp_path, "--broker", broker)
    assert (result.exit_code, lines[-1]) == (0, {"written": 20, "unchanged": 0, "refused": 0})
    places = {record.key: record.partition for record in on_topic(broker, "activations")}
    assert places == {f"a-{n}".encode(): (murmur2(f"d-{n}".encode()) & 0x7FFFFFFF) % PARTITIONS for n in range(20)}


def test_leaves_are_known_to_all_and_to_the_persons_own(broker: str, tmp_path: Path) -> None:
    result, _ = run("leaves", leave(), tmp_path, "--broker", broker)
    assert result.exit_code == 0
    assert [record.key for record in on_topic(broker, "leaves")] == [b"l-1"]
    (change,) = on_topic(broker, "leave-changes")
    assert (change.key, decode(change.value, Leave).leave_id) == (b"s-1", "l-1")


def test_what_cannot_be_used_is_told_by_place_and_field_and_the_rest_is_loaded(broker: str, tmp_path: Path) -> None:
    lines = [
        {"subject_id": "ok-1", "agency": "a"},
        {"subject_id": "bad-1"},
        {"subject_id": "bad-2", "agency": "a", "time_zone": "Moon"},
    ]
    content = "\n\n".join(json.dumps(line) for line in lines).encode() + b"\n{nonsense\n"
    result, said = run("subjects", content, tmp_path, "--broker", broker)
    assert result.exit_code == 1
    assert said[-1] == {"written": 1, "unchanged": 0, "refused": 3}
    refusals = [line.split(": ", 1)[1] for line in result.stderr.splitlines()]
    assert refusals[0].startswith("line 3 (bad-1): $: Object missing required field `agency`")
    assert refusals[1].startswith("line 5 (bad-2): $.time_zone: no time zone 'Moon'")
    assert refusals[2].startswith("line 6: $: JSON is malformed")


def test_all_or_nothing_writes_nothing(broker: str, tmp_path: Path) -> None:
    content = [activation(100), activation(101, ends_at="2026-11-23T07:00:00Z")]
    result, said = run("activations", content, tmp_path, "--broker", broker, "--all-or-nothing")
    assert (result.exit_code, said) == (2, [{"written": 0, "unchanged": 0, "usable": 1, "refused": 1}])
    assert b"a-100" not in {record.key for record in on_topic(broker, "activations")}


def test_a_check_needs_no_broker(tmp_path: Path) -> None:
    result, said = run("leaves", [leave()], tmp_path, "--check", "--broker", "127.0.0.1:1")
    assert (result.exit_code, said[-1]["usable"]) == (0, 1)


def test_no_broker_is_told(tmp_path: Path) -> None:
    result, _ = run("leaves", [leave()], tmp_path, "--broker", "127.0.0.1:1")
    assert result.exit_code == 3
    assert "127.0.0.1:1" in result.stderr


def test_no_topics_are_told_with_what_makes_them(tmp_path: Path) -> None:
    with embedded_broker() as empty:
        result, _ = run("leaves", [leave()], tmp_path, "--broker", empty)
    assert result.exit_code == 3
    assert "fenceline topics create" in result.stderr


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("fences", b"", "empty"),
        ("subjects", b"hello", "JSON array"),
        ("subjects", b"[1, 2", "truncated"),
        ("fences", b'{"type": "Topology"}', "FeatureCollection"),
    ],
)
def test_files_that_cannot_be_read(kind: str, content: bytes, words: str, tmp_path: Path) -> None:
    result, _ = run(kind, content, tmp_path)
    assert result.exit_code == 2
    assert words in result.stderr


SCHEDULE = {"time_zone": "Nowhere/Land", "windows": [{"start": "21:00", "end": "06:00"}]}
BOW_TIE = {"type": "Polygon", "coordinates": [[[120, 30], [120.1, 30.1], [120.1, 30], [120, 30.1], [120, 30]]]}


@pytest.mark.parametrize(
    ("kind", "entries", "places"),
    [
        ("fences", collection(feature(), feature("x", schedule=SCHEDULE)),
         [("feature 2", "x", "$.properties.schedule.time_zone")]),
        ("fences", collection(feature() | {"geometry": BOW_TIE}), [("feature 1", "home-1", "$.geometry")]),
        ("fences", collection({"type": "Feature"}, feature()), [("feature 1", "", "$")]),
        ("fences", collection(feature(), feature(buffer_m=90.0)), [("feature 2", "home-1", "$")]),
        ("leaves", [leave(ends_at="2026-11-23T08:00:00Z")], [("entry 1", "l-1", "$.ends_at")]),
        ("leaves", leave(region={"type": "Polygon", "coordinates": []}), [("entry 1", "l-1", "$.region")]),
        ("activations", [activation(1), activation(2, device_id="d-1")], [("entry 2", "a-2", "$.starts_at")]),
        ("activations", [activation(1), activation(2, device_id="d-1", subject_id="s-1")], []),
        ("activations", [activation(1, ends_at="2026-11-23T09:00:00Z"),
                         activation(2, device_id="d-1", starts_at="2026-11-23T09:00:00Z")], []),
        ("subjects", [3, "x"], [("entry 1", "", "$"), ("entry 2", "", "$")]),
    ],
)  # fmt: skip
def test_each_entry_is_checked_as_a_worker_would(kind: str, entries: Any, places: list[tuple[str, str, str]]) -> None:
    _, refused = read_entries(json.dumps(entries).encode(), kind)
    assert [(one.place, one.key) for one in refused] == [(place, key) for place, key, _ in places]
    for one, (_, _, field) in zip(refused, places, strict=True):
        assert one.why.field.startswith(field)


def test_nothing_of_a_huge_nesting() -> None:
    with pytest.raises(Invalid):
        read_entries(b"[" * 100_000, "subjects")


def incident_line(incident_id: str) -> bytes:
    fix = {"fix_time": "2026-11-23T09:31:02.000Z", "lat": 30.2712, "lon": 120.15, "accuracy_m": 8, "distance_m": 53}
    incident = {
        "incident_id": incident_id, "type": "breach.opened", "subject_id": "s-1", "device_id": "d-1",
        "fence_id": "explained", "fence_version": 1, "fence_name": "the home",
        "occurred_at": "2026-11-23T09:30:50.000Z",
        "detected_at": "2026-11-23T09:31:02.000Z", "confidence": 0.97, "evidence": {"rule": "stay_in", "fixes": [fix]},
    }  # fmt: skip
    return json.dumps(incident).encode()


def put(broker: str, topic: str, key: bytes, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=broker)
    producer.send(topic, value, key=key).get(10)
    producer.close()


def test_an_incident_is_explained_from_the_topics(broker: str, tmp_path: Path) -> None:
    run("fences", feature("explained"), tmp_path, "--broker", broker)
    run("subjects", {"subject_id": "s-1", "agency": "a", "case_ref": "2026-0004"}, tmp_path, "--broker", broker)
    put(broker, "incidents", b"s-1", b"not json")
    put(broker, "incidents", b"s-1", incident_line("i-other"))
    put(broker, "incidents", b"s-1", incident_line("i-1"))
    track = [
        {"device_id": "d-1", "fix_time": f"2026-11-23T09:{m}:00Z", "lat": 30.27, "lon": 120.15} for m in range(10, 50)
    ]
    put(broker, "fixes", b"d-1", json.dumps(track).encode())
    png = tmp_path / "deep" / "i.png"
    runner = CliRunner()
    result = runner.invoke(explain, ["i-1", "--broker", broker, "--png", str(png)], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    english, chinese = result.stdout.splitlines()
    assert english.startswith("2026-0004 left “the home” at 17:30:50 on 23 Nov 2026: 53 m beyond its boundary")
    assert "2026-0004" in chinese
    assert "53 米" in chinese
    assert png.read_bytes().startswith(b"\x89PNG")
    result = runner.invoke(explain, ["i-1", "--broker", broker, "--json", "--png", str(png)], catch_exceptions=False)
    said = json.loads(result.stdout)
    assert said["incident"]["incident_id"] == "i-1"
    assert len(said["drawing"]["rings"]) == 1
    assert len(said["drawing"]["points"]) == 41


def test_an_unknown_incident_is_told(broker: str) -> None:
    result = CliRunner().invoke(explain, ["no-such", "--broker", broker], catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no incident no-such" in result.stderr


def test_a_time_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(explain, ["x", "--from", "yesterday"])
    assert result.exit_code == 2
