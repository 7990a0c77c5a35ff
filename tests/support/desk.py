"""The whole system as operators run it, on the embedded default, with browsers before it."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer
from PIL import Image

from agents.agent import agents_named
from agents.objectstore import new_master_key
from console.links import make_link
from fenceline.embedded import embedded_broker, embedded_redis
from fenceline.settings import read_settings
from schemas.credential import Role
from schemas.message import encode
from schemas.reference import Activation, Fence, Subject
from schemas.times import Instant, instant
from tests.support.homes import METRES_PER_DEGREE, partition_of
from tests.support.postal import Part
from tests.support.workers import PARTITIONS, make_topics, wait_for

AGENCY = "justice"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
PEOPLE = 6


def place(number: int) -> tuple[float, float]:
    """Where person `number` lives: latitude, longitude."""
    return 30.25 + 0.012 * (number // 3), 120.15 + 0.014 * (number % 3)


def now(seconds: float = 0) -> Instant:
    """A moment so far from now."""
    return instant(datetime.now(UTC) + timedelta(seconds=seconds))


def home(number: int) -> Fence:
    """The circle that person `number` is to stay in."""
    lat, lon = place(number)
    properties: dict[str, Any] = {"fence_id": f"home-{number}", "name": f"home of {number}", "rule": "stay_in"}
    properties |= {"subjects": [f"s-{number}"], "datum": "wgs84", "buffer_m": 150, "severity": "high", "agency": AGENCY}
    return msgspec.convert(
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": properties}, Fence
    )


@dataclass
class Desk:
    """What runs. `report` sends a device's fix to the gateway, `link` makes a way in."""

    broker: str
    environ: dict[str, str]
    folder: Path
    parts: dict[str, Part]
    tokens: dict[str, str]

    @property
    def url(self) -> str:
        """Where the console answers."""
        return self.parts["console"].url

    def run(self, *arguments: str) -> str:
        """A command as an operator types it; what it prints."""
        command = [sys.executable, "-m", "fenceline", *arguments]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def issue(self, role: Role, principal: str, device: str) -> str:
        """A new token."""
        told = self.run("token", "issue", "--role", role, "--principal", principal, "--device", device)
        return next(word for word in told.replace('"', " ").split() if word.startswith("fl_"))

    def await_token(self, token: str) -> None:
        """Wait until the console has heard of `token`, which takes it a moment."""
        known = {"authorization": f"Bearer {token}"}
        wait_for(lambda: httpx.get(f"{self.url}/api/v1/alerts", headers=known).status_code != 401, 30)

    def link(self, principal: str, role: Role = "officer") -> str:
        """A link that signs `principal` in, once."""
        of, devices = ("", (f"d-{principal[2:]}",)) if role == "subject" else (AGENCY, ())
        made = make_link(read_settings(self.environ), role, principal, of, self.url, devices)
        with ThreadPoolExecutor(1) as beside:  # Playwright has a loop in this thread
            return beside.submit(asyncio.run, made).result()

    def report(self, number: int, way: Iterable[tuple[float, float]]) -> None:
        """Person `number`'s device tells its way: how long ago (s) it was how far north of home (m)."""
        lat, lon = place(number)
        fixes = [
            {"device_id": f"d-{number}", "fix_time": str(now(-ago_s)), "lat": lat + north_m / METRES_PER_DEGREE,
             "lon": lon, "accuracy_m": 6.0, "battery_pct": 64.0}
            for ago_s, north_m in way
        ]  # fmt: skip
        headers = {"authorization": f"Bearer {self.tokens['feed']}"}
        answer = httpx.post(f"{self.parts['gateway'].url}/v1/fixes", json=fixes, headers=headers, timeout=30)
        assert answer.status_code in (200, 202), answer.text

    def leaves(self, number: int) -> None:
        """Person `number` goes off, at the speed of a bicycle."""
        self.report(number, [(60 - 5 * step, 30.0 * step) for step in range(13)])


@contextmanager
def running_desk(folder: Path) -> Iterator[Desk]:
    """All parts over an embedded broker and Redis, with a few people at home."""
    with embedded_broker() as broker, embedded_redis() as redis_url:
        make_topics(broker, agents_named())
        asyncio.run(_introduce(broker))
        given = {"broker": broker, "redis_url": redis_url, "partitions": str(PARTITIONS)}
        given |= {"data_dir": str(folder / "data"), "master_key": new_master_key(), "console_secure_cookies": "false"}
        environ = {**os.environ, **{f"FENCELINE_{name.upper()}": value for name, value in given.items()}}
        gateway = Part(folder, ("gateway",), given).start()
        parts = {
            "worker": Part(folder, ("worker",), given).start(),
            "gateway": gateway,
            "project": Part(folder, ("project",), given).start(),
            "examiner": Part(folder, ("examiner",), given).start(),
            "console": Part(folder, ("console",), {**given, "console_gateway": gateway.url}).start(),
        }
        desk = Desk(broker, environ, folder, parts, {})
        try:
            desk.tokens["feed"] = desk.issue("service", "feed", "*")
            for part in parts.values():
                part.ready()
            for number in range(PEOPLE):
                desk.report(number, [(ago, 0.0) for ago in range(300, 60, -15)])
            yield desk
        finally:
            for part in parts.values():
                part.kill()


async def _introduce(broker: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all")
    await producer.start()
    try:
        for number in range(PEOPLE):
            name = f"s-{number}"
            subject = Subject(subject_id=name, agency=AGENCY, case_ref=f"2026-{number:04}", language="en")
            worn = Activation(
                activation_id=f"a-{number}", device_id=f"d-{number}", subject_id=name, order_id=f"o-{number}",
                agency=AGENCY, starts_at=now(-86_400), ends_at=now(90 * 86_400),
            )  # fmt: skip
            at = partition_of(worn.device_id, PARTITIONS)
            await producer.send_and_wait("subjects", encode(subject), key=name.encode())
            await producer.send_and_wait("activations", encode(worn), key=worn.activation_id.encode(), partition=at)
            await producer.send_and_wait("fences", encode(home(number)), key=f"home-{number}".encode())
    finally:
        await producer.stop()


def camera_film(path: Path, face: Image.Image, frames: int = 20) -> None:
    """A film for Chromium's fake camera: the picture of a face, as raw YUV 4:2:0 at 10 frames a second."""
    width, height = 640, 480
    face = face.convert("RGB")
    scale = min(width / face.width, height / face.height)
    face = face.resize((int(face.width * scale), int(face.height * scale)))
    frame = Image.new("RGB", (width, height), (96, 104, 112))
    frame.paste(face, ((width - face.width) // 2, (height - face.height) // 2))
    y, cb, cr = (np.asarray(one) for one in frame.convert("YCbCr").split())
    raw = y.tobytes() + cb[::2, ::2].tobytes() + cr[::2, ::2].tobytes()
    with path.open("wb") as sink:
        sink.write(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode())
        for _ in range(frames):
            sink.write(b"FRAME\n" + raw)
