"""Where is the face, how was it taken, and which numbers does the model give it? Only here are dlib and DeepFace used.

DeepFace's models are used one at a time, to turn one face into numbers: of DeepFace nothing but its list of models is
imported, so that its search over faces and its guesses of age, sex, race and emotion cannot be called from here.

dlib finds faces and their 68 landmarks; faces for dlib's own network are aligned the way it was trained with, for other
models the way DeepFace aligns. Weights are taken from the wheel of dlib's models or from where `fenceline doctor
--fetch-models` put them; nothing is downloaded while faces are compared.
"""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import dlib
import face_recognition_models as weights
import numpy as np
from numpy.typing import NDArray

from agents.landmarks import eyes_open, eyes_px, head_pose, upright_crop
from agents.pictures import Pixels
from schemas.checkin import Measures

DEFAULT_MODEL = "Dlib"
ALIGNMENT = "a1"
"""Part of a model's version: templates made with another alignment must not be compared."""

METRICS = {"Dlib": "euclidean"}
"""How distances are measured; by cosine for all others."""

CHIP_PX = 150
QUICK_SIDE, FINE_SIDE = 640, 1280
QUICK_FACE_PX = 80
MOST_GROWTH = 3.0
"""Smaller pictures are enlarged by so much at most: a face that needs more is too small to be compared."""
LEAST_SIDE_PX = 24
LEAST_SCORE = 0.2
SURE_SCORE = 0.6
"""Below it the head may be leaning: it is looked for in the picture turned a little, too."""
LEAN_DEG = 35.0
LEAST_OTHER_SCORE = 0.35
"""Cloth and corners score up to 0.3 beside a real face; people in the second row 0.4 and more."""

Points = NDArray[np.float64]


class MissingWeights(Exception):
    """A model's weights are not on this machine; says how to get them."""


class Found(NamedTuple):
    """The main face of a picture: its landmarks (68 x 2, pixels), how it was taken, and the picture, upright."""

    pixels: Pixels
    points: Points
    measures: Measures
    shape: Any


class _Box(NamedTuple):
    rect: Any
    score: float


def metric_of(model: str) -> str:
    """How the distance between two faces of `model` is measured."""
    return METRICS.get(model, "cosine")


def distance(one: Sequence[float], other: Sequence[float], metric: str) -> float:
    """How far apart two faces are.

    Raises:
        ValueError: they were made by different models.
    """
    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"faces of {a.shape} and {b.shape} numbers cannot be compared")
    if metric == "euclidean":
        return float(np.linalg.norm(a - b))
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return 1.0 - float(a @ b) / lengths if lengths else 1.0


def weights_folder(home: str) -> Path:
    """Where DeepFace keeps weights, given its home folder."""
    return Path(home) / ".deepface" / "weights"


