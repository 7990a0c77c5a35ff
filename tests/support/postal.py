"""A notifier as operators run it: worker, senders, a broker, Redis, a stand-in for Twilio; parts may be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from fenceline.embedded import free_port

READY_TIMEOUT_S = 240.0


class Part:
    """A process of `fenceline`, with its health page."""

    def __init__(self, folder: Path, arguments: tuple[str, ...], environ: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FENCELINE_")},
            **{f"FENCELINE_{name.upper()}": value for name, value in environ.items()},
        }
        self.log = folder / f"{arguments[0]}-{id(self)}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> "Part":
        """Start it; it may take a while until it is ready. Started again, it answers where it did."""
        self.port = self.port or free_port()
        option = "--port" if self._arguments[0] in ("console", "gateway") else "--health-port"
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fenceline", *self._arguments, option, str(self.port)],
                env=self._environ,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> "Part":
        """Wait until it says that it is ready."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            try:
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == httpx.codes.OK:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log.read_text()[-3000:]}")

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it without a word."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.returncode
