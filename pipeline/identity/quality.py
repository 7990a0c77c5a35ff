"""Is the picture good enough to be compared? Each measure with its limits and what the person should do about it.

Two sets of limits: a picture that is only to be compared may be worse than one that others will be compared with.
"""

from collections.abc import Callable
from typing import NamedTuple

from schemas.checkin import Advice, Measures


class Limits(NamedTuple):
    """What a picture must have. Pixels, degrees, grey levels; shares between 0 and 1."""

    certainty: float = 0.35
    others: float = 0.5
    eyes_px: float = 14.0
    cut_off: float = 0.35
    sharpness: float = 4.2
    darkest: float = 20.0
    brightest: float = 235.0
    contrast: float = 5.0
    clipped: float = 0.6
    yaw_deg: float = 50.0
    pitch_deg: float = 40.0


PROBE = Limits()
"""Where each of them alone moves the distance to a good picture of the same face by some 0.3 (docs/identity.md)."""

ENROLMENT = Limits(
    others=0.35,
    eyes_px=30.0,
    cut_off=0.1,
    sharpness=9.0,
    darkest=40.0,
    brightest=225.0,
    contrast=9.0,
    clipped=0.35,
    yaw_deg=40.0,
    pitch_deg=30.0,
)
"""Where it moves it by some 0.15."""


class _Check(NamedTuple):
    name: str
    value: Callable[[Measures], float]
    least: Callable[[Limits], float] | None
    most: Callable[[Limits], float] | None
    too_little: str
    too_much: str = ""


_CHECKS = (
    _Check(
        "one_face",
        lambda m: m.others,
        None,
        lambda limits: limits.others,
        "",
        "There is a second face in the picture. Be alone in it, or step closer.",
    ),
    _Check(
        "size",
        lambda m: m.eyes_px,
        lambda limits: limits.eyes_px,
        None,
        "The face is too small. Hold the camera closer.",
    ),
    _Check(
        "whole",
        lambda m: m.cut_off,
        None,
        lambda limits: limits.cut_off,
        "",
        "The face is cut off by the picture's edge. Move it to the middle.",
    ),
    _Check(
        "sharpness",
        lambda m: m.sharpness,
        lambda limits: limits.sharpness,
        None,
        "The picture is blurred. Hold still, wipe the lens, and find more light.",
    ),
    _Check(
        "brightness",
        lambda m: m.brightness,
        lambda limits: limits.darkest,
        lambda limits: limits.brightest,
        "It is too dark. Turn towards a window or a lamp.",
        "It is too bright. Turn away from the sun or the lamp.",
    ),
    _Check(
        "contrast",
        lambda m: m.contrast,
        lambda limits: limits.contrast,
        None,
        "The face is washed out. Wipe the lens, and do not stand before a bright window.",
    ),
    _Check(
        "exposure",
        lambda m: m.clipped,
        None,
        lambda limits: limits.clipped,
        "",
        "Parts of the face are fully black or white. Find softer light from the front.",
    ),
    _Check(
        "yaw",
        lambda m: abs(m.yaw_deg),
        None,
        lambda limits: limits.yaw_deg,
        "",
        "The head is turned to the side. Look straight into the camera.",
    ),
    _Check(
        "pitch",
        lambda m: abs(m.pitch_deg),
        None,
        lambda limits: limits.pitch_deg,
        "",
        "The head is tilted up or down. Hold the camera at the height of your eyes.",
    ),
)


def checks(measures: Measures, limits: Limits = PROBE) -> tuple[Advice, ...]:
    """What was looked at on a picture, in the order in which a person would mend it."""
    found = measures.faces > 0 and measures.certainty >= limits.certainty
    face = Advice(
        check="face_found",
        ok=found,
        value=measures.faces,
        least=1,
        advice="" if found else "No face was found. Look straight into the camera, in good light, without a mask.",
    )
    return (face, *(_told(check, measures, limits) for check in _CHECKS)) if found else (face,)


def _told(check: _Check, measures: Measures, limits: Limits) -> Advice:
    value = round(check.value(measures), 3)
    least = check.least(limits) if check.least else None
    most = check.most(limits) if check.most else None
    little = least is not None and value < least
    much = most is not None and value > most
    advice = check.too_little if little else check.too_much if much else ""
    return Advice(check=check.name, ok=not (little or much), value=value, least=least, most=most, advice=advice)


def failed(found: tuple[Advice, ...]) -> tuple[Advice, ...]:
    """Those that speak against the picture."""
    return tuple(one for one in found if not one.ok)


def worth(measures: Measures) -> float:
    """How good a picture of a face it is, to choose the best frame of a clip: large, sharp, from the front."""
    if not measures.faces:
        return 0.0
    front = max(0.0, 1.0 - abs(measures.yaw_deg) / 45.0) * max(0.0, 1.0 - abs(measures.pitch_deg) / 45.0)
    alone = 1.0 if measures.others < PROBE.others else 0.1
    return float(front * alone * min(measures.eyes_px, 90.0) * min(measures.sharpness, 100.0) ** 0.5)
