"""Are there signs that the camera looks at a picture of a face, and not at a face? Measured here, judged in the core.

- **flatness**: a head that turns shows more of one cheek and less of the other, and its nose moves against its eyes; a
  card that is turned keeps to a plane. Of the way the landmarks move between the frames that differ most in turn, the
  part that no plane explains is small for a card.
- **rigid**: whether the surroundings move with the face: turning, growing and shrinking together, as a picture's do.
- **moire**: screens and prints are made of dots; photographed, they leave narrow peaks in the picture's spectrum.

Each is weak by itself: `docs/identity.md` says what was and what could not be measured.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from agents.landmarks import eyes_px

Points = NDArray[np.float64]
Grey = NDArray[np.uint8]

LEAST_TURN_DEG = 12.0
CARD_RESIDUAL, HEAD_RESIDUAL = 0.020, 0.045
"""Landmarks' distances from the best plane, as shares of the distance between the eyes: noise alone, and a head."""

MOIRE_PX = 256
SURROUND_PX = 160


class Tracked(NamedTuple):
    """A frame of a clip with a face: its landmarks (pixels), turn, and a small grey picture with the scale to it."""

    points: Points
    yaw_deg: float
    small: Grey
    scale: float


def small_grey(pixels: NDArray[np.uint8]) -> tuple[Grey, float]:
    """A small grey picture, and its scale."""
    scale = SURROUND_PX / max(pixels.shape[:2])
    sized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(sized, cv2.COLOR_RGB2GRAY), np.uint8), scale


def flatness(track: Sequence[Tracked]) -> float | None:
    """How much like a card's the turn in the clip is: 1 for a card, 0 for a head; None without a turn."""
    if len(track) < 4:
        return None
    order = sorted(range(len(track)), key=lambda place: track[place].yaw_deg)
    few = max(1, min(4, len(order) // 6))
    ends = [order[:few], order[-few:]]
    turn = float(np.mean([track[p].yaw_deg for p in ends[1]]) - np.mean([track[p].yaw_deg for p in ends[0]]))
    if turn < LEAST_TURN_DEG:
        return None
    left, right = (np.mean([_levelled(track[place].points) for place in places], axis=0) for places in ends)
    inner = np.r_[17:68]  # the outline slides over the cheek by itself
    plane, _ = cv2.findHomography(left[inner], right[inner], 0)
    if plane is None:
        return None
    mapped = cv2.perspectiveTransform(left[inner][None], plane)[0]
    residual = float(np.sqrt(((mapped - right[inner]) ** 2).sum(axis=1).mean()))
    share = (residual - CARD_RESIDUAL) / (HEAD_RESIDUAL - CARD_RESIDUAL)
    return round(float(np.clip(1.0 - share, 0.0, 1.0)), 3)


def _levelled(points: Points) -> Points:
    """`points` about their middle, in distances between the eyes."""
    levelled: Points = (points - points.mean(axis=0)) / max(eyes_px(points), 1.0)
    return levelled


def rigid(track: Sequence[Tracked]) -> float | None:
    """Share of the surroundings' texture that moves exactly as the face does, where the face moves by itself.

    None: the face did not grow, shrink or lean enough to tell, or there is no texture around it.
    """
    shares = []
    for one, two in zip(track, track[3:], strict=False):
        face, _ = cv2.estimateAffinePartial2D(one.points * one.scale, two.points * two.scale)
        if face is None:
            continue
        growth = float(np.hypot(face[0, 0], face[1, 0]))
        lean_deg = abs(float(np.degrees(np.arctan2(face[1, 0], face[0, 0]))))
        if abs(growth - 1.0) < 0.03 and lean_deg < 2.0:
            continue
        share = _following(one, two, face)
        if share is not None:
            shares.append(share)
    return round(float(np.median(shares)), 3) if len(shares) >= 2 else None


def _following(one: Tracked, two: Tracked, face: NDArray[np.float64]) -> float | None:
    mask = np.full(one.small.shape, 255, np.uint8)
    hull = cv2.convexHull(np.round(one.points * one.scale).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 0)
    mask = cv2.erode(mask, np.ones((9, 9), np.uint8))
    marks = cv2.goodFeaturesToTrack(one.small, 60, 0.02, 5, mask=mask)
    if marks is None or len(marks) < 8:
        return None
    moved, status, _ = cv2.calcOpticalFlowPyrLK(one.small, two.small, marks, None)
    kept = status.ravel() == 1
    if kept.sum() < 8:
        return None
    before, after = marks[kept, 0].astype(np.float64), moved[kept, 0].astype(np.float64)
    expected = before @ face[:, :2].T + face[:, 2]
    still = np.linalg.norm(after - before, axis=1)
    off = np.linalg.norm(after - expected, axis=1)
    wanted = np.linalg.norm(expected - before, axis=1)
    telling = wanted > 1.0
    if telling.sum() < 8:
        return None
    return float(np.mean((off < 0.5 * wanted)[telling] & (still > 0.5)[telling]))


def moire(pixels: NDArray[np.uint8], points: Points) -> float | None:
    """How far the highest narrow peak of the face's spectrum stands out of its surroundings, in powers of ten.

    None: the face is too small to tell.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    side = int(min(high - low))
    if side < 96:
        return None
    side = min(side, MOIRE_PX)
    middle = ((low + high) / 2).astype(int)
    x, y = np.maximum(middle - side // 2, 0)
    patch = cv2.cvtColor(np.ascontiguousarray(pixels[y : y + side, x : x + side]), cv2.COLOR_RGB2GRAY)
    if min(patch.shape) < 96:
        return None
    height, width = patch.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    spectrum = np.log10(np.abs(np.fft.fftshift(np.fft.fft2((patch - patch.mean()) * window))) + 1.0)
    around = cv2.medianBlur(spectrum.astype(np.float32), 5)
    ground = cv2.blur(around, (15, 15))
    v, u = np.mgrid[-(height // 2) : height - height // 2, -(width // 2) : width - width // 2]
    radius = np.hypot(u / width, v / height)
    off_axis = (np.abs(u) > 3) & (np.abs(v) > 3)  # blocks of JPEG and edges of the face lie on the axes
    wanted = (radius > 0.12) & (radius < 0.5) & off_axis
    peak = (cv2.blur(spectrum.astype(np.float32), (3, 3)) - ground)[wanted]
    return round(float(peak.max()), 3)
