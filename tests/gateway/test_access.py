import asyncio
from typing import Any

from gateway.access import Access
from gateway.metrics import Metrics, Name


async def _call(app: Any, path: str = "/v1/fixes", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await app({"type": "http", "method": "POST", "path": path, "headers": given}, receive, send)
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], head, sent[1]["body"]


async def test_more_requests_at_once_than_allowed_are_sent_away() -> None:
    """503 with Retry-After at once, also then the health checks answer, and there is room again afterwards."""
    metrics = Metrics()
    go = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/v1/fixes":
            await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = Access(slow, metrics, 2)
    two = [asyncio.create_task(_call(app)) for _ in range(2)]
    await asyncio.sleep(0)
    status, head, body = await _call(app)
    assert (status, head["retry-after"]) == (503, "1")
    assert b"too_many_requests" in body
    assert (await _call(app, "/healthz"))[0] == 200
    go.set()
    assert [(await one)[0] for one in two] == [200, 200]
    assert (await _call(app))[0] == 200
    assert metrics.total(Name.REQUESTS, route="/v1/fixes", status="503") == 1
    assert metrics.total(Name.REFUSED, reason="too_many_requests") == 1


async def test_every_answer_has_an_id_and_safe_headers() -> None:
    async def plain(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b""})

    app = Access(plain, Metrics(), 1)
    _, own, _ = await _call(app)
    _, given, _ = await _call(app, x_request_id="call-7")
    _, odd, _ = await _call(app, x_request_id="<script>" * 9)
    assert given["x-request-id"] == "call-7"
    assert len({own["x-request-id"], odd["x-request-id"]}) == 2
    assert "script" not in odd["x-request-id"]
    assert own["a"] == "b"
    assert own["x-content-type-options"] == "nosniff"
