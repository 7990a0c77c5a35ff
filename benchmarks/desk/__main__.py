"""`python -m benchmarks.desk [--devices N]`: one JSON object on stdout.

The desk in a real Chromium: how many bytes its first load takes, compressed as the console sends it; and how long
frames take while N positions move once a second. The pages are the console's own; what they ask is answered here with
made-up people, so that nothing but the page is measured. Software rendering: a graphics processor makes frames shorter.
Beside it, the same canvas with nothing to draw: what the browser itself takes.
"""

import asyncio
import json
import math
import os
import platform
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any

import click
from aiohttp import web
from playwright.sync_api import Page, sync_playwright

from console.pages import ROOT, read_assets
from fenceline.embedded import free_port, stop

SPREAD_DEG = 0.25
SAMPLE_S = 10.0
FRAMES = """(seconds) => new Promise((resolve) => {
  const times = []; let last = performance.now(); const end = last + 1000 * seconds;
  const step = (now) => {
    times.push(now - last); last = now;
    if (now < end) requestAnimationFrame(step); else resolve(times);
  };
  requestAnimationFrame(step);
})"""


class Town:
    """People who walk about."""

    def __init__(self, count: int) -> None:
        chance = random.Random(1)
        self.places = [(30 + chance.uniform(0, SPREAD_DEG), 120 + chance.uniform(0, SPREAD_DEG)) for _ in range(count)]
        self.steps = [chance.uniform(0, 2 * math.pi) for _ in range(count)]

    def people(self) -> dict[str, Any]:
        """As `GET /api/v1/people`."""
        people = [
            {"subject_id": f"s-{n}", "agency": "justice", "case_ref": f"C-{n}", "colour": "green", "points": 100,
             "device_ids": [f"d-{n}"], "open_alerts": 0, "state": "ok"}
            for n in range(len(self.places))
        ]  # fmt: skip
        return {"people": people, "now": _now()}

    def rows(self) -> list[list[Any]]:
        """As the rows of `GET /api/v1/positions`, everybody a step on."""
        t_ms = int(time.time() * 1000)
        for n, (lat, lon) in enumerate(self.places):
            self.places[n] = lat + 1e-4 * math.sin(self.steps[n]), lon + 1e-4 * math.cos(self.steps[n])
        return [
            [f"d-{n}", f"s-{n}", t_ms, round(lat, 6), round(lon, 6), 8.0, n % 40 // 38, 0, 0]
            for n, (lat, lon) in enumerate(self.places)
        ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _app(town: Town) -> web.Application:
    assets = read_assets()

    async def page(request: web.Request) -> web.Response:
        name = ROOT.get(request.path) or request.path.removeprefix("/static/")
        asset = assets.get(name)
        if asset is None:
            raise web.HTTPNotFound
        headers = {"content-type": asset.kind, "etag": asset.tag}
        if asset.packed:
            return web.Response(body=asset.packed, headers=headers | {"content-encoding": "gzip"})
        return web.Response(body=asset.plain, headers=headers)

    def answer(found: Any) -> Any:
        async def handler(_: web.Request) -> web.Response:
            return web.json_response(found() if callable(found) else found)

        return handler

    async def events(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(f'event: hello\ndata: {{"now": "{_now()}"}}\n\n'.encode())
        with suppress(ConnectionResetError):  # the page was closed
            while True:
                await stream.write(f"event: positions\ndata: {json.dumps({'rows': town.rows()})}\n\n".encode())
                await asyncio.sleep(1)
        return stream

    me = {"principal": "chen", "role": "officer", "agency": "justice", "csrf": "x", "settings": {"tiles": ""}}
    app = web.Application()
    app.add_routes([web.get(path, page) for path in ROOT])
    app.add_routes([
        web.get("/static/{name:.*}", page),
        web.get("/api/v1/me", answer(me)),
        web.get("/api/v1/people", answer(town.people)),
        web.get("/api/v1/positions", answer(lambda: {"rows": town.rows(), "now": _now()})),
        web.get("/api/v1/alerts", answer(lambda: {"alerts": [], "total": 0, "now": _now()})),
        web.get("/api/v1/tasks", answer(lambda: {"tasks": [], "total": 0, "now": _now()})),
        web.get("/api/v1/fences", answer({"type": "FeatureCollection", "features": []})),
        web.get("/api/v1/leaves", answer({"leaves": []})),
        web.get("/api/v1/events", events),
    ])  # fmt: skip
    return app


@contextmanager
def _serving(devices: int) -> Iterator[str]:
    """The pages and their answers, from a process of their own."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.desk", "--serve", str(port), "--devices", str(devices)]
    process = subprocess.Popen(command)
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def _frames(page: Page) -> dict[str, float]:
    times = page.evaluate(FRAMES, SAMPLE_S)[1:]
    cuts = quantiles(times, n=100)
    return {
        "frames_per_s": round(len(times) / SAMPLE_S, 1),
        "median_ms": round(median(times), 1),
        "p95_ms": round(cuts[94], 1),
        "longest_ms": round(max(times), 1),
    }


def _first_load(page: Page, url: str) -> dict[str, Any]:
    """Bytes over the line for the first load of the pages' own files."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    urls: dict[str, str] = {}
    sizes: dict[str, float] = {}
    session.on("Network.requestWillBeSent", lambda e: urls.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    page.goto(f"{url}/desk")
    page.get_by_text("Live", exact=True).wait_for(timeout=60_000)
    page.wait_for_timeout(1_500)
    own = [size for name, size in sizes.items() if "/api/" not in urls.get(name, "")]
    return {"kilobytes": round(sum(own) / 1000, 1), "files": len(own)}


@click.command()
@click.option("--devices", default=10_000, show_default=True)
@click.option("--serve", "port", type=int, hidden=True, help="Only answer, on this port.")
def main(devices: int, port: int | None) -> None:
    """Measure, and print one JSON object."""
    if port is not None:
        web.run_app(_app(Town(devices)), host="127.0.0.1", port=port, print=None, access_log=None)
        return
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise click.ClickException("no Chromium: apt-get install chromium")
    found: dict[str, Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for count in (devices, 0):
            with _serving(count) as url:
                page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
                load = _first_load(page, url)
                found[f"{count}_positions"] = _frames(page)
                found["first_load"] = load
                page.close()
        browser.close()
    every, none = found[f"{devices}_positions"], found["0_positions"]
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    click.echo(
        json.dumps(
            {
                "benchmark": "desk",
                "machine": machine,
                "renderer": "software",
                "devices": devices,
                **found,
                "median_frame_to_empty": round(every["median_ms"] / none["median_ms"], 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
