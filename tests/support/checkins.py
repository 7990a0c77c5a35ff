"""A site where people check in: gateway, worker and examiner as operators run them, and photographs of real people.

Both photographs come with packages: Eileen Collins with scikit-image, Grace Hopper with matplotlib; both are in the
public domain (NASA, US Navy).
"""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
from PIL import Image, ImageEnhance

from agents.agent import agents_named
from agents.objectstore import new_master_key
from fenceline.entries import read_entries
from fenceline.loading import load
from tests.support.site import Site, running_site, until
from tests.support.workers import WorkerProcess, make_topics, read_all

AGENTS = ("locate", "verify", "coordinate", "score")


def collins() -> Image.Image:
    return Image.open(io.BytesIO((files("skimage") / "data" / "astronaut.png").read_bytes())).convert("RGB")


def hopper() -> Image.Image:
    raw = (files("matplotlib") / "mpl-data" / "sample_data" / "grace_hopper.jpg").read_bytes()
    return Image.open(io.BytesIO(raw)).convert("RGB")


def jpeg(image: Image.Image, light: float = 1.0, quality: int = 92) -> bytes:
    """A photograph, as a telephone would send it, in more or less light."""
    sink = io.BytesIO()
    ImageEnhance.Brightness(image).enhance(light).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


@dataclass
class Checkpoint:
    """The site, with what its programs are started with."""

    site: Site
    folder: Path
    environ: dict[str, str]
    worker: WorkerProcess
    examiner: WorkerProcess

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """A command as an operator types it; its lines."""
        command = [sys.executable, "-m", "fenceline", *arguments]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def enroll(self, subject_id: str, picture: bytes, *options: str) -> list[dict[str, Any]]:
        path = self.folder / f"{subject_id}.jpg"
        path.write_bytes(picture)
        return self.run("enroll", subject_id, str(path), "--by", "o-1", *options)

    def load(self, kind: str, *entries: Any) -> None:
        """What `fenceline load` does, without its start."""
        good, bad = read_entries(json.dumps(entries).encode(), kind)
        assert not bad
        asyncio.run(load(kind, good, self.site.broker))

    def challenge(self, token: str) -> httpx.Response:
        return self.site.post("/v1/checkins/challenges", b"", token=token)

    def nonce(self, token: str) -> str:
        answer = self.challenge(token)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["nonce"])

    def send(self, token: str, nonce: str, *pictures: bytes, **fields: Any) -> httpx.Response:
        data = {"nonce": nonce} | {name: json.dumps(value) for name, value in fields.items()}
        sent = [("picture", (f"{place}.jpg", body)) for place, body in enumerate(pictures)]
        headers = {"authorization": f"Bearer {token}"}
        return self.site.client.post("/v1/checkins", data=data, files=sent, headers=headers)

    def result(self, token: str, checkin_id: str) -> dict[str, Any]:
        """What became of a check-in, once it is known."""

        def asked() -> Any:
            answer = self.site.client.get(f"/v1/checkins/{checkin_id}", headers={"authorization": f"Bearer {token}"})
            assert answer.status_code in (200, 202), answer.text
            return answer.json() if answer.status_code == 200 else None

        found: dict[str, Any] = until(asked, 90.0, f"a result; {self.examiner.told()}")
        return found

    def check_in(self, token: str, *pictures: bytes, **fields: Any) -> dict[str, Any]:
        """A whole check-in; what became of it."""
        answer = self.send(token, self.nonce(token), *pictures, **fields)
        assert answer.status_code == 202, answer.text
        return self.result(token, answer.json()["checkin_id"])

    def on(self, topic: str, subject_id: str, **fields: Any) -> list[dict[str, Any]]:
        """Messages of a person on a topic with these fields."""
        records = asyncio.run(read_all(self.site.broker, topic))
        every = [json.loads(one.value) for one in records if one.key == subject_id.encode() and one.value]
        return [one for one in every if all(one.get(name) == value for name, value in fields.items())]


@contextmanager
def checkpoint(folder: Path, broker: str, **settings: str) -> Iterator[Checkpoint]:
    """A site on `broker`."""
    given = {"MASTER_KEY": new_master_key(), "DATA_DIR": str(folder / "data")} | {
        name.upper(): value for name, value in settings.items()
    }
    make_topics(broker, agents_named(AGENTS))
    told = {name.lower(): value for name, value in given.items()}
    parts = [
        WorkerProcess(broker, folder, ("-m", "fenceline", *arguments, "--health-port"), **told)
        for arguments in (("worker", "--agents", ",".join(AGENTS)), ("examiner",))
    ]
    try:
        for part in parts:
            part.start()
        with running_site(folder, given, broker_at=broker) as site:
            for part in parts:
                part.wait_ready()
            given |= {"BROKER": broker, "REDIS_URL": site.redis_url}
            environ = {**os.environ, **{f"FENCELINE_{name}": value for name, value in given.items()}}
            yield Checkpoint(site, folder, environ, *parts)
    finally:
        for part in parts:
            part.kill()
