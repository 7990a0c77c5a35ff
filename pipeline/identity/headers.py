"""What is in these bytes, and how large would it be? Told from the first bytes, before anything is decoded.

A picture of 30 kB can claim 60,000 x 60,000 pixels; whoever decodes first and looks then has no memory left.
"""

import re
from typing import NamedTuple

from schemas.checkin import Kind
from schemas.message import Invalid

MOST_PIXELS = 50_000_000
"""More than any telephone's camera makes by default, and 150 MB decoded."""

MOST_SIDE = 16_384

_DATA_URL = re.compile(rb"\s*data:[a-z0-9.+-]+/[a-z0-9.+-]+[;,]", re.IGNORECASE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{64,}={0,2}\s*")
_STILL_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"})
_OTHERS = {b"GIF8": "a GIF", b"BM": "a BMP", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"RIFF": "WebP", b"%PDF": "a PDF"}
_SOF = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


class Header(NamedTuple):
    """What the bytes say of themselves. A clip tells its size only when it is opened: `width` and `height` are 0."""

    kind: Kind
    width: int = 0
    height: int = 0


def header_of(raw: bytes) -> Header:
    """The header of a still (JPEG, PNG) or clip (MP4, WebM).

    Raises:
        Invalid: something else, or larger than is decoded; says what to send instead.
    """
    if not raw:
        raise Invalid("it is empty; send the picture's bytes")
    if raw[:3] == b"\xff\xd8\xff":
        return _bounded(Header("jpeg", *_jpeg_size(raw)))
    if raw[:8] == b"\x89PNG\r\n\x1a\n":
        if len(raw) < 24 or raw[12:16] != b"IHDR":
            raise Invalid("the PNG breaks off in its header; send it again")
        return _bounded(Header("png", int.from_bytes(raw[16:20]), int.from_bytes(raw[20:24])))
    if raw[4:8] == b"ftyp":
        if raw[8:12] in _STILL_BRANDS:
            raise Invalid(
                "this is an HEIC or AVIF photograph; send JPEG (on an iPhone: Camera, Formats, Most Compatible)"
            )
        return Header("mp4")
    if raw[:4] == b"\x1a\x45\xdf\xa3":
        return Header("webm")
    for start, name in _OTHERS.items():
        if raw.startswith(start):
            raise Invalid(f"this is {name}; send JPEG or PNG")
    if _DATA_URL.match(raw):
        raise Invalid("this is a data URL; send the picture's bytes, not their base64 text")
    if _BASE64.fullmatch(raw[:4096]):
        raise Invalid("this looks like base64 text; send the picture's bytes")
    raise Invalid("neither JPEG, PNG, MP4 nor WebM; send one of these")


def _bounded(header: Header) -> Header:
    if not header.width or not header.height:
        raise Invalid(f"the {header.kind.upper()} says that it has no pixels")
    if header.width * header.height > MOST_PIXELS or max(header.width, header.height) > MOST_SIDE:
        raise Invalid(
            f"{header.width} x {header.height} pixels is too large; at most {MOST_PIXELS // 1_000_000} million, "
            f"{MOST_SIDE} a side"
        )
    return header


def _jpeg_size(raw: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 < len(raw):
        if raw[place] != 0xFF:
            break
        marker = raw[place + 1]
        if marker in _SOF:
            return int.from_bytes(raw[place + 7 : place + 9]), int.from_bytes(raw[place + 5 : place + 7])
        if marker == 0xFF:  # padding
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            place += 2
        elif marker in (0xD9, 0xDA):
            break
        else:
            place += 2 + int.from_bytes(raw[place + 2 : place + 4])
    raise Invalid("the JPEG breaks off before it says how large it is; send it again")
