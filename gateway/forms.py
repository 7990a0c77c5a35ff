"""What is in this multipart form? Its fields and files, read within bounds and never onto a disk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, NamedTuple

from litestar import Request
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from gateway.problems import Refused

MOST_PARTS = 32
FIELD_BYTES = 8 * 1024
OVERHEAD_BYTES = 64 * 1024
"""For boundaries, heads and fields, beside the files."""


class Part(NamedTuple):
    """A field or file of a form."""

    name: str
    is_file: bool
    body: bytes


class Room:
    """How many bytes of bodies may be in memory at once, of all requests together."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    @asynccontextmanager
    async def taken(self) -> AsyncIterator["_Share"]:
        """A share of it, which grows as a body comes in, and is given back."""
        share = _Share(self)
        try:
            yield share
        finally:
            self._left += share.bytes

    def take(self, wanted: int) -> None:
        """Take so many bytes.

        Raises:
            Refused: 503, there is no room.
        """
        if wanted > self._left:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "busy",
                "too many pictures come in at once",
                hint="send the same again in a little while",
                retry_after_s=3,
            )
        self._left -= wanted


class _Share:
    def __init__(self, room: Room) -> None:
        self._room = room
        self.bytes = 0

    def grow(self, by: int) -> None:
        self._room.take(by)
        self.bytes += by


async def read_form(request: Request[Any, Any, Any], share: _Share, most_bytes: int, timeout_s: float) -> list[Part]:
    """The parts of a form, in order, all files together at most `most_bytes`.

    Raises:
        Refused: 400 no form that can be read, 408 too slow, 413 too large, 415 another kind of body, 503 no room.
    """
    boundary = _boundary(request.headers.get("content-type", ""))
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > most_bytes + OVERHEAD_BYTES:
        raise _too_large(most_bytes)  # said before anything of it is read
    found: list[Part] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=MOST_PARTS) as parser:
            async with asyncio.timeout(timeout_s):
                segment: MultipartSegment | None = None
                body = bytearray()
                received = 0
                async for chunk in _chunks(request):
                    received += len(chunk)
                    if received > most_bytes + OVERHEAD_BYTES:
                        raise _too_large(most_bytes)
                    share.grow(len(chunk))
                    for event in parser.parse(chunk):
                        if isinstance(event, MultipartSegment):
                            segment = event
                        elif event is not None:
                            body += event
                        elif segment is not None:
                            found.append(Part(segment.name or "", segment.filename is not None, bytes(body)))
                            body = bytearray()
    except TimeoutError as error:
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "too_slow", "the pictures did not arrive in time") from error
    except MultipartError as error:
        raise Refused(
            HTTPStatus.BAD_REQUEST, "invalid", f"the form cannot be read ({error}); send it again", hint=_HINT
        ) from error
    return found


_HINT = "send multipart/form-data with the fields nonce and fix, and files named picture"


def _boundary(content_type: str) -> str:
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_a_form", "pictures come as multipart/form-data", hint=_HINT
        )
    return str(options["boundary"])


def _too_large(most_bytes: int) -> Refused:
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"the pictures are larger than {most_bytes // 1_048_576} MB together",
        hint="record a shorter clip, or send smaller pictures",
    )


async def _chunks(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    more = True
    while more:
        event = await request.receive()
        if event["type"] != "http.request":
            raise Refused(HTTPStatus.BAD_REQUEST, "hung_up", "the sender hung up before the body's end")
        more = event["more_body"]
        if event["body"]:
            yield event["body"]
