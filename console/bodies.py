"""How does a large body get in? Read up to a bound; what is beyond it is read away, so that the sender hears why."""

import asyncio
from http import HTTPStatus

from console.callers import Call
from console.problems import Problem, too_large

BODY_S = 60.0
DRAINED_BYTES = 128 * 1024 * 1024
_MIB = 1024 * 1024


async def read_body(request: Call, most_bytes: int, hint: str) -> bytes:
    """The body, of at most `most_bytes`.

    Raises:
        Refused: 413 with `hint`, 408, or 400 when the sender hung up.
    """
    kept, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_S):
            more = True
            while more and size <= DRAINED_BYTES:
                event = await request.receive()
                if event["type"] != "http.request":
                    raise Problem(HTTPStatus.BAD_REQUEST, "hung_up", "the sender hung up before the body's end")
                chunk, more = event["body"], event["more_body"]
                size += len(chunk)
                if size <= most_bytes:
                    kept += chunk
                else:
                    kept.clear()
    except TimeoutError as error:
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "too_slow", "the body did not arrive in time") from error
    if size > most_bytes:
        told = request.headers.get("content-length", "")
        large = int(told) if told.isdecimal() else size
        raise too_large(f"it has {large / _MIB:.1f} MiB; at most {most_bytes / _MIB:g} MiB can be read", hint)
    return bytes(kept)
