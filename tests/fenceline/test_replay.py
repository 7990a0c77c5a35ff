"""`fenceline replay`: the worker's core over a file or over history; drafts of rules; why nothing was raised."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from kafka import KafkaProducer

from agents.topics import create_topics
from fenceline.commands.load import command as load
from fenceline.commands.replay import command as replay
from fenceline.embedded import embedded_broker
from fenceline.settings import Settings
from schemas.times import instant, parse

EIGHT = parse("2026-11-23T08:00:00Z")


def trip(
    device: str, lat: float, out: float | None, back: float | None = None, hours: float = 1.0
) -> list[dict[str, Any]]:
    """A report every 15 s at home, out (900 m north) from minute `out` to `back`."""
    rng, error, fixes = np.random.default_rng(len(device)), np.zeros(2), []
    for second in range(0, int(hours * 3600), 15):
        error = 0.78 * error + rng.normal(0, 2.5, 2)
        away = 0.0
        if out is not None:
            turns = [out, out + 1.5] + ([] if back is None else [back, back + 1.5])
            away = float(np.interp(second / 60, turns, [0, 900, 900, 0][: len(turns)]))
        fixes.append({
            "device_id": device, "fix_time": str(instant(EIGHT + timedelta(seconds=second))),
            "lat": round(lat + (away + float(error[0])) / 110_860, 7),
            "lon": round(120.15 + float(error[1]) / 96_000, 7),
            "accuracy_m": 8, "provider": "gnss",
        })  # fmt: skip
    return fixes


def home(fence_id: str, lat: float, **properties: Any) -> dict[str, Any]:
    told = {"fence_id": fence_id, "name": f"home of {fence_id}", "rule": "stay_in", "datum": "wgs84", "buffer_m": 100.0}
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [120.15, lat]},
        "properties": {**told, **properties},
    }


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fences = self.write(
            "fences.geojson", self.collection(home("h1", 30.27, subjects=["d-1"]), home("h2", 30.40, subjects=["d-2"]))
        )
        fixes = sorted(trip("d-1", 30.27, 10, 40) + trip("d-2", 30.40, 30, 35), key=lambda fix: str(fix["fix_time"]))
        self.fixes = self.write("fixes.ndjson", "\n".join(map(json.dumps, fixes)))

    @staticmethod
    def collection(*features: Any) -> str:
        return json.dumps({"type": "FeatureCollection", "features": features})

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("replay"))


def run(*arguments: str, stdin: bytes | None = None) -> tuple[Result, list[dict[str, Any]]]:
    result = CliRunner().invoke(replay, list(arguments), input=stdin, catch_exceptions=False)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def breaches(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["type"], line["device_id"]) for line in lines if line["type"].startswith("breach")]


BOTH = [("breach.opened", "d-1"), ("breach.opened", "d-2"), ("breach.closed", "d-2"), ("breach.closed", "d-1")]


def test_incidents_come_in_the_order_of_events(files: Files) -> None:
    result, lines = run("--fences", files.fences, files.fixes)
    assert result.exit_code == 0, result.stderr
    assert breaches(lines) == BOTH
    moments = [line["detected_at"] for line in lines]
    assert moments == sorted(moments)


def test_the_same_from_stdin_in_frames_and_twice(files: Files) -> None:
    _, expected = run("--fences", files.fences, files.fixes)
    fixes = [json.loads(line) for line in Path(files.fixes).read_text().splitlines()]
    frames = "\n".join(json.dumps(fixes[start : start + 50]) for start in range(0, len(fixes), 50))
    result, lines = run("--fences", files.fences, "-", stdin=frames.encode())
    assert result.exit_code == 0
    assert lines == expected
    doubled = "\n".join(json.dumps(fix) for fix in fixes for _ in range(2))
    assert run("--fences", files.fences, "-", stdin=doubled.encode())[1] == expected


def test_lines_that_cannot_be_used_are_told_by_number_and_the_rest_is_judged(files: Files) -> None:
    lines = Path(files.fixes).read_text().splitlines()
    lines[4:4] = ["nonsense", json.dumps({"device_id": "d-1", "fix_time": "2026-11-23T08:00:00Z", "lat": 91, "lon": 0})]
    lines[9:9] = ["", json.dumps([json.loads(lines[20]), {"device_id": "d-1"}])]
    result, told = run("--fences", files.fences, "-", stdin="\n".join(lines).encode())
    assert (result.exit_code, breaches(told)) == (0, BOTH)
    refusals = result.stderr.splitlines()
    assert [line.split(": ")[:3] for line in refusals] == [
        ["-", "line 5", "$"], ["-", "line 6", "$.lat"], ["-", "line 11", "$[1]"],
    ]  # fmt: skip
    assert run("--fences", files.fences, "--strict", "-", stdin="\n".join(lines).encode())[0].exit_code == 1


def test_who_wears_what_when_decides_whose_breach_it_is(files: Files) -> None:
    """d-2 is on another person from half past eight on; nobody wears d-1."""
    people = [
        {"subject_id": "anna", "agency": "default", "case_ref": "2026-0007", "time_zone": "Asia/Shanghai"},
        {"activation_id": "a-1", "device_id": "d-2", "subject_id": "bert", "order_id": "o", "agency": "default",
         "starts_at": "2026-11-23T07:00:00Z", "ends_at": "2026-11-23T08:25:00Z"},
        {"activation_id": "a-2", "device_id": "d-2", "subject_id": "anna", "order_id": "o", "agency": "default",
         "starts_at": "2026-11-23T08:25:00Z"},
    ]  # fmt: skip
    path = files.write("people.json", json.dumps(people))
    fences = files.write("anna.geojson", files.collection(home("h2", 30.40, subjects=["anna"])))
    result, lines = run("--fences", fences, "--subjects", path, "--explain", files.fixes)
    opened = [line for line in lines if line["type"] == "breach.opened"]
    assert [(line["subject_id"], line["activation_id"]) for line in opened] == [("anna", "a-2")]
    assert opened[0]["explanation"]["en"].startswith("2026-0007 left “home of h2” at 16:3")
    assert "d-1" in result.stderr


def test_a_subject_may_name_its_device(files: Files) -> None:
    path = files.write("wearer.json", json.dumps({"subject_id": "carl", "agency": "default", "device_id": "d-1"}))
    fences = files.write("carl.geojson", files.collection(home("h1", 30.27, subjects=["carl"])))
    _, lines = run("--fences", fences, "--subjects", path, files.fixes)
    assert {line["subject_id"] for line in lines if line["type"] == "breach.opened"} == {"carl"}


def test_leave_from_a_file(files: Files) -> None:
    leave = {
        "leave_id": "l-1", "subject_id": "d-1", "state": "approved",
        "starts_at": "2026-11-23T08:00:00Z", "ends_at": "2026-11-23T10:00:00Z",
    }  # fmt: skip
    path = files.write("leaves.json", json.dumps([leave]))
    _, lines = run("--fences", files.fences, "--leaves", path, files.fixes)
    assert breaches(lines) == [("breach.opened", "d-2"), ("breach.closed", "d-2")]


def test_only_a_stretch_of_time(files: Files) -> None:
    _, lines = run(
        "--fences", files.fences, "--from", "2026-11-23T08:20:00Z", "--to", "2026-11-23T08:50:00Z", files.fixes
    )
    assert ("breach.opened", "d-2") in breaches(lines)
    assert [line for line in lines if line["detected_at"] < "2026-11-23T08:20:00"] == []
    assert run("--fences", files.fences, "--to", "2026-11-23T08:05:00Z", files.fixes)[1] == []


def test_sentences_and_pictures(files: Files) -> None:
    folder = files.folder / "pictures"
    _, lines = run("--fences", files.fences, "--explain", "--png", str(folder), files.fixes)
    assert all(set(line["explanation"]) == {"en", "zh-CN"} for line in lines)
    drawn = sorted(path.name for path in folder.iterdir())
    assert len(drawn) == 4
    opened = next(line for line in lines if line["type"] == "breach.opened")
    assert drawn[0] == f"0001-breach.opened-{opened['incident_id']}.png"


DRAFT = "fences: {h1: {buffer_m: 2000}, h2: {schedule: {time_zone: UTC, windows: [{start: 08:32, end: 09:00}]}}}"


def test_a_draft_against_the_current_rules(files: Files) -> None:
    path = files.write("draft.yaml", DRAFT)
    result, lines = run("--fences", files.fences, "--rules", path, "--against", "builtin", files.fixes)
    assert result.exit_code == 0
    changes = {line["fence_id"]: line for line in lines if "change" in line}
    assert changes["h1"]["change"] == "dropped"
    assert changes["h2"]["change"] == "moved"
    assert changes["h2"]["after"]["since"] == "2026-11-23T08:32:00.000Z"
    assert changes["h2"]["before"]["until"] == changes["h2"]["after"]["until"]
    assert "h1" in changes["h1"]["explanation"]["en"]
    sums = {(line["sums"], line.get(line["sums"])): line for line in lines if "sums" in line}
    assert (sums["fence_id", "h1"]["before"], sums["fence_id", "h1"]["after"]) == (1, 0)
    assert sums["subject_id", "d-2"]["moved"] == 1


def test_rules_against_themselves_change_nothing(files: Files) -> None:
    path = files.write("same.yaml", DRAFT)
    _, lines = run("--fences", files.fences, "--rules", path, "--against", path, files.fixes)
    assert [line for line in lines if "change" in line] == []


def test_incidents_name_the_draft_they_were_judged_by(files: Files) -> None:
    path = files.write("careful.yaml", "verdict: {open_at: 0.995}")
    _, lines = run("--fences", files.fences, "--rules", path, files.fixes)
    _, plain = run("--fences", files.fences, files.fixes)
    assert len({line["rule_version"] for line in lines}) == 1
    assert not any("rule_version" in line for line in plain)


@pytest.mark.parametrize(
    ("asked", "verdict", "words"),
    [
        ("d-1@2026-11-23T08:05:00Z", "kept", "inside"),
        ("d-1@2026-11-23T08:20:00Z", "broken", "an alert stands since 08:10"),
        ("d-2@2026-11-23T08:20:00Z", "kept", "inside"),
    ],
)
def test_why_no_alert_duty_by_duty(files: Files, asked: str, verdict: str, words: str) -> None:
    _, (answer,) = run("--fences", files.fences, "--why", asked, files.fixes)
    (duty,) = answer["duties"]
    assert (duty["verdict"], words in duty["reason"]) == (verdict, True), duty


def test_why_no_alert_outside_of_the_hours(files: Files) -> None:
    hours = {"time_zone": "UTC", "windows": [{"start": "21:00", "end": "06:00"}]}
    fences = files.write("hours.geojson", files.collection(home("h1", 30.27, subjects=["d-1"], schedule=hours)))
    _, (answer,) = run("--fences", fences, "--why", "d-1@2026-11-23T08:20:00Z", files.fixes)
    (duty,) = answer["duties"]
    assert duty["verdict"] == "no_duty"
    assert duty["reason"].endswith("the duty does not hold at this hour; it begins at 21:00:00 on 23 Nov 2026")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("d-9@2026-11-23T08:20:00Z", "no activation and no fix"),
        ("d-1@2026-11-23T07:20:00Z", "no activation and no fix"),
        ("d-1@2026-11-23T12:20:00Z", "old"),
    ],
)
def test_why_no_alert_where_nothing_was_heard(files: Files, asked: str, words: str) -> None:
    _, (answer,) = run("--fences", files.fences, "--why", asked, files.fixes)
    assert words in answer["reason"]


def test_fixes_set_aside_are_counted(files: Files) -> None:
    mocked = [fix | {"mock": True} for fix in trip("d-1", 30.27, 1)]
    stdin = "\n".join(map(json.dumps, mocked)).encode()
    _, (answer,) = run("--fences", files.fences, "--why", "d-1@2026-11-23T08:50:00Z", "-", stdin=stdin)
    assert answer["ignored"] == {"invented by an app": 201}


@pytest.mark.parametrize(
    ("rules", "words"),
    [("verdict: {openat: 1}", "$.verdict"), ("verdict: [", "line 1"), ("fences: {h1: {buffer_m: 0}}", "no inside")],
)
def test_rules_that_cannot_be_used_are_refused_with_the_field(files: Files, rules: str, words: str) -> None:
    result, lines = run("--fences", files.fences, "--rules", files.write("bad.yaml", rules), files.fixes)
    assert (result.exit_code, lines) == (2, [])
    assert words in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("{fixes}",), ("--fences", "{fixes}", "{fixes}"), ("--why", "d-1", "--fences", "{fences}", "{fixes}"),
     ("--fences", "{fences}", "--from", "noon", "{fixes}"), ("--fences", "/nowhere", "{fixes}")],
)  # fmt: skip
def test_wrong_options_and_files_end_with_two(files: Files, arguments: tuple[str, ...]) -> None:
    told = [part.format(fixes=files.fixes, fences=files.fences) for part in arguments]
    result, lines = run(*told)
    assert (result.exit_code, lines) == (2, [])
    assert result.stderr


def test_a_fence_that_cannot_be_used_costs_only_itself(files: Files) -> None:
    both = files.collection(home("h1", 30.27, subjects=["d-1"]), home("bad", 30.27, datum="mars"))
    result, lines = run("--fences", files.write("one_bad.geojson", both), files.fixes)
    assert result.exit_code == 0
    assert ("breach.opened", "d-1") in breaches(lines)
    assert "feature 2 (bad): $.properties.datum" in result.stderr


def test_an_empty_file_says_nothing(files: Files) -> None:
    result, lines = run("--fences", files.fences, "-", stdin=b"")
    assert (result.exit_code, lines) == (0, [])


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with embedded_broker() as bootstrap:
        asyncio.run(create_topics(Settings(broker=bootstrap, partitions=3), []))
        yield bootstrap


def test_history_on_the_broker_gives_what_the_file_gives(broker: str, files: Files) -> None:
    """Fences and fixes put on topics, over three partitions; the same incidents, ids included."""
    activations = [
        {"activation_id": d, "device_id": d, "subject_id": d, "order_id": "none", "agency": "default",
         "starts_at": "2026-01-01T00:00:00Z"} for d in ("d-1", "d-2")
    ]  # fmt: skip
    effective = [
        home(f"h{n}", lat, subjects=[f"d-{n}"], effective_from="2026-01-01T00:00:00Z")
        for n, lat in ((1, 30.27), (2, 30.40))
    ]
    fences = files.write("effective.geojson", files.collection(*effective))
    worn = files.write("worn.json", json.dumps(activations))
    for kind, path in (("fences", fences), ("activations", worn)):
        result = CliRunner().invoke(load, [kind, path, "--broker", broker], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
    producer = KafkaProducer(bootstrap_servers=broker)
    for line in Path(files.fixes).read_text().splitlines():
        producer.send("fixes", line.encode(), key=json.loads(line)["device_id"].encode())
    producer.flush()
    producer.close()
    _, expected = run("--fences", fences, "--activations", worn, files.fixes)
    result, lines = run("--broker", broker)
    assert result.exit_code == 0, result.stderr
    assert sorted(lines, key=str) == sorted(expected, key=str)
    assert breaches(expected) == BOTH
    draft = files.write("draft.yaml", DRAFT)
    _, changed = run("--broker", broker, "--rules", draft, "--against", "builtin")
    assert {line["change"] for line in changed if "change" in line} == {"dropped", "moved"}
    assert run("--broker", broker, "--to", "2026-01-01T00:00:00Z")[1] == []


def test_no_broker_ends_with_three() -> None:
    result, _ = run("--broker", "127.0.0.1:1")
    assert result.exit_code == 3
    assert "127.0.0.1:1" in result.stderr