class Examiner:
    """Finds faces and gives them numbers, with one model. `home`: the folder of DeepFace's weights.

    Raises:
        MissingWeights: the model's weights are not on this machine.
    """

    def __init__(self, model: str = DEFAULT_MODEL, home: str = "", *, fetch: bool = False) -> None:
        self.model = model
        self.metric = metric_of(model)
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(weights.pose_predictor_model_location())
        self._home = home
        self._files: list[Path] = []
        self._client = self._built("facial_recognition", model, fetch=fetch)
        self.version = f"{_digest(self._files)}-{ALIGNMENT}"
        self._antispoof: Any = None
        self._antispoof_tried = False

    def _built(self, task: str, model: str, *, fetch: bool) -> Any:
        os.environ.setdefault("DEEPFACE_LOG_LEVEL", "100")  # it logs to standard output
        if self._home:
            os.environ["DEEPFACE_HOME"] = self._home
        from deepface.commons import folder_utils, weight_utils  # noqa: PLC0415  # reads the environment when imported
        from deepface.modules import modeling  # noqa: PLC0415

        download = weight_utils.download_weights_if_necessary

        def on_hand(file_name: str, source_url: Any, compress_type: str | None = None) -> str:
            shipped = Path(weights.face_recognition_model_location()).with_name(file_name)
            kept = weights_folder(folder_utils.get_deepface_home()) / file_name
            for path in (shipped, kept):
                if path.is_file():
                    self._files.append(path)
                    return str(path)
            if not fetch:
                raise MissingWeights(
                    f"the weights of {model} ({file_name}) are not on this machine; get them with "
                    f"`FENCELINE_FACE_MODEL={model} fenceline doctor --fetch-models`"
                )
            folder_utils.initialize_folder()
            found = str(download(file_name, source_url, compress_type))
            self._files.append(Path(found))
            return found

        weight_utils.download_weights_if_necessary = on_hand
        try:
            return modeling.get_model_class(task, model)()
        finally:
            weight_utils.download_weights_if_necessary = download

    def find(self, pixels: Pixels, *, turn: bool = True) -> Found | None:
        """The main face: the widest one of which the detector is sure; None: there is none.

        `turn`: look for it in the picture turned by quarters too, as a telephone may have held it without saying so,
        and leaning, as people lie on a couch.
        """
        if min(pixels.shape[:2]) < LEAST_SIDE_PX:
            return None
        upright = self._look(pixels, 0, fine=True)
        if not turn or (upright is not None and upright.measures.certainty >= SURE_SCORE):
            return upright
        looks = [upright] if upright is not None else []
        if upright is None:
            for quarters in (1, 3, 2):
                turned = self._look(np.ascontiguousarray(np.rot90(pixels, -quarters)), 90 * quarters, fine=False)
                if turned is not None and turned.measures.certainty >= SURE_SCORE:
                    return turned
                looks += [turned] if turned is not None else []
        for lean in (LEAN_DEG, -LEAN_DEG):
            leaning = self._look(_leaning(pixels, lean), int(lean), fine=True)
            looks += [leaning] if leaning is not None else []
        return max(looks, key=lambda look: look.measures.certainty, default=None)

    def _look(self, pixels: Pixels, turned_deg: int, *, fine: bool) -> Found | None:
        boxes, scale = self._boxes(pixels, fine=fine)
        return self._main(pixels, boxes, scale, turned_deg) if boxes else None

    def _boxes(self, pixels: Pixels, *, fine: bool) -> tuple[list[_Box], float]:
        """Faces and the scale at which they were found; after a quick look, as closely as is needed for others of half
        the size of the widest to be found too."""
        longest = max(pixels.shape[:2])
        side = min(QUICK_SIDE, round(MOST_GROWTH * longest))
        found, scale = self._at(pixels, side / longest)
        widest = max((box.rect.width() for box in found), default=0)
        closer = min(FINE_SIDE, round(MOST_GROWTH * longest))
        if widest:
            closer = min(closer, round(side * 2 * QUICK_FACE_PX / widest))
        if closer <= 1.05 * side or not (fine or found):
            return found, scale
        again, closer_scale = self._at(pixels, closer / longest)
        return (again, closer_scale) if again else (found, scale)

    def _at(self, pixels: Pixels, scale: float) -> tuple[list[_Box], float]:
        size = [max(1, round(side * scale)) for side in (pixels.shape[1], pixels.shape[0])]
        sized = cv2.resize(pixels, size, interpolation=_method(scale)) if scale != 1 else pixels
        rects, scores, _ = self._detector.run(sized, 0, LEAST_SCORE)
        return [_Box(rect, float(score)) for rect, score in zip(rects, scores, strict=True)], scale

    def find_in_frame(self, pixels: Pixels) -> tuple[Points, int] | None:
        """Landmarks of the main face of a frame, and how many faces there are; quick, for clips."""
        scale = min(1.0, 400 / max(pixels.shape[:2]))
        sized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
        rects, _, _ = self._detector.run(sized, 0, -0.1)
        if not rects:
            return None
        main = max(rects, key=lambda rect: rect.width())
        shape = self._landmarks(pixels, _scaled(main, 1 / scale))
        return _points(shape), len(rects)

    def _main(self, pixels: Pixels, boxes: list[_Box], scale: float, turned_deg: int) -> Found:
        best = max(box.score for box in boxes)
        boxes = [box for box in boxes if box.score >= min(best, LEAST_OTHER_SCORE)]
        boxes = sorted(boxes, key=lambda box: (box.rect.width(), box.score), reverse=True)
        rect = _scaled(boxes[0].rect, 1 / scale)
        shape = self._landmarks(pixels, rect)
        points = _points(shape)
        pose = head_pose(points, pixels.shape)
        chip = cv2.cvtColor(dlib.get_face_chip(pixels, shape, CHIP_PX, 0.1), cv2.COLOR_RGB2GRAY)
        skin = _inside(pixels, points)
        measures = Measures(
            faces=len(boxes),
            width_px=pixels.shape[1],
            height_px=pixels.shape[0],
            face_px=round(float(rect.width()), 1),
            eyes_px=round(eyes_px(points), 1),
            certainty=round(boxes[0].score, 3),
            others=round(boxes[1].rect.width() / boxes[0].rect.width(), 3) if len(boxes) > 1 else 0.0,
            cut_off=round(_cut_off(rect, pixels.shape), 3),
            sharpness=round(1000.0 * float(cv2.Laplacian(chip, cv2.CV_64F).var() / max(chip.var(), 1e-6)), 1),
            brightness=round(float(skin.mean()), 1),
            contrast=round(float(skin.std()), 1),
            clipped=round(float(((skin < 8) | (skin > 248)).mean()), 3),
            yaw_deg=round(pose.yaw_deg, 1),
            pitch_deg=round(pose.pitch_deg, 1),
            roll_deg=round(pose.roll_deg, 1),
            turned_deg=turned_deg,
        )
        return Found(pixels, points, measures, shape)

    def embed(self, found: Found) -> tuple[float, ...]:
        """The face as numbers, by the model."""
        if self.model == DEFAULT_MODEL:
            chip = dlib.get_face_chip(found.pixels, found.shape, CHIP_PX, 0.25)[None, :, :, ::-1]
        else:
            height, width = self._client.input_shape
            crop = upright_crop(found.pixels, found.points, (int(height), int(width)))
            chip = (crop[None, :, :, ::-1].astype(np.float32) / 255.0).astype(np.float32)
        values = np.asarray(self._client.forward(np.ascontiguousarray(chip)), np.float64).ravel()
        return tuple(round(float(value), 6) for value in values)

    def antispoof(self, found: Found) -> float | None:
        """How sure DeepFace's anti-spoofing model is that this is a picture of a picture; None without its weights."""
        if not self._antispoof_tried:
            self._antispoof_tried = True
            try:
                self._antispoof = self._built("spoofing", "Fasnet", fetch=False)
            except (MissingWeights, ImportError, ValueError):
                self._antispoof = None
        if self._antispoof is None:
            return None
        left, top = found.points.min(axis=0)
        right, bottom = found.points.max(axis=0)
        area = (int(left), int(top), int(right - left), int(bottom - top))
        real, score = self._antispoof.analyze(found.pixels[:, :, ::-1], area)
        return round(float(1.0 - score if real else score), 4)

    def eyes(self, points: Points) -> float:
        """How far the eyes are open, as a share of their width."""
        return eyes_open(points)


