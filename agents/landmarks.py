"""How is the head held, and are the eyes open? Geometry of dlib's 68 landmarks.

The pose is that of a mean head (six points, millimetres, after the widely used model of the OpenCV tutorials) which,
seen by a camera with a field of view of a telephone's, puts the points where they are. Good to some five degrees.
Eye opening is the eye aspect ratio of Soukupová and Čech (2016).
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_HEAD_MM = np.array(
    [
        (0.0, 0.0, 0.0),  # tip of the nose, 30
        (0.0, 63.6, 12.5),  # chin, 8
        (-43.3, -32.7, 26.0),  # outer corner of the eye on the picture's left, 36
        (43.3, -32.7, 26.0),  # of the other, 45
        (-28.9, 24.1, 24.1),  # corner of the mouth, 48
        (28.9, 24.1, 24.1),  # of the other, 54
    ]
)
_PLACES = (30, 8, 36, 45, 48, 54)
_FOCAL_SHARE = 1.2


class Pose(NamedTuple):
    """Degrees. yaw above zero: towards the person's left; pitch above zero: up; roll above zero: clockwise."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def head_pose(points: Points, shape: tuple[int, ...]) -> Pose:
    """How the head of `points` (68 x 2) is held in a picture of `shape` (height, width, ...)."""
    focal = _FOCAL_SHARE * max(shape[:2])
    camera = np.array([[focal, 0, shape[1] / 2], [0, focal, shape[0] / 2], [0, 0, 1.0]])
    done, rotation, _ = cv2.solvePnP(_HEAD_MM, points[list(_PLACES)], camera, None, flags=cv2.SOLVEPNP_SQPNP)
    if not done:
        return Pose(0.0, 0.0, 0.0)
    turn, _ = cv2.Rodrigues(rotation)
    forward = turn @ (0.0, 0.0, 1.0)  # out of the back of the head, away from the camera
    down = turn @ (0.0, 1.0, 0.0)
    yaw = np.degrees(np.arctan2(-forward[0], forward[2]))
    pitch = np.degrees(np.arcsin(np.clip(forward[1], -1.0, 1.0)))
    roll = np.degrees(np.arctan2(-down[0], down[1]))
    return Pose(float(yaw), float(pitch), float(roll))


def eyes_open(points: Points) -> float:
    """Height of the eyes' opening as a share of their width, the mean of both: about 0.3 open, below 0.2 closed."""
    return float(np.mean([_opening(points[start : start + 6]) for start in (36, 42)]))


def _opening(eye: Points) -> float:
    width = float(np.linalg.norm(eye[0] - eye[3]))
    height = float(np.linalg.norm(eye[1] - eye[5]) + np.linalg.norm(eye[2] - eye[4])) / 2
    return height / width if width else 0.0


def eyes_px(points: Points) -> float:
    """The distance between the middles of the eyes, pixels."""
    return float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))


def upright_crop(pixels: NDArray[np.uint8], points: Points, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The face turned so that the eyes are level, cut out, and fitted into `size` (height, width) on black."""
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    angle = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    middle = (left + right) / 2
    turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle, 1.0)
    turned = points @ turn[:, :2].T + turn[:, 2]
    low, high = turned.min(axis=0), turned.max(axis=0)
    low[1] -= 0.25 * (high[1] - low[1])  # the landmarks end at the brows
    scale = float(min(size[1] / (high[0] - low[0]), size[0] / (high[1] - low[1])))
    centre = (low + high) / 2
    matrix = np.hstack([turn[:, :2] * scale, ((turn[:, 2] - centre) * scale + (size[1] / 2, size[0] / 2))[:, None]])
    crop: NDArray[np.uint8] = cv2.warpAffine(pixels, matrix, (size[1], size[0]), flags=cv2.INTER_AREA)
    return crop
