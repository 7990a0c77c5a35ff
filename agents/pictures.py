"""What does a picture's or clip's bytes hold, as pixels? Decoded upright, in RGB, within bounds; in the pool only.

Whatever a telephone sends: turned by EXIF, CMYK, grey, 16 bits a channel, with transparency. What breaks off in the
middle is not completed with grey, but refused.
"""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.identity.headers import MOST_PIXELS, header_of
from schemas.message import Invalid

Pixels = NDArray[np.uint8]

WORKING_SIDE = 1600
"""Pixels beyond this tell nothing more of a face that is large enough."""

MOST_CLIP_S = 20.0
MOST_FRAMES = 130
FRAMES_PER_S = 12.0
CLIP_SIDE = 640
MOST_CLIP_PIXELS = 4096 * 2304

Image.MAX_IMAGE_PIXELS = MOST_PIXELS
cv2.setNumThreads(1)


class Unreadable(Exception):
    """No pixels can be had of it; says why, in words for its sender."""


def pixels_of(raw: bytes, side: int = WORKING_SIDE) -> Pixels:
    """A still as rows of RGB pixels, upright, its longer side at most `side`.

    Raises:
        Unreadable: not a picture, broken, or too large.
    """
    try:
        header = header_of(raw)
    except Invalid as why:
        raise Unreadable(why.reason) from why
    if header.kind not in ("jpeg", "png"):
        raise Unreadable(f"a still is wanted, and this is a clip ({header.kind})")
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(raw), formats=("JPEG", "PNG")) as image:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image.draft("RGB", (side, side))  # a JPEG is decoded at a fraction of its size where that is enough
            image.load()
            return np.ascontiguousarray(_upright(image, side))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise Unreadable(f"the {header.kind.upper()} is damaged or incomplete ({error}); send it again") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unreadable(f"too large: {error}") from error


def _upright(image: Image.Image, side: int) -> Pixels:
    if max(image.size) > side:
        scale = side / max(image.size)
        if image.mode not in ("RGB", "L", "CMYK"):
            image = _plain(image)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        exif = image.getexif()
        image = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
        image.info["exif"] = exif.tobytes() if exif else b""
    return np.asarray(_plain(ImageOps.exif_transpose(image)), np.uint8)


def _plain(image: Image.Image) -> Image.Image:
    """`image` in RGB with 8 bits a channel, transparency on grey."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        most = 65535.0 if values.max(initial=0.0) > 255.0 else 255.0
        return Image.fromarray((values.clip(0, most) * (255.0 / most)).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, (128, 128, 128, 255))
        return Image.alpha_composite(ground, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


class Shot(NamedTuple):
    """A frame of a clip: seconds from its start, and its pixels."""

    at_s: float
    pixels: Pixels


def shots_of(raw: bytes) -> Iterator[Shot]:
    """About `FRAMES_PER_S` frames a second of a clip, in order, their longer side at most `CLIP_SIDE`.

    Raises:
        Unreadable: no clip, or too long, too large, or broken before the first frame.
    """
    try:
        header = header_of(raw)
    except Invalid as why:
        raise Unreadable(why.reason) from why
    if header.kind not in ("mp4", "webm"):
        raise Unreadable(f"a clip is wanted, and this is a still ({header.kind})")
    with _opened(raw) as video:
        width, height = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width <= 0 or height <= 0 or width * height > MOST_CLIP_PIXELS:
            raise Unreadable(f"the clip has frames of {width:g} x {height:g} pixels; record with at most 1920 x 1080")
        fps = video.get(cv2.CAP_PROP_FPS)
        fps = fps if 1.0 <= fps <= 240.0 else 30.0
        every = max(1, round(fps / FRAMES_PER_S))
        scale = min(1.0, CLIP_SIDE / max(width, height))
        shown = 0
        for number in range(int(MOST_CLIP_S * fps) + 1):
            if not video.grab():
                break
            if number % every:
                continue
            if shown == MOST_FRAMES:
                break
            done, frame = video.retrieve()
            if not done:
                break
            if scale < 1.0:
                frame = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            shown += 1
            yield Shot(number / fps, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        else:
            raise Unreadable(f"the clip is longer than {MOST_CLIP_S:g} s; record a shorter one")
        if not shown:
            raise Unreadable("the clip has no frame that can be read; record it again")


@contextmanager
def _opened(raw: bytes) -> Iterator[Any]:
    """A clip, opened from memory: it is never on a disk unencrypted."""
    handle = os.memfd_create("clip", os.MFD_CLOEXEC)
    try:
        with os.fdopen(handle, "wb", closefd=False) as sink:
            sink.write(raw)
        video = cv2.VideoCapture(f"/proc/self/fd/{handle}", cv2.CAP_FFMPEG)
        try:
            if not video.isOpened():
                raise Unreadable("the clip cannot be opened; record it again as MP4 or WebM")
            yield video
        finally:
            video.release()
    finally:
        os.close(handle)
