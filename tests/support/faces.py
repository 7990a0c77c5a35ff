"""Photographs of real people from installed packages, in the ways telephones send them, and clips made of them.

Eileen Collins from scikit-image, Grace Hopper from matplotlib, six people from one photograph in insightface's wheel.
"""

import io
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.support.checkins import collins

Pixels = NDArray[np.uint8]


def group() -> Image.Image:
    """Six people beside one another."""
    path = distribution("insightface").locate_file("insightface/data/images/t1.jpg")
    return Image.open(io.BytesIO(Path(str(path)).read_bytes())).convert("RGB")


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


_TURNED_BY_EXIF = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def as_sent(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """A photograph in the ways in which it reaches a server; each is still of that person."""
    for orientation in (2, 3, 5, 6, 8):
        way = _TURNED_BY_EXIF[orientation]
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"exif {orientation}", encoded(image.transpose(way), exif=exif)
    yield "on its side, unmarked", encoded(image.rotate(90, expand=True))
    yield "upside down, unmarked", encoded(image.rotate(180, expand=True))
    for degrees in (30, -45):
        yield f"leaning {degrees}", encoded(image.rotate(degrees, expand=True, fillcolor=(90, 120, 150)))
    yield "grey", encoded(image.convert("L"))
    yield "cmyk", encoded(image.convert("CMYK"))
    yield "see-through", encoded(image.convert("RGBA"), "PNG")
    yield "palette", encoded(image.quantize(128), "PNG")
    deep = np.asarray(image.convert("L")).astype(np.uint16) * 257
    yield "16 bits", encoded(Image.fromarray(deep), "PNG")
    yield "large", encoded(image.resize((3000, round(3000 * image.height / image.width))))
    yield "small", encoded(image.resize((image.width // 2, image.height // 2)))
    yield "squeezed", encoded(image, quality=20)
    yield "progressive", encoded(image, progressive=True)
    yield "dim", encoded(image.point(lambda level: level // 3))


def clip(frames: Iterator[Pixels], fps: float = 12.0) -> bytes:
    """`frames` (RGB) as an MP4."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/clip.mp4"
        sink: cv2.VideoWriter | None = None
        for pixels in frames:
            if sink is None:
                size = (pixels.shape[1], pixels.shape[0])
                sink = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
                assert sink.isOpened()
            sink.write(np.ascontiguousarray(pixels[:, :, ::-1]))
        assert sink is not None
        sink.release()
        return Path(path).read_bytes()


def portrait() -> Pixels:
    """Eileen Collins' head and shoulders, 600 x 600."""
    return np.asarray(collins().crop((110, 10, 350, 250)).resize((600, 600), Image.Resampling.LANCZOS), np.uint8)


def head_turned(pixels: Pixels, share: float) -> Pixels:
    """`pixels` as if the head was turned: what is nearer to the camera moves more. `share`: -1 to 1."""
    height, width = pixels.shape[:2]
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    from_middle = ((u - 285) / 170) ** 2 + ((v - 265) / 230) ** 2
    depth = np.sqrt(np.clip(1.0 - from_middle, 0.0, 1.0))
    nose = np.exp(-(((u - 285) / 42) ** 2 + ((v - 275) / 60) ** 2))
    shift = (50.0 * depth + 28.0 * nose) * share
    return np.asarray(cv2.remap(pixels, (u - shift).astype(np.float32), v, cv2.INTER_LINEAR), np.uint8)


def card_turned(pixels: Pixels, share: float) -> Pixels:
    """`pixels` as a card that is turned about its upright axis before a camera."""
    height, width = pixels.shape[:2]
    angle = np.radians(45.0) * share
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64) * (width / 2, height / 2)
    away = 2.0 * width + corners[:, 0] * np.sin(angle)
    seen = np.stack([corners[:, 0] * np.cos(angle), corners[:, 1]], 1) * (2.0 * width / away)[:, None]
    middle = np.array([width / 2, height / 2])
    turn = cv2.getPerspectiveTransform((corners + middle).astype(np.float32), (seen + middle).astype(np.float32))
    return np.asarray(cv2.warpPerspective(pixels, turn, (width, height), borderValue=(60, 60, 60)), np.uint8)


def swaying(pixels: Pixels, turned: Callable[[Pixels, float], Pixels], sway: tuple[float, ...]) -> Iterator[Pixels]:
    """`pixels`, turned by one share after the other, with a sensor's noise."""
    chance = np.random.default_rng(4)
    for share in sway:
        noise = chance.normal(0.0, 2.0, pixels.shape)
        yield np.clip(turned(pixels, share) + noise, 0, 255).astype(np.uint8)
