"""A plain HTTP/1.1 client on asyncio: as little work as it can be, so that the server is what is measured."""

import asyncio
import time
from typing import NamedTuple


class Run(NamedTuple):
    """What a run came to; latencies in seconds, one a request."""

    requests: int
    seconds: float
    statuses: dict[int, int]
    latencies_s: list[float]


def request_bytes(body: bytes, token: str) -> bytes:
    """A whole POST /v1/fixes."""
    head = (
        f"POST /v1/fixes HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, requests: list[bytes], connections: int, seconds: float) -> Run:
    """Send `requests` over and over from each of `connections`, one after the other, for `seconds`."""
    statuses: dict[int, int] = {}
    latencies_s: list[float] = []
    end = time.perf_counter() + seconds

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        place = number
        while (began := time.perf_counter()) < end:
            writer.write(requests[place % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            status = int(head[9:12])
            statuses[status] = statuses.get(status, 0) + 1
            latencies_s.append(time.perf_counter() - began)
            place += connections
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(connections)))
    return Run(len(latencies_s), time.perf_counter() - began, statuses, latencies_s)
