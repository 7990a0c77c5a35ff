"""Everything on one machine: starts the parts, waits until all are ready, and stops them in reverse."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx

from fenceline.embedded import embedded_broker, embedded_redis, free_port, stop

READY_TIMEOUT_S = 90.0


class PartFailed(RuntimeError):
    """A part of the system ended or did not become ready; carries its last log lines."""


@dataclass(frozen=True)
class Stack:
    """The running system. `urls`: where each part answers; `environ`: the settings that all parts share."""

    broker: str
    redis_url: str
    environ: Mapping[str, str]
    logs: Path
    urls: dict[str, str] = field(default_factory=dict)
    _parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        port: int,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start `fenceline <arguments>`, which answers at ``http://127.0.0.1:<port>``; `ready` waits for it.

        `environ`: settings of this part beyond those that all share.
        """
        log = self.logs / f"{name}.log"
        with log.open("wb") as sink:
            self._parts[name] = subprocess.Popen(
                [sys.executable, "-m", "fenceline", *arguments],
                stdout=sink,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environ, **environ},
                start_new_session=True,  # Ctrl-C reaches the demo alone, which stops the parts in order
            )
        self.urls[name] = f"http://127.0.0.1:{port}"

    def ready(self) -> None:
        """Wait until every part's ``/readyz`` answers 200.

        Raises:
            PartFailed: one ended, or was not ready in time.
        """
        for name, url in self.urls.items():
            self._wait_ready(name, f"{url}/readyz")

    def run(self, arguments: Sequence[str]) -> None:
        """Run `fenceline <arguments>` to its end.

        Raises:
            PartFailed: it did not end well.
        """
        done = subprocess.run(
            [sys.executable, "-m", "fenceline", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **self.environ},
        )
        if done.returncode:
            raise PartFailed(
                f"fenceline {' '.join(arguments)} ended with code {done.returncode}:\n{done.stderr[-3000:]}"
            )

    def _wait_ready(self, name: str, url: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(url, timeout=2.0).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise PartFailed(f"{name} was not ready at {url} within {READY_TIMEOUT_S:g} s:\n{self._tail(name)}")

    def _tail(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text(errors="replace")[-3000:]

    def check(self) -> None:
        """Nothing if all parts run.

        Raises:
            PartFailed: one of them has ended.
        """
        for name, process in self._parts.items():
            if process.poll() is not None:
                raise PartFailed(f"{name} ended with code {process.returncode}:\n{self._tail(name)}")

    def stop(self) -> None:
        """Stop all parts, the last started first."""
        for process in reversed(self._parts.values()):
            stop(process, patience_s=10.0)
        self._parts.clear()


@contextmanager
def running(data_dir: Path, partitions: int = 4) -> Iterator[Stack]:
    """The embedded broker and Redis, ready, with nothing else started yet; all is stopped when the block ends."""
    logs = data_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        broker = stack.enter_context(embedded_broker())
        redis_url = stack.enter_context(embedded_redis())
        environ = {
            "FENCELINE_BROKER": broker,
            "FENCELINE_REDIS_URL": redis_url,
            "FENCELINE_PARTITIONS": str(partitions),
            "FENCELINE_DATA_DIR": str(data_dir),
        }
        parts = Stack(broker, redis_url, environ, logs)
        stack.callback(parts.stop)
        yield parts


__all__ = ["PartFailed", "Stack", "free_port", "running"]
