"""`fenceline token` and `fenceline gateway` as an operator types them."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from fenceline.embedded import free_port, stop
from tests.support.site import Site, fix, running_site, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


def _run(broker: str, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "FENCELINE_BROKER": broker, **settings}
    command = [sys.executable, "-m", "fenceline", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def _said(site: Site, *arguments: str) -> list[dict[str, Any]]:
    done = _run(site.broker, *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_token_from_issue_to_revocation(site: Site) -> None:
    """Printed once and usable at once; listed without its secret; refused within seconds of its revocation."""
    (issued,) = _said(site, "token", "issue", "--role", "device", "--device", "b-1", "--expires", "90d", "--rate", "5")
    token = issued["token"]
    until(lambda: site.post("/v1/fixes", fix("b-1"), token=token).status_code == 202, 5.0, "the token's use")
    expires_at = datetime.fromisoformat(issued["expires_at"])
    assert abs(expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=2)
    listed = next(one for one in _said(site, "token", "list") if one["token_id"] == issued["token_id"])
    assert listed == {name: value for name, value in issued.items() if name != "token"}
    assert listed["fixes_per_s"] == 5.0
    (revoked,) = _said(site, "token", "revoke", issued["token_id"])
    assert revoked["revoked_at"]
    until(lambda: site.post("/v1/fixes", fix("b-1"), token=token).status_code == 401, 5.0, "the revocation")
    on_topic = [one.value for one in site.read("credentials") if one.key == issued["token_id"].encode()]
    assert token.split("_", 2)[2] not in json.dumps(on_topic)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("issue", "--role", "device"), "--device ID"),
        (("issue", "--role", "officer"), "--principal NAME"),
        (("issue", "--role", "king"), "king"),
        (("issue", "--role", "device", "--device", "d", "--expires", "soon"), "90d"),
        (("issue", "--role", "device", "--device", "d", "--expires", "2020-01-01T00:00:00Z"), "past"),
        (("issue", "--role", "device", "--device", "d", "--rate", "0"), "rate"),
        (("revoke", "nobody"), "fenceline token list"),
    ],
)
def test_a_mistyped_command_says_how_to_mend_it(site: Site, arguments: tuple[str, ...], wanted: str) -> None:
    done = _run(site.broker, "token", *arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    assert wanted in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_that_is_not_there_is_named() -> None:
    broker = f"127.0.0.1:{free_port()}"
    done = _run(broker, "token", "list")
    assert done.returncode != 0
    assert broker in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gateway_that_cannot_start_says_why(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _run(site.broker, "gateway", "--port", port)
    assert done.returncode != 0
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    done = _run(site.broker, "gateway", "--port", "0", "--mqtt", "http://x")
    assert done.returncode != 0
    assert "mqtt://" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gateway_without_a_broker_is_alive_and_not_ready() -> None:
    """It waits for the broker, says so, takes nothing, and ends when told."""
    port = free_port()
    environ = {**os.environ, "FENCELINE_BROKER": f"127.0.0.1:{free_port()}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "fenceline", "gateway", "--port", str(port)], env=environ, stderr=subprocess.PIPE
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:

            def alive() -> bool:
                try:
                    return client.get("/healthz").status_code == httpx.codes.OK
                except httpx.TransportError:
                    return False

            until(alive)
            assert client.get("/readyz").status_code == 503
            answer = client.post("/v1/fixes", json=fix("d"))
            assert (answer.status_code, answer.json()["error"]) == (503, "not_ready")
            assert int(answer.headers["retry-after"]) >= 1
    finally:
        process.terminate()
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"broker_awaited" in log
    assert b"Traceback" not in log


def test_two_gateways_may_share_a_port(site: Site, tmp_path: Path) -> None:
    """One a core; a token issued once is known to both, and either ends without the other."""
    port = free_port()
    environ = {**os.environ, "FENCELINE_BROKER": site.broker, "FENCELINE_REDIS_URL": site.redis_url}
    command = [sys.executable, "-m", "fenceline", "gateway", "--port", str(port), "--share-port"]
    with (tmp_path / "log").open("wb") as log:
        two = [subprocess.Popen(command, env=environ, stderr=log) for _ in range(2)]
    try:
        until(lambda: (tmp_path / "log").read_text().count("gateway_ready") == 2, 40.0, "both")
        headers = {"authorization": f"Bearer {site.issue('b-two')}"}

        def posted() -> int:
            return httpx.post(f"http://127.0.0.1:{port}/v1/fixes", json=fix("b-two"), headers=headers).status_code

        until(lambda: {posted() for _ in range(20)} == {202}, 10.0, "the token's use at both")
        two[0].terminate()
        assert two[0].wait(30) == 0
        assert {posted() for _ in range(10)} == {202}
    finally:
        for one in two:
            stop(one, patience_s=25.0)
