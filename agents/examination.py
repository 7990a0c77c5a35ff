"""What can be measured on the pictures of one check-in? The work of a process of the pool, from bytes to numbers."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from agents.faces import Examiner, Found, distance
from agents.landmarks import head_pose
from agents.pictures import Pixels, Unreadable, pixels_of, shots_of
from agents.signs import Tracked, flatness, moire, rigid, small_grey
from pipeline.identity.headers import header_of
from pipeline.identity.quality import worth
from schemas.checkin import Frame, Problem, Seen, Signs
from schemas.message import Invalid

BEST_OF_CLIP = 3
CANDIDATES = 24


class Job(msgspec.Struct, frozen=True):
    """Pictures to be examined, and templates to measure their distances to; made by the examiner's own model."""

    pictures: tuple[bytes, ...]
    templates: tuple[tuple[float, ...], ...] = ()


class Findings(msgspec.Struct, frozen=True):
    """What was measured. `values`: for each of `seen` the face as numbers, empty where there is none."""

    model: str
    model_version: str
    problem: Problem = ""
    detail: str = ""
    seen: tuple[Seen, ...] = ()
    values: tuple[tuple[float, ...], ...] = ()
    frames: tuple[Frame, ...] = ()
    signs: Signs | None = None


class _Collected:
    """Faces seen so far, and what they say together."""

    def __init__(self, examiner: Examiner, templates: Sequence[Sequence[float]]) -> None:
        self.examiner = examiner
        self.templates = templates
        self.seen: list[Seen] = []
        self.values: list[tuple[float, ...]] = []
        self.best: Found | None = None

    def add(self, picture: int, at_s: float, found: Found) -> None:
        values = self.examiner.embed(found)
        metric = self.examiner.metric
        distances = tuple(round(distance(values, template, metric), 5) for template in self.templates)
        self.seen.append(Seen(picture=picture, at_s=at_s, measures=found.measures, distances=distances))
        self.values.append(values)
        if self.best is None or worth(found.measures) > worth(self.best.measures):
            self.best = found


def examine(examiner: Examiner, job: Job) -> Findings:
    """All that can be measured on the pictures of `job`. Never raises for what the pictures are."""
    collected = _Collected(examiner, job.templates)
    frames: list[Frame] = []
    track: list[Tracked] = []
    for place, raw in enumerate(job.pictures):
        try:
            if header_of(raw).kind in ("mp4", "webm"):
                frames += _clip(collected, place, raw, track)
            else:
                _still(collected, place, raw)
        except (Unreadable, Invalid) as why:
            reason = why.reason if isinstance(why, Invalid) else str(why)
            return Findings(examiner.model, examiner.version, "unreadable", _named(job, place, reason))
        except MemoryError:
            detail = _named(job, place, "takes too much memory; send a smaller one")
            return Findings(examiner.model, examiner.version, "too_large", detail)
    return Findings(
        examiner.model,
        examiner.version,
        seen=tuple(collected.seen),
        values=tuple(collected.values),
        frames=tuple(frames),
        signs=_signs(collected, track, bool(frames)),
    )


def _named(job: Job, place: int, reason: str) -> str:
    """`reason`, with which of several pictures it is of."""
    return f"picture {place + 1}: {reason}" if len(job.pictures) > 1 else reason


def _still(collected: _Collected, place: int, raw: bytes) -> None:
    pixels = pixels_of(raw)
    found = collected.examiner.find(pixels)
    if found is None:
        collected.seen.append(Seen(picture=place, measures=_nobody(pixels)))
        collected.values.append(())
    else:
        collected.add(place, 0.0, found)


def _nobody(pixels: Pixels) -> Any:
    from schemas.checkin import Measures  # noqa: PLC0415

    return Measures(faces=0, width_px=pixels.shape[1], height_px=pixels.shape[0])


def _clip(collected: _Collected, place: int, raw: bytes, track: list[Tracked]) -> Iterator[Frame]:
    """Frames of a clip as they are measured; at its end its best faces are compared."""
    examiner = collected.examiner
    kept: list[tuple[float, float, Pixels]] = []  # how far from straight, time, pixels
    shape: tuple[int, ...] = ()
    for at_s, pixels in shots_of(raw):
        shape = pixels.shape
        found = examiner.find_in_frame(pixels)
        if found is None:
            yield Frame(at_s=round(at_s, 3), found=False, faces=0)
            continue
        points, faces = found
        pose = head_pose(points, pixels.shape)
        track.append(Tracked(points, pose.yaw_deg, *small_grey(pixels)))
        low, high = points.min(axis=0), points.max(axis=0)
        yield Frame(
            at_s=round(at_s, 3),
            found=True,
            yaw_deg=round(pose.yaw_deg, 1),
            pitch_deg=round(pose.pitch_deg, 1),
            eyes=round(examiner.eyes(points), 3),
            x=round(float((low[0] + high[0]) / 2 / shape[1]), 4),
            y=round(float((low[1] + high[1]) / 2 / shape[0]), 4),
            size=round(float((high[0] - low[0]) / shape[1]), 4),
            faces=faces,
        )
        kept.append((abs(pose.yaw_deg) + abs(pose.pitch_deg), at_s, pixels))
    if not kept:
        collected.seen.append(Seen(picture=place, measures=_nobody(np.zeros((*shape[:2], 3), np.uint8))))
        collected.values.append(())
    for at_s, pixels in _chosen(kept):
        better = examiner.find(pixels, turn=False)
        if better is not None:
            collected.add(place, round(at_s, 3), better)


def _chosen(kept: list[tuple[float, float, Pixels]]) -> list[tuple[float, Pixels]]:
    """The straightest frame of each of `BEST_OF_CLIP` parts of the clip, so that a face put in later is seen too."""
    parts = min(BEST_OF_CLIP, len(kept))
    bounds = np.linspace(0, len(kept), parts + 1).astype(int)
    best = [min(kept[low:high], key=lambda one: one[0]) for low, high in pairwise(bounds)]
    return [(at_s, pixels) for _, at_s, pixels in best]


def _signs(collected: _Collected, track: list[Tracked], is_clip: bool) -> Signs | None:
    best = collected.best
    if best is None:
        return None
    notes = []
    spoof = collected.examiner.antispoof(best)
    if spoof is None:
        notes.append("no anti-spoofing model on this machine")
    values = [one for one in collected.values if one]
    apart = [
        distance(one, two, collected.examiner.metric) for place, one in enumerate(values) for two in values[:place]
    ]
    return Signs(
        flatness=flatness(track) if is_clip else None,
        moire=moire(best.pixels, best.points),
        rigid=rigid(track) if is_clip else None,
        antispoof=spoof,
        same_face=round(max(apart), 4) if apart else None,
        notes=tuple(notes),
    )
