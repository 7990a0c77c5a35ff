"""The command line of scores, alerts, rules and the audit, against a running worker on the embedded broker."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.agent import agents_named
from fenceline.cli import main
from fenceline.embedded import embedded_broker
from pipeline.scoring.ledger import entry_id_of
from schemas.message import encode
from schemas.reference import Subject
from tests.support.office import incident
from tests.support.workers import WorkerProcess, make_topics, read_all, send_all, wait_for

NAMES = "score,alert,area,coordinate,audit"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker with topics, two people (one for each test), and a worker that judges."""
    with embedded_broker() as broker:
        make_topics(broker, agents_named(NAMES.split(",")))
        people = [Subject(subject_id=name, agency="justice") for name in ("s1", "s2")]
        asyncio.run(send_all(broker, [("subjects", one.subject_id, encode(one)) for one in people]))
        arguments = ["-m", "fenceline", "worker", "--agents", NAMES, "--health-port"]
        worker = WorkerProcess(broker, tmp_path_factory.mktemp("worker"), arguments)
        worker.start()
        try:
            worker.wait_ready()
            yield broker
        finally:
            worker.kill()


def call(*arguments: str, broker: str | None = None) -> Result:
    more = [] if broker is None else ["--broker", broker]
    return CliRunner().invoke(main, [*arguments, *more])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_duty_hour_on_the_command_line(running: str, tmp_path: Path) -> None:
    happened = [incident("i1", 0, "device.tamper"), incident("i2", 10, "identity.doubtful")]
    asyncio.run(send_all(running, [("incidents", "s1", encode(one)) for one in happened]))

    def alerts() -> list[dict[str, Any]]:
        raws = asyncio.run(read_all(running, "alerts"))
        return [json.loads(raw.value) for raw in raws if raw.key == b"s1"]

    wait_for(lambda: len(alerts()) >= 2, 30)
    tamper = next(one["alert_id"] for one in alerts() if one["rule"] == "tamper")
    officer = ("--by", "chen", "--agency", "justice")
    told = call("command", "alert.acknowledge", "s1", f"alert_id={tamper}", *officer, broker=running)
    assert (told.exit_code, lines(told)[0]["outcome"]) == (0, "done"), told.output
    told = call("command", "alert.acknowledge", "s1", f"alert_id={tamper}", *officer, broker=running)
    assert (told.exit_code, lines(told)[0]["code"]) == (1, "wrong_state")
    resolve = ("command", "alert.resolve", "s1", f"alert_id={tamper}", "outcome=false_alarm_device", *officer)
    assert call(*resolve, broker=running).exit_code == 0
    entry = entry_id_of("s1", "i1")
    contest = ("command", "score.contest", "s1", f"entry_id={entry}", "--by", "s1", "--role", "subject")
    assert call(*contest, broker=running).exit_code == 2, "a reason is needed"
    assert call(*contest, "--reason", "it fell off", broker=running).exit_code == 0

    explained = call("score", "explain", "s1", broker=running)
    assert explained.exit_code == 0
    assert " -20  2026-11-23: a device tampered with costs 20 points" in explained.stdout
    assert "contested (it fell off)" in explained.stdout
    assert "  80  green, as of" in explained.stdout
    as_json = lines(call("score", "explain", "s1", "--json", broker=running))
    assert as_json[-1]["explained"] == as_json[-1]["points"] == 80
    assert call("score", "explain", "nobody", broker=running).exit_code == 1

    replayed = call("score", "replay", broker=running)
    found = lines(replayed)[-1]
    assert (replayed.exit_code, found["same"], found["subjects"]) == (0, True, 1), replayed.output
    assert found["topic_sha256"] == found["anew_sha256"]
    draft = tmp_path / "draft.yaml"
    draft.write_text(
        call("rules", "show", "score").stdout.replace("points: 20", "points: 50").replace("day_cap: 20", "day_cap: 60")
    )
    tried = lines(call("score", "replay", "--rules", str(draft), broker=running))
    assert tried[0] == {"subject_id": "s1", "points": 80, "by_draft": 70, "colour_by_draft": "yellow"}, (
        "the day's cap is 30"
    )

    precise = lines(call("alerts", "precision", "--of", "rule", broker=running))
    assert (precise[0]["name"], precise[0]["wrong"]) == ("tamper", 1)
    heads = tmp_path / "heads.ndjson"
    whole = call("audit", "verify", "--records", broker=running)
    assert (whole.exit_code, lines(whole)[-1]) == (0, {"links": 4, "chains": 1, "breaks": 0})
    heads.write_text(whole.stdout)
    assert call("audit", "verify", "--heads", str(heads), broker=running).exit_code == 0
    forged = heads.read_text().replace('"seq": 4', '"seq": 5')
    heads.write_text(forged)
    broken = call("audit", "verify", "--heads", str(heads), broker=running)
    assert (broken.exit_code, lines(broken)[0]["break"]) == (1, "missing_head")


def test_rules_are_checked_before_they_are_published(running: str, tmp_path: Path) -> None:
    file = tmp_path / "alert.yaml"
    file.write_text(call("rules", "show", "alert").stdout.replace("default-1", "mine-1"))
    assert lines(call("rules", "check", "alert", str(file))) == [{"part": "alert", "version": "mine-1", "usable": True}]
    assert lines(call("rules", "publish", "alert", str(file), broker=running))[0]["version"] == "mine-1"
    wait_for(lambda: asyncio.run(read_all(running, "rules")), 60)

    def version() -> str:
        sos = incident(f"x{len(found())}", 0, "device.sos", subject_id="s2")
        asyncio.run(send_all(running, [("incidents", "s2", encode(sos))]))
        wait_for(lambda: len(found()) > 0, 60)
        return str(found()[-1]["rule_version"])

    def found() -> list[dict[str, Any]]:
        raws = asyncio.run(read_all(running, "alerts"))
        return [json.loads(raw.value) for raw in raws if raw.key == b"s2"]

    wait_for(lambda: version() == "mine-1", 60)
    file.write_text(file.read_text().replace("own: true ", "own: false "))
    refused = call("rules", "publish", "alert", str(file), broker=running)
    assert refused.exit_code == 2
    assert "never held back" in refused.stderr


def test_without_a_broker_each_says_so_and_ends_with_three() -> None:
    for arguments in (["score", "replay"], ["audit", "verify"], ["alerts", "precision"], ["score", "explain", "s1"]):
        result = call(*arguments, broker="127.0.0.1:1")
        assert result.exit_code == 3, arguments
        assert "FENCELINE_BROKER" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["alert.acknowledge", "s1", "--by", "x"], "alert_id"),
        (["alert.resolve", "s1", "alert_id=a", "outcome=guilty", "--by", "x"], "guilty"),
        (["score.reverse", "s1", "entry_id=e", "--by", "x"], "reason"),
        (["alert.acknowledge", "s1", "alert_id", "--by", "x"], "FIELD=VALUE"),
    ],
)
def test_what_is_no_command_is_refused_before_it_is_sent(arguments: list[str], why: str) -> None:
    result = call("command", *arguments, broker="127.0.0.1:1")
    assert result.exit_code == 2
    assert why in result.stderr