def _method(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR


def _leaning(pixels: Pixels, degrees: float) -> Pixels:
    """`pixels` turned clockwise about the middle, whole, on grey."""
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    wide = int(height * abs(turn[0, 1]) + width * abs(turn[0, 0]))
    high = int(height * abs(turn[0, 0]) + width * abs(turn[0, 1]))
    turn[:, 2] += (wide - width) / 2, (high - height) / 2
    turned = cv2.warpAffine(pixels, turn, (wide, high), flags=cv2.INTER_AREA, borderValue=(128, 128, 128))
    return np.asarray(turned, np.uint8)


def _scaled(rect: Any, by: float) -> Any:
    return dlib.rectangle(
        round(rect.left() * by), round(rect.top() * by), round(rect.right() * by), round(rect.bottom() * by)
    )


def _points(shape: Any) -> Points:
    return np.array([(part.x, part.y) for part in shape.parts()], np.float64)


def _cut_off(rect: Any, shape: tuple[int, ...]) -> float:
    width = max(0, min(rect.right(), shape[1]) - max(rect.left(), 0))
    height = max(0, min(rect.bottom(), shape[0]) - max(rect.top(), 0))
    return float(1.0 - width * height / max(1, rect.width() * rect.height()))


def _inside(pixels: Pixels, points: Points) -> NDArray[np.uint8]:
    """Grey levels of the pixels within the face's outline."""
    left, top = np.clip(points.min(axis=0), 0, None).astype(int)
    right, bottom = points.max(axis=0).astype(int) + 1
    crop = pixels[top:bottom, left:right]
    if not crop.size:
        return np.zeros(1, np.uint8)
    mask = np.zeros(crop.shape[:2], np.uint8)
    outline = cv2.convexHull(np.round(points - (left, top)).astype(np.int32))
    cv2.fillConvexPoly(mask, outline, 1)
    grey: NDArray[np.uint8] = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[mask == 1]
    return grey if grey.size else np.zeros(1, np.uint8)


def _digest(files: Sequence[Path]) -> str:
    digest = sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
