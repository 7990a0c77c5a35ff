"""`python -m benchmarks.gateway [--seconds N] [--broker HOST:PORT]`: one JSON object on stdout.

Per size of request: requests and fixes a second, latencies, and the server's own processor time, for the gateway and
for a bare Litestar handler that only parses the same bodies. Generator, server and broker share the machine, so the
rates per processor second are the ones to compare between machines.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import click
import uvloop

from benchmarks.gateway.load import Run, load, request_bytes
from benchmarks.machine import machine
from fenceline.embedded import free_port, stop
from tests.support.site import running_site, until

SIZES = (1, 10, 100, 1000)
CONNECTIONS = 32
DEVICES = 5000


def _body(size: int, first: int) -> bytes:
    """A body like those of a fleet's feed: `size` fixes of as many devices."""
    fixes = [
        {
            "device_id": f"bracelet-{(first + number) % DEVICES:05d}",
            "fix_time": f"2026-11-23T12:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
            "lat": 31.0 + number * 1e-4,
            "lon": 121.0 + number * 1e-4,
            "accuracy_m": 8.5,
            "speed_mps": 1.25,
            "course_deg": 90.0,
            "battery_pct": 87.0,
            "provider": "gnss",
        }
        for number in range(size)
    ]
    return json.dumps(fixes if size > 1 else fixes[0], separators=(",", ":")).encode()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _bare() -> Iterator[tuple[int, int]]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.gateway.bare", str(port)])
    try:
        until(lambda: _listens(port), what="the bare handler")
        yield port, process.pid
    finally:
        stop(process)


def _listens(port: int) -> bool:
    try:
        run = asyncio.run(load(port, [request_bytes(_body(1, 0), "none")], 1, 0.01))
    except OSError:
        return False
    return run.statuses.get(202, 0) > 0


def _measured(port: int, pid: int, token: str, size: int, seconds: float) -> dict[str, Any]:
    requests = [request_bytes(_body(size, number * size), token) for number in range(64)]
    uvloop.run(load(port, requests, CONNECTIONS, seconds / 4))
    before = _cpu_s(pid)
    run: Run = uvloop.run(load(port, requests, CONNECTIONS, seconds))
    cpu_s = _cpu_s(pid) - before
    if set(run.statuses) != {202}:
        raise click.ClickException(f"answers other than 202: {run.statuses}")
    cuts = quantiles(run.latencies_s, n=100)
    return {
        "requests_per_s": round(run.requests / run.seconds),
        "fixes_per_s": round(run.requests * size / run.seconds),
        "fixes_per_cpu_s": round(run.requests * size / cpu_s),
        "requests_per_cpu_s": round(run.requests / cpu_s),
        "server_cpu_share": round(cpu_s / run.seconds, 2),
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
    }


@click.command()
@click.option("--seconds", default=5.0, show_default=True, help="Length of each run.")
def main(seconds: float) -> None:
    """Measure, and print one JSON object."""
    rates = {"GATEWAY_FEED_FIXES_PER_S": "1e9", "GATEWAY_FEED_BURST": "1e9", "GATEWAY_IN_FLIGHT_FIXES": "200000"}
    sizes: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, running_site(Path(folder), rates) as site, _bare() as (port, pid):
        token = site.issue("*", principal="feed", role="service", fixes_per_s=1e9, burst_fixes=1e9)
        gateway_port = int(site.url.rpartition(":")[2])
        for size in SIZES:
            gateway = _measured(gateway_port, site.process.pid, token, size, seconds)
            bare = _measured(port, pid, token, size, seconds)
            ratio = {name: round(gateway[name] / bare[name], 2) for name in ("requests_per_s", "requests_per_cpu_s")}
            sizes[str(size)] = {"gateway": gateway, "bare_litestar": bare, "gateway_to_bare": ratio}
        frames = site.metric("fenceline_gateway_frames_total")
        fixes = site.metric("fenceline_gateway_fixes_total")
    result = {"benchmark": "gateway", "machine": machine(), "broker": "embedded (Tansu), same machine",
              "connections": CONNECTIONS, "seconds": seconds, "fixes_per_request": sizes,
              "fixes_per_frame": round(fixes / frames, 1)}  # fmt: skip
    click.echo(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
