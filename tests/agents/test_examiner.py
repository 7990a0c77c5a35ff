"""The examiner over an embedded broker, with the real model: whatever a check-in holds, it goes on, and says why."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition
from PIL import Image

from agents.examination import Job
from agents.examiner import Examiner
from agents.facepool import FacePool
from agents.objectstore import Vault
from fenceline.comparing import deepface_home
from fenceline.settings import Settings
from pipeline.identity.headers import header_of
from schemas.checkin import Checkin, Examined, Picture
from schemas.gallery import Erasure, Gallery, Template
from schemas.message import decode, encode
from schemas.times import instant
from tests.support.checkins import collins, jpeg
from tests.support.workers import PARTITIONS, follow, make_topics, send_all

DAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _cmyk() -> bytes:
    sink = io.BytesIO()
    collins().convert("CMYK").save(sink, "JPEG")
    return sink.getvalue()


def _lying_down() -> bytes:
    """A photograph taken sideways, with the mark that cameras make of it."""
    sink = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    collins().rotate(90, expand=True).save(sink, "JPEG", exif=exif)
    return sink.getvalue()


def _clip(folder: Path) -> bytes:
    """A photograph that is moved before the camera for a second and a half."""
    path = folder / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 12.0, (440, 440))
    for step in range(18):
        part = collins().crop((step * 2, 0, step * 2 + 440, 440))
        writer.write(cv2.cvtColor(np.asarray(part), cv2.COLOR_RGB2BGR))
    writer.release()
    return path.read_bytes()


GOOD = jpeg(collins(), 1.05)
PICTURES = {
    "good": GOOD,
    "cmyk": _cmyk(),
    "lying-down": _lying_down(),
    "broken-off": GOOD[: len(GOOD) // 2],
    "clip-of-nothing": b"\x00\x00\x00\x18ftypmp42" + bytes(200),
    "landscape": jpeg(collins().crop((0, 330, 60, 390)).resize((600, 600))),
}


class _Site:
    def __init__(self, broker: str, folder: Path, pool: FacePool) -> None:
        self.broker = broker
        self.settings = Settings(broker=broker, data_dir=str(folder), worker_session_timeout_s=6.0)
        self.vault = Vault(str(folder / "objects"), bytes(32))
        self.pool = pool

    async def enrol(self, subject_id: str, made_at: datetime, **fields: Any) -> Template:
        findings = await self.pool.examine(Job((jpeg(collins()),)))
        template = Template(
            template_id=f"t-{subject_id}",
            model="Dlib",
            model_version=self.pool.model_version,
            values=findings.values[0],
            picture_sha256="0" * 64,
            made_at=instant(made_at),
            measures=findings.seen[0].measures,
        )
        template = msgspec.structs.replace(template, **fields)
        if not self.vault.has_key(subject_id):
            self.vault.make_key(subject_id)
        self.vault.keep_gallery(Gallery(subject_id=subject_id, templates=(template,)))
        return template

    def checkin(self, name: str, raw: bytes, subject_id: str = "s1", *, kept: bool = True) -> tuple[str, str, bytes]:
        ref = self.vault.picture_ref(subject_id, "2026-11-23", name, 0)
        if kept and self.vault.has_key(subject_id):
            self.vault.put(subject_id, ref, raw)
        picture = Picture(ref=ref, sha256=sha256(raw).hexdigest(), kind=header_of(raw).kind, size_bytes=len(raw))
        one = Checkin(
            checkin_id=name,
            subject_id=subject_id,
            nonce=name,
            challenged_at=instant(DAY),
            received_at=instant(DAY),
            pictures=(picture,),
        )
        return "checkins", subject_id, encode(one)

    def erasure(self, subject_id: str) -> tuple[str, str, bytes]:
        due = Erasure(
            erasure_id=f"e-{subject_id}",
            subject_id=subject_id,
            event="due",
            at=instant(DAY),
            reason="over",
            order_id="o",
        )
        return "erasures", subject_id, encode(due)

    @asynccontextmanager
    async def examining(self) -> AsyncIterator[None]:
        ending = asyncio.Event()
        task = asyncio.create_task(Examiner(self.settings, self.vault, self.pool, 1, lambda: DAY).run(ending))
        try:
            yield
        finally:
            ending.set()
            await task


def _erasures(records: list[Any]) -> list[Erasure]:
    return [one for one in (decode(raw.value, Erasure) for raw in records) if one.event == "done"]


def test_every_checkin_gets_its_measures_and_every_erasure_its_record(broker: str, tmp_path: Path) -> None:
    make_topics(broker, ())
    asyncio.run(_run(broker, tmp_path))


async def _run(broker: str, folder: Path) -> None:
    async with FacePool("Dlib", deepface_home(Settings(data_dir=str(folder)))) as pool:
        site = _Site(broker, folder, pool)
        await site.enrol("s1", DAY - timedelta(days=1))
        await site.enrol("old-model", DAY, model_version="of last year")
        sent = [site.checkin(name, raw) for name, raw in PICTURES.items()]
        sent.append(site.checkin("clip", _clip(folder)))
        sent += [site.checkin("swept", GOOD, kept=False), site.checkin("stranger", GOOD, "s9")]
        sent += [site.checkin("old-model", GOOD, "old-model"), ("checkins", "s1", b"no check-in")]
        changed = site.checkin("changed", GOOD)
        site.vault.put("s1", site.vault.picture_ref("s1", "2026-11-23", "changed", 0), GOOD + b"!")
        await send_all(broker, [*sent, changed, site.checkin("last", GOOD)])

        async with site.examining():
            found = await follow(broker, ["face-results"], lambda got: len(got["face-results"]) >= 12, 120)
            told = {one.checkin_id: one for one in (decode(raw.value, Examined) for raw in found["face-results"])}
            _measured(told)
            assert pool.replaced == 0
            await _erased(site)
        async with AIOKafkaConsumer(bootstrap_servers=broker, group_id="fenceline-examiner") as consumer:
            places = [TopicPartition(topic, n) for topic in ("checkins", "erasures") for n in range(PARTITIONS)]
            for place, end in (await consumer.end_offsets(places)).items():
                assert (await consumer.committed(place) or 0) == end, "what is done is not done again"


def _measured(told: dict[str, Examined]) -> None:
    problems = {name: one.problem for name, one in told.items() if one.problem}
    assert problems == {
        "broken-off": "unreadable",
        "clip-of-nothing": "unreadable",
        "swept": "gone",
        "stranger": "not_enrolled",
        "old-model": "other_model",
        "changed": "gone",
    }
    for name in ("good", "cmyk", "lying-down", "last"):
        assert told[name].templates == ("t-s1",)
        assert told[name].seen[0].distances[0] < 0.3, name
    clip = told["clip"]
    assert len(clip.frames) == 18
    assert all(frame.found for frame in clip.frames)
    assert clip.signs is not None
    assert min(seen.distances[0] for seen in clip.seen) < 0.3
    assert told["landscape"].seen[0].measures.faces == 0


async def _erased(site: _Site) -> None:
    """The end of an order, and the same record once more after the person came back under another order."""
    await site.enrol("s2", DAY - timedelta(days=1))
    await send_all(site.broker, [site.erasure("s1"), site.erasure("nobody")])
    found = await follow(site.broker, ["erasures"], lambda got: len(_erasures(got["erasures"])) >= 2, 60)
    done = {one.subject_id: one for one in _erasures(found["erasures"])}
    assert (done["s1"].templates, done["s1"].pictures, done["s1"].key_destroyed) == (1, 9, True)
    assert (done["nobody"].templates, done["nobody"].pictures) == (0, 0)
    assert not site.vault.has_key("s1")
    assert site.vault.has_key("s2"), "others' stay"
    await site.enrol("s1", DAY + timedelta(days=1))
    await send_all(site.broker, [site.erasure("s1"), site.checkin("anew", GOOD)])
    await follow(site.broker, ["erasures"], lambda got: len(_erasures(got["erasures"])) >= 3, 60)
    assert site.vault.gallery("s1").templates, "what was enrolled later stays"
    found = await follow(site.broker, ["face-results"], lambda got: len(got["face-results"]) >= 13, 60)
    results = [decode(raw.value, Examined) for raw in found["face-results"]]
    assert next(one for one in results if one.checkin_id == "anew").seen[0].distances
