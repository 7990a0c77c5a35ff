"""`fenceline tap`, as a program, on the embedded broker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.workers import send_all


@pytest.fixture
async def topics(broker: str) -> AsyncIterator[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic("incidents", 2, 1), NewTopic("fixes", 1, 1)])
    yield broker
    assert await admin.list_consumer_groups() == []
    await admin.close()


def begin(broker: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "fenceline", "tap", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FENCELINE_BROKER": broker},
        # whoever runs the tests in the background has Ctrl-C ignored, and so would we
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509  # one call, no lock
    )


def tap(broker: str, *arguments: str) -> list[dict[str, Any]]:
    process = begin(broker, *arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def incident(number: int, kind: str = "passage") -> tuple[str, str, bytes]:
    return "incidents", f"s{number}", json.dumps({"type": kind, "number": number}).encode()


async def test_all_that_is_there_meets_the_conditions_and_ends_at_the_limit(topics: str) -> None:
    await send_all(topics, [incident(n, "passage" if n % 2 else "breach.opened") for n in range(20)])
    lines = tap(
        topics, "incidents", "--from", "beginning", "--where", "type=passage", "--where", "number>4", "--limit", "3"
    )
    assert len(lines) == 3
    assert all(line["value"]["type"] == "passage" and line["value"]["number"] > 4 for line in lines)
    assert lines[0].keys() == {"topic", "partition", "offset", "timestamp", "key", "headers", "value"}


async def test_it_ends_at_the_end_if_told_not_to_follow(topics: str) -> None:
    await send_all(topics, [incident(n) for n in range(5)])
    lines = tap(topics, "incidents", "--from", "beginning", "--no-follow")
    assert sorted(line["value"]["number"] for line in lines) == [0, 1, 2, 3, 4]
    assert [
        line["key"] for line in tap(topics, "incidents", "--from", "beginning", "--no-follow", "--where", "_key=s3")
    ] == ["s3"]


async def test_each_fix_of_a_frame_has_a_line_and_what_is_no_json_comes_as_it_is(topics: str) -> None:
    await send_all(topics, [("fixes", "d", b'[{"lat":1},{"lat":2}]'), ("fixes", "d", b"\xff"), ("fixes", "d", None)])
    lines = tap(topics, "fixes", "--from", "beginning", "--no-follow")
    assert [(line.get("index"), line.get("value"), line.get("base64")) for line in lines] == [
        (0, {"lat": 1}, None),
        (1, {"lat": 2}, None),
        (None, None, "/w=="),
        (None, None, None),
    ]


async def test_it_follows_from_now_and_ends_quietly_at_ctrl_c(topics: str) -> None:
    await send_all(topics, [incident(1)])
    process = begin(topics, "incidents")
    assert process.stdout is not None
    seen = ""
    deadline = time.monotonic() + 60
    number = 100
    while not seen and time.monotonic() < deadline:
        number += 1
        await send_all(topics, [incident(number)])
        os.set_blocking(process.stdout.fileno(), False)
        seen = process.stdout.readline()
    assert json.loads(seen)["value"]["number"] > 100
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


async def test_from_a_time_on(topics: str) -> None:
    await send_all(topics, [incident(1)])
    lines = tap(topics, "incidents", "--from", "2000-01-01T00:00:00Z", "--no-follow")
    assert len(lines) == 1
    assert tap(topics, "incidents", "--from", "2100-01-01T00:00:00Z", "--no-follow") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["incident"], "there is no topic 'incident'; there are: fixes, incidents"),
        (["incidents", "--from", "yesterday"], "is no moment; write beginning, now, or one like"),
        (["incidents", "--where", "type"], "is not a condition; write FIELD=VALUE"),
    ],
)
async def test_what_cannot_be_done_is_said_with_what_can(topics: str, arguments: list[str], said: str) -> None:
    process = begin(topics, *arguments)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert said in err


def test_no_broker_is_said() -> None:
    process = begin("127.0.0.1:1", "incidents")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "no answer from the broker at 127.0.0.1:1" in err
