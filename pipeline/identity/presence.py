"""Was somebody alive before the camera, doing what was asked, in order? Does anything look like a picture held up?

A clip is a row of frames with the head's turn and the eyes' opening. What was asked is looked for one after the other,
each after the one before. A movement is measured against how the person holds the head in that clip.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median, pstdev
from typing import Literal, NamedTuple

import msgspec

from pipeline.identity.comparison import Thresholds
from pipeline.identity.rules import IdentityRules
from schemas.checkin import Frame, Movement, Signs

LEAST_FRAMES = 8
MOST_WITHOUT_FACE = 0.4
STILL_DEG, STILL_SHARE = 0.15, 0.0006
BLINK_S = 0.9
NOD_S = 2.0
FLAT_TURN_DEG = 24.0
"""From such a turn on, flatness tells a head from a card by itself: real heads came to 0.55 at most, cards to 1."""
JUMP = 0.3
"""How far a face may move between two frames, as a share of the picture's width, and still be the same."""

WORDS: dict[Movement, str] = {
    "turn_left": "turn your head to your left",
    "turn_right": "turn your head to your right",
    "nod": "nod",
    "blink": "blink",
}


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt, and when in the clip it was followed; None: it was not seen."""

    prompt: Movement
    at_s: float | None = None


class Sign(NamedTuple):
    """A sign that this may not be a face before the camera: what, its score, and from where on it counts."""

    name: str
    score: float
    limit: float
    why: str


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """shown: all prompts were followed. missing: some were not. unseen: there was no clip, or nothing was asked.

    `why`: for missing, what the person should do. `signs`: all that speak for a picture held up.
    """

    verdict: Literal["shown", "missing", "unseen"]
    shown: tuple[Shown, ...] = ()
    signs: tuple[Sign, ...] = ()
    why: tuple[str, ...] = ()


def judge(
    prompts: Sequence[Movement],
    frames: Sequence[Frame],
    signs: Signs | None,
    limits: Thresholds | None,
    rules: IdentityRules,
) -> Presence:
    """What a clip shows; `limits`: the thresholds between faces, for another face in the middle of the clip."""
    suspicious = tuple(_signs(frames, signs, limits, rules))
    if not prompts or not frames:
        return Presence(verdict="unseen", signs=suspicious)
    faces = [frame for frame in frames if frame.found]
    if len(faces) < LEAST_FRAMES or len(faces) < (1 - MOST_WITHOUT_FACE) * len(frames):
        why = "Your face was out of the picture for much of the clip. Keep it in the middle."
        return Presence(verdict="missing", signs=suspicious, why=(why,))
    shown = _shown(prompts, faces, rules)
    missing = [one.prompt for one in shown if one.at_s is None]
    if missing:
        why = f"We did not see you {WORDS[missing[0]]}, in the order asked. Move slowly and clearly."
        return Presence(verdict="missing", shown=shown, signs=suspicious, why=(why,))
    return Presence(verdict="shown", shown=shown, signs=suspicious)


def _shown(prompts: Sequence[Movement], faces: Sequence[Frame], rules: IdentityRules) -> tuple[Shown, ...]:
    """When each prompt was followed, the next one looked for after it; none is, after one that was not seen."""
    found: list[Shown] = []
    after_s = -1.0
    for prompt in prompts:
        times = [end for end in _moments(prompt, faces, rules) if end > after_s]
        if not times or (found and found[-1].at_s is None):
            found.append(Shown(prompt=prompt))
            continue
        after_s = min(times)
        found.append(Shown(prompt=prompt, at_s=after_s))
    return tuple(found)


def _moments(prompt: Movement, faces: Sequence[Frame], rules: IdentityRules) -> list[float]:
    """The times at which a movement was seen."""
    if prompt == "blink":
        return _blinks(faces, rules)
    if prompt == "nod":
        return _nods(faces, rules)
    straight = median(frame.yaw_deg for frame in faces)
    side = 1.0 if prompt == "turn_left" else -1.0
    turned = [side * (frame.yaw_deg - straight) >= rules.turn_deg for frame in faces]
    return [two.at_s for two, was, now in zip(faces[1:], turned, turned[1:], strict=False) if was and now]


def _blinks(faces: Sequence[Frame], rules: IdentityRules) -> list[float]:
    usual = median(frame.eyes for frame in faces)
    shut = [frame.eyes < rules.blink * usual for frame in faces]
    found: list[float] = []
    start: int | None = None
    for place, now in enumerate(shut):
        if now and start is None:
            start = place
        elif not now and start is not None:
            if start > 0 and faces[place].at_s - faces[start - 1].at_s <= BLINK_S:
                found.append(faces[place].at_s)
            start = None
    return found


def _nods(faces: Sequence[Frame], rules: IdentityRules) -> list[float]:
    """Ends of dips or lifts of the head that came back."""
    usual = median(frame.pitch_deg for frame in faces)
    found: list[float] = []
    for side in (-1.0, 1.0):
        away = [side * (frame.pitch_deg - usual) for frame in faces]
        left_s: float | None = None
        peak = 0.0
        for frame, now in zip(faces, away, strict=True):
            if now < rules.nod_deg / 2:
                if left_s is not None and peak >= rules.nod_deg and frame.at_s - left_s <= NOD_S:
                    found.append(frame.at_s)
                left_s, peak = frame.at_s, 0.0
            peak = max(peak, now)
    return sorted(found)


def _signs(frames: Sequence[Frame], signs: Signs | None, limits: Thresholds | None, rules: IdentityRules) -> list[Sign]:
    found: list[Sign] = []
    faces = [frame for frame in frames if frame.found]
    if len(faces) >= LEAST_FRAMES:
        moved_deg, moved = pstdev(frame.yaw_deg for frame in faces), pstdev(frame.x for frame in faces)
        if moved_deg < STILL_DEG and moved < STILL_SHARE:
            found.append(Sign("frozen", round(moved_deg, 3), STILL_DEG, "nothing in the clip moves"))
        jumps = sum(abs(a.x - b.x) > JUMP for a, b in pairwise(faces))
        if jumps:
            found.append(Sign("jump", float(jumps), 1.0, "the face is suddenly somewhere else"))
    if signs is None:
        return found
    if limits is not None and signs.same_face is not None and signs.same_face > limits.no_match:
        found.append(Sign("another_face", signs.same_face, limits.no_match, "the face changes in between"))
    if signs.moire is not None and signs.moire >= rules.moire:
        found.append(Sign("moire", signs.moire, rules.moire, "a pattern as of a screen or print lies over the face"))
    if signs.antispoof is not None and signs.antispoof >= rules.antispoof:
        found.append(
            Sign("antispoof", signs.antispoof, rules.antispoof, "the anti-spoofing model takes it for a picture")
        )
    if _is_flat(faces, signs, rules):
        found.append(Sign("flat", signs.flatness or 0.0, rules.flatness, "the face turns like a card, not like a head"))
    return found


def _is_flat(faces: Sequence[Frame], signs: Signs, rules: IdentityRules) -> bool:
    if signs.flatness is None or signs.flatness < rules.flatness:
        return False
    turn_deg = max(frame.yaw_deg for frame in faces) - min(frame.yaw_deg for frame in faces) if faces else 0.0
    return turn_deg >= FLAT_TURN_DEG or (signs.rigid or 0.0) >= 0.5
