"""What is in this body? Unpacking within bounds, and fixes from one object, an array, or lines (NDJSON)."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.fix import Fix, decode_fixes
from schemas.message import Invalid, decode, invalid_from

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_GZIP_WINDOW = 31  # zlib's number for "a gzip header, the largest window"


class TooLarge(ValueError):
    """A body, or what it unpacks to, beyond what one request may hold."""


class Unusable(NamedTuple):
    """One thing in a body that is no fix: its place (0 for the first), its bytes, and why.

    `raw_size`, `raw_sha256`: of the whole, when `raw` is only its beginning.
    """

    place: int
    raw: bytes
    why: Invalid
    device_id: str = ""
    raw_size: int = 0
    raw_sha256: str = ""


class Reading(NamedTuple):
    """What a body held: the fixes, the place of each in the body, and what was none. `text`: the body itself."""

    fixes: list[Fix]
    places: list[int]
    unusable: list[Unusable]
    text: bytes = b""


def unpacked(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """`body` freed from gzip (or zlib's deflate), also when a gzip body does not say what it is.

    Raises:
        Invalid: an unknown encoding, a broken or cut stream.
        TooLarge: more than `limit_bytes` when unpacked; no more than that is ever unpacked.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return _inflated(body, _GZIP_WINDOW, limit_bytes) if body[:2] == _GZIP_MAGIC else body
        case "gzip" | "x-gzip":
            return _inflated(body, _GZIP_WINDOW, limit_bytes)
        case "deflate":
            return _inflated(body, zlib.MAX_WBITS, limit_bytes)
    raise Invalid("unknown Content-Encoding; use gzip, deflate or none", "Content-Encoding")


def _inflated(packed: bytes, window: int, limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    room = limit_bytes
    while packed:
        stream = zlib.decompressobj(window)
        try:
            part = stream.decompress(packed, room + 1)
        except zlib.error as error:
            raise Invalid(f"compressed body is broken: {error}") from error
        room -= len(part)
        if room < 0:
            raise TooLarge(f"the body unpacks to more than {limit_bytes} bytes")
        if not stream.eof:
            raise Invalid("compressed body is cut short")
        parts.append(part)
        packed = stream.unused_data.lstrip(b"\x00")
    return b"".join(parts)


def read_fixes(body: bytes, content_type: str, limit_fixes: int) -> Reading:
    """The fixes in an unpacked body, whatever `content_type` claims: what it looks like decides.

    A body that cannot be told apart (broken JSON, empty) is one unusable thing, at place 0.

    Raises:
        TooLarge: more than `limit_fixes` parts.
    """
    text = body.removeprefix(_BOM).strip()
    try:
        if not text:
            raise Invalid("the body is empty")
        fixes = decode_fixes(text)
    except Invalid as why:
        lines = text[:1] != b"[" and (b"\n" in text or "ndjson" in content_type or "jsonl" in content_type)
        try:
            return _apart(text, _lines(text) if lines else _elements(text), limit_fixes)
        except _Whole as whole:
            return unreadable(body, whole.why or why)
    _bound(len(fixes), limit_fixes)
    return Reading(fixes, list(range(len(fixes))), [], text)


def unreadable(body: bytes, why: Invalid) -> Reading:
    """The reading of a body that as a whole is of no use."""
    return Reading([], [], [Unusable(0, body, why, _named(body))], body)


def raw_at(reading: Reading, place: int) -> bytes:
    """The bytes of what stands at `place` in the body."""
    if reading.text[:1] == b"[":
        return bytes(_elements(reading.text)[place])
    if len(reading.fixes) + len(reading.unusable) == 1:
        return reading.text
    return _lines(reading.text)[place]


class _Whole(Exception):
    """A body that has no parts which could be judged one by one. `why`: what is wrong with it as a whole, if known."""

    def __init__(self, why: Invalid | None = None) -> None:
        super().__init__(why)
        self.why = why


def _elements(text: bytes) -> Sequence[bytes | msgspec.Raw]:
    if text[:1] != b"[":
        raise _Whole
    try:
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _Whole(invalid_from(error)) from error


def _lines(text: bytes) -> Sequence[bytes]:
    lines = [line for line in (line.strip() for line in text.split(b"\n")) if line]
    if not any(line[:1] == b"{" and line[-1:] == b"}" for line in lines):
        raise _Whole  # an object spread over lines for people to read, and broken
    return lines


def _apart(text: bytes, parts: Sequence[bytes | msgspec.Raw], limit_fixes: int) -> Reading:
    _bound(len(parts), limit_fixes)
    reading = Reading([], [], [], text)
    for place, part in enumerate(parts):
        raw = bytes(part)
        try:
            reading.fixes.append(decode(raw, Fix))
            reading.places.append(place)
        except Invalid as why:
            reading.unusable.append(Unusable(place, raw, why, _named(raw)))
    return reading


def _bound(found: int, limit_fixes: int) -> None:
    if found > limit_fixes:
        raise TooLarge(f"{found} fixes in one request; at most {limit_fixes}")


class _Named(msgspec.Struct):
    device_id: str = ""


def _named(raw: bytes) -> str:
    """The device that an unusable fix says it is of, or nothing."""
    try:
        return msgspec.json.decode(raw, type=_Named).device_id[:128]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
