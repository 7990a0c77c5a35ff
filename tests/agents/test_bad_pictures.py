"""The pool serves on, whatever comes: bombs, broken pictures, other things; and says what is wrong with them."""

import struct
import zlib
from base64 import b64encode

import pytest
from PIL import Image

from agents.examination import Job
from agents.facepool import FacePool, Unable
from tests.support.checkins import collins, jpeg
from tests.support.faces import encoded

GOOD = jpeg(collins())


def _png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


BAD = {
    "a bomb": (_png(60_000, 60_000, zlib.compress(bytes(1000))), "too large"),
    "a JPEG without its end": (GOOD[: len(GOOD) // 2], "damaged"),
    "a JPEG without its size": (GOOD[:20], "breaks off"),
    "a PNG without its end": (encoded(collins(), "PNG")[:5000], "damaged"),
    "a PNG of another size than it says": (_png(3000, 3000, zlib.compress(bytes(1000))), "damaged"),
    "nothing": (b"", "empty"),
    "words": (b"hello, " * 100, "neither JPEG"),
    "a data URL": (b"data:image/jpeg;base64," + b64encode(GOOD), "data URL"),
    "base64": (b64encode(GOOD), "base64"),
    "a HEIC": (b"\0\0\0\x24ftypheic" + bytes(100), "HEIC"),
    "a WebP": (encoded(collins(), "WEBP"), "WebP"),
    "a GIF": (encoded(collins(), "GIF"), "GIF"),
    "a clip of nothing": (b"\0\0\0\x18ftypmp42" + bytes(200), "clip"),
}


async def test_a_bad_picture_is_answered_and_costs_nobody_anything() -> None:
    async with FacePool("Dlib", "") as pool:
        for name, (raw, why) in BAD.items():
            found = await pool.examine(Job((raw,)))
            assert found.problem in ("unreadable", "too_large"), name
            assert why.lower() in found.detail.lower(), (name, found.detail)
        found = await pool.examine(Job((GOOD, BAD["a bomb"][0])))
        assert found.detail.startswith("picture 2: "), "of several it is said which"
        large = await pool.examine(Job((encoded(Image.new("RGB", (7000, 7000)), "PNG"),)))
        assert large.problem in ("", "too_large", "too_slow")
        good = await pool.examine(Job((GOOD,)))
        assert (good.problem, good.seen[0].measures.faces) == ("", 1)
        assert pool.replaced == (large.problem == "too_slow")


async def test_without_its_weights_it_does_not_start_and_says_how_to_get_them(tmp_path: object) -> None:
    with pytest.raises(Unable, match="fenceline doctor --fetch-models"):
        await FacePool("Facenet", str(tmp_path)).__aenter__()
