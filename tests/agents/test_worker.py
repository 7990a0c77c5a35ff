"""A worker as a process, on the embedded broker."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fenceline.embedded import embedded_broker
from schemas.topics import FIXES, INCIDENTS
from tests.support.tally import AGENT
from tests.support.workers import WorkerProcess, follow, make_topics, send_all, wait_for

TALLY = ["-m", "tests.support.tally"]


@pytest.fixture
def worker(broker: str, tmp_path: Path) -> Iterator[WorkerProcess]:
    make_topics(broker, [AGENT])
    worker = WorkerProcess(broker, tmp_path, TALLY, worker_session_timeout_s="6")
    worker.start()
    worker.wait_ready()
    yield worker
    worker.kill()


def fix(device: str, second: int) -> tuple[str, str, bytes]:
    value = {"device_id": device, "fix_time": f"2026-01-01T00:00:{second:02}Z", "lat": 1, "lon": 1}
    return FIXES.name, device, json.dumps(value).encode()


def passages(records: list[Any]) -> list[int]:
    incidents = [json.loads(raw.value) for raw in records]
    return [one["evidence"]["fixes"] for one in incidents if one["type"] == "passage"]


def fence(name: str) -> tuple[str, str, bytes]:
    return "fences", "f1", json.dumps({"properties": {"name": name}}).encode()


async def test_an_edit_is_in_force_on_a_running_worker_within_two_seconds(broker: str, worker: WorkerProcess) -> None:
    """Fixes go on and on; the first incident that names the edited fence comes within two seconds of the edit."""
    await send_all(broker, [fence("first")])
    second = 0

    def names(found: dict[str, list[Any]]) -> list[str]:
        return [json.loads(raw.value)["evidence"].get("fence") for raw in found[INCIDENTS.name]]

    for name in ("first", "second"):
        await send_all(broker, [fence(name)])
        edited_at = time.monotonic()
        while True:
            await send_all(broker, [fix("d1", second % 60) for _ in range(10)])
            second += 1
            found = await follow(broker, [INCIDENTS.name], lambda found, n=second: len(names(found)) >= n, 10)
            if names(found)[-1] == name:
                break
        assert time.monotonic() - edited_at < 2.0


async def test_sigterm_writes_the_state_leaves_the_group_and_exits_with_0(
    broker: str, worker: WorkerProcess, tmp_path: Path
) -> None:
    await send_all(broker, [fix("d1", second) for second in range(15)])
    await follow(broker, [INCIDENTS.name], lambda found: len(found[INCIDENTS.name]) >= 1, 10)
    wait_for(lambda: (worker.health() or {})["agents"]["tally"]["judged"] == 15, 30)
    began = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - began < 5
    next_ = WorkerProcess(broker, tmp_path, TALLY, worker_session_timeout_s="6")
    next_.start()
    try:
        next_.wait_ready()
        health = next_.health()
        assert health is not None
        assert health["agents"]["tally"] == {"partitions": [0, 1, 2, 3], "judged": 0}
        await send_all(broker, [fix("d1", second) for second in range(15, 20)])
        found = await follow(broker, [INCIDENTS.name], lambda found: len(passages(found[INCIDENTS.name])) >= 2, 10)
        assert passages(found[INCIDENTS.name]) == [10, 20]
    finally:
        next_.kill()


async def test_a_worker_without_topics_says_what_to_do(broker: str, tmp_path: Path) -> None:
    worker = WorkerProcess(broker, tmp_path, ["-m", "fenceline", "worker", "--agents", "locate", "--health-port"])
    worker.start()
    wait_for(lambda: not worker.running, 30)
    assert "fenceline topics create" in worker.told()


def test_sigterm_ends_it_although_the_broker_is_away(tmp_path: Path) -> None:
    with embedded_broker() as broker:
        make_topics(broker, [AGENT])
        worker = WorkerProcess(broker, tmp_path, TALLY, worker_session_timeout_s="6")
        worker.start()
        worker.wait_ready()
    try:
        assert worker.stop(patience_s=20) == 0
    finally:
        worker.kill()
