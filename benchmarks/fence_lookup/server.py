"""The ways that ask a server over RESP, Tile38's protocol: fences by SET, each fix by INTERSECTS, pipelined."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.fence_lookup.ways import Measured, Pairs, best_of
from benchmarks.fence_lookup.world import World
from fenceline.embedded import free_port, stop

PIPELINE = 500
PEER = Path(__file__).with_name("peer")


def tile38_program() -> str | None:
    """Tile38's own server, if this machine has it: named by TILE38_SERVER, or on the path."""
    return os.environ.get("TILE38_SERVER") or shutil.which("tile38-server")


def peer_program(folder: Path) -> str | None:
    """The server in `peer/`, built with the Go on this machine: Tile38's tree, geometry and protocol libraries."""
    go = shutil.which("go")
    if go is None:
        return None
    built = folder / "peer-server"
    subprocess.run([go, "build", "-o", str(built), "."], cwd=PEER, check=True, timeout=600)
    return str(built)


@contextmanager
def running(program: str) -> Iterator[socket.socket]:
    """A connection to `program`, started on a free port with a folder of its own."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        arguments = [program, "-p", str(port), "-h", "127.0.0.1", "-d", folder, "--appendonly", "no"]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with _connected(port, process) as connection:
                yield connection
        finally:
            stop(process)


def _connected(port: int, process: "subprocess.Popen[bytes]") -> socket.socket:
    deadline = time.monotonic() + 20
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


def command(*words: str) -> bytes:
    """A command as RESP writes it."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def reply(stream: Any) -> Any:
    """The next reply on `stream`: text, a number, or a list of these.

    Raises:
        RuntimeError: the server answered with an error.
    """
    head = stream.readline()
    kind, rest = head[:1], head[1:-2]
    if kind == b"*":
        return [reply(stream) for _ in range(int(rest))]
    if kind == b"$":
        text = stream.read(int(rest) + 2)[:-2]
        return text.decode()
    if kind == b":":
        return int(rest)
    if kind == b"+":
        return rest.decode()
    raise RuntimeError(f"the server says {head!r}")


def look_up_by(program: str, world: World, fixes: int) -> Measured:
    """Fences stored by SET, then every fix asked by INTERSECTS for the ids, `PIPELINE` commands at a time."""
    with running(program) as connection, connection.makefile("rb") as stream:
        start = time.perf_counter()
        sets = (
            command("SET", "fences", str(number), "OBJECT", json.dumps(world.geometry(number)))
            for number in range(len(world.rings))
        )
        _all(connection, stream, sets)
        setup_s = time.perf_counter() - start
        asked = [
            command("INTERSECTS", "fences", "LIMIT", "100000", "IDS", "OBJECT",
                    f'{{"type":"Point","coordinates":[{lon!r},{lat!r}]}}')
            for lat, lon in zip(world.lat[:fixes].tolist(), world.lon[:fixes].tolist(), strict=True)
        ]  # fmt: skip

        def look_up() -> Pairs:
            answers = _all(connection, stream, iter(asked))
            return {(row, int(number)) for row, answer in enumerate(answers) for number in answer[1]}

        seconds, inside = best_of(2, look_up)
    return Measured(fixes, seconds, setup_s, inside)


def _all(connection: socket.socket, stream: Any, commands: Iterator[bytes]) -> list[Any]:
    """The replies to `commands`, sent in pipelines."""
    replies: list[Any] = []
    while True:
        some = list(islice(commands, PIPELINE))
        if not some:
            return replies
        connection.sendall(b"".join(some))
        replies.extend(reply(stream) for _ in some)
