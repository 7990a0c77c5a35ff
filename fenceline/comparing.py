"""How do commands compare the faces in files? Through the same pool and the same rules as a worker."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agents.examination import Findings, Job
from agents.facepool import FacePool
from agents.verify import calibration_of as rates_that_hold
from fenceline.settings import BadSetting, Settings
from pipeline.identity.calibration import Calibration
from pipeline.identity.comparison import Comparison, Rates, compare
from pipeline.identity.quality import PROBE, Limits, checks, failed
from schemas.checkin import Measures
from schemas.message import to_builtins

LARGEST_FILE = 32 * 1024 * 1024


class Unusable(Exception):
    """A file or setting that cannot be used; says which and why."""


class Look(NamedTuple):
    """A file, examined. `why`: what speaks against it, in words; empty when it can be compared."""

    measures: Measures | None
    values: tuple[float, ...]
    why: tuple[str, ...]
    model_version: str

    def told(self, limits: Limits = PROBE) -> dict[str, Any]:
        """As plain values for JSON."""
        if self.measures is None:
            return {"ok": False, "reasons": list(self.why)}
        found = checks(self.measures, limits)
        return {
            "ok": not self.why,
            "reasons": list(self.why),
            "measures": to_builtins(self.measures),
            "checks": [to_builtins(one) for one in found],
        }


def deepface_home(settings: Settings) -> str:
    """The folder under which weights of models are kept."""
    return str(Path(settings.data_dir).resolve() / "models")


def calibration_of(settings: Settings) -> Calibration | None:
    """The rates of the model that is set: from the file that is set, else those that come with the program.

    Raises:
        Unusable: the file cannot be read, or is of another model.
    """
    try:
        return rates_that_hold(settings)
    except BadSetting as error:
        raise Unusable(str(error)) from error


def rates_of(settings: Settings) -> Rates:
    """The rates of error that are accepted."""
    return Rates(fmr=settings.face_fmr, fnmr=settings.face_fnmr)


def pool_of(settings: Settings, processes: int = 1) -> FacePool:
    """A pool with the model that is set."""
    return FacePool(settings.face_model, deepface_home(settings), processes)


def read_picture(path: Path) -> bytes:
    """The bytes of a picture.

    Raises:
        Unusable: it cannot be read, or is too large to be one.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise Unusable(f"{path} has {size} bytes; at most {LARGEST_FILE}")
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror or error}") from error


async def look_at(pool: FacePool, raw: bytes, limits: Limits = PROBE) -> Look:
    """Examine one still or clip; of a clip the best frame counts."""
    return look_of(await pool.examine(Job((raw,))), limits)


def look_of(findings: Findings, limits: Limits = PROBE) -> Look:
    """What findings on one file say."""
    if findings.problem:
        return Look(None, (), (findings.detail,), findings.model_version)
    best = max(range(len(findings.seen)), key=lambda place: _rank(findings, place))
    measures = findings.seen[best].measures
    why = tuple(one.advice for one in failed(checks(measures, limits)))
    return Look(measures, findings.values[best], why, findings.model_version)


def _rank(findings: Findings, place: int) -> tuple[bool, float]:
    measures = findings.seen[place].measures
    return bool(findings.values[place]), measures.eyes_px * max(0.0, 1.0 - abs(measures.yaw_deg) / 90.0)


def compare_looks(
    reference: Look, probe: Look, metric: str, calibration: Calibration | None, rates: Rates
) -> tuple[Comparison, tuple[str, ...]]:
    """What the comparison of two files came to, and why it is undetermined if it is."""
    rows = []
    if reference.values and probe.values:
        from agents.faces import distance  # noqa: PLC0415  # dlib takes a moment; only where there are faces

        rows = [[distance(reference.values, probe.values, metric)]]
    found = compare(rows, calibration, rates)
    against = tuple(f"{name}: {why}" for name, look in (("reference", reference), ("probe", probe)) for why in look.why)
    if against:
        return msgspec.structs.replace(found, outcome="undetermined", why=against[0]), against
    return found, (found.why,) if found.why else ()


def names(paths: Iterable[Path]) -> str:
    """Paths for a message."""
    return ", ".join(map(str, paths))
