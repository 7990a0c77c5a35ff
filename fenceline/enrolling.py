"""How is a person enrolled? Pictures are examined, ruled on, and kept as templates; the change goes on its topic."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from agents.examination import Job
from agents.facepool import FacePool
from agents.objectstore import Exists, Vault
from fenceline.comparing import calibration_of, look_of, rates_of
from fenceline.settings import Settings
from pipeline.identity.enrolment import Ruling, rule
from pipeline.identity.quality import ENROLMENT
from schemas.gallery import Enrolment, Gallery, Template
from schemas.ids import event_id
from schemas.times import Instant, instant


def made_with(gallery: Gallery, model: str, model_version: str) -> tuple[Template, ...]:
    """The templates of one version of a model; others cannot be compared with it."""
    return tuple(one for one in gallery.templates if (one.model, one.model_version) == (model, model_version))


class Enroller:
    """Enrols pictures of one person."""

    def __init__(
        self, settings: Settings, vault: Vault, pool: FacePool, *, by: str, replace: bool = False, force: bool = False
    ) -> None:
        self._settings = settings
        self._vault = vault
        self._pool = pool
        self._by = by
        self._replace = replace
        self._force = force

    async def take(
        self, subject_id: str, pictures: Sequence[tuple[Path, bytes]], order_id: str, retain_until: Instant | None
    ) -> tuple[list[dict[str, Any]], Enrolment | None]:
        """Rule on each picture, keep the good ones; what was said of each, and the change if there is one."""
        old = Gallery(subject_id=subject_id) if self._replace else self._vault.gallery(subject_id)
        kept = made_with(old, self._settings.face_model, self._pool.model_version)
        gallery = Gallery(subject_id=subject_id, templates=kept)
        said: list[dict[str, Any]] = []
        if len(kept) < len(old.templates):
            outdated = len(old.templates) - len(kept)
            said.append({"event": "outdated_templates_dropped", "templates": outdated, "ok": True})
        for path, raw in pictures:
            gallery, told = await self._one(gallery, path, raw)
            said.append(told)
        new = [template for template in gallery.templates if template not in kept]
        if not new:
            return said, None
        with suppress(Exists):
            self._vault.make_key(subject_id)
        self._vault.keep_gallery(gallery)
        at = instant(datetime.now(UTC))
        ids = tuple(template.template_id for template in gallery.templates)
        return said, Enrolment(
            enrolment_id=event_id("enrolment", subject_id, *ids),
            subject_id=subject_id,
            event="enrolled",
            at=at,
            by=self._by,
            order_id=order_id,
            model=self._settings.face_model,
            model_version=self._pool.model_version,
            template_ids=ids,
            picture_sha256s=tuple(template.picture_sha256 for template in gallery.templates),
            retain_until=retain_until,
        )

    async def _one(self, gallery: Gallery, path: Path, raw: bytes) -> tuple[Gallery, dict[str, Any]]:
        digest = sha256(raw).hexdigest()
        findings = await self._pool.examine(Job((raw,), tuple(one.values for one in gallery.templates)))
        look = look_of(findings, ENROLMENT)
        distances = next((one.distances for one in findings.seen if one.distances), ())
        ruling = rule(
            gallery, look.measures, digest, distances, calibration_of(self._settings), rates_of(self._settings)
        )
        if ruling.code == "unreadable":
            ruling = Ruling("refuse", "unreadable", look.why)
        taken = ruling.verdict != "refuse" or (self._force and ruling.code in ("wrong_person", "same_picture"))
        told: dict[str, Any] = {
            "picture": str(path),
            "sha256": digest,
            "ok": taken,
            "ruling": ruling.verdict,
            "code": ruling.code,
            "reasons": list(ruling.why),
            "quality": look.told(ENROLMENT),
        }
        if not taken or look.measures is None:
            return gallery, told
        template = Template(
            template_id=event_id("template", gallery.subject_id, look.model_version, digest),
            model=self._settings.face_model,
            model_version=look.model_version,
            values=look.values,
            picture_sha256=digest,
            made_at=instant(datetime.now(UTC)),
            made_by=self._by,
            measures=look.measures,
        )
        told["template_id"] = template.template_id
        return msgspec.structs.replace(gallery, templates=(*gallery.templates, template)), told
