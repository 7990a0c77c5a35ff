"""Forms with pictures: read in memory, within bounds, refused with words."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.forms import Part, Room, read_form
from gateway.problems import Refused

HEAD = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
FORM = (
    HEAD % (b"nonce", b"")
    + b"n-1\r\n"
    + HEAD % (b"picture", b'; filename="a.jpg"')
    + b"\xff\xd8\r\n-x\xff\r\n--x--\r\n"
)


class _Call:
    """What `read_form` needs of a request: its head, and the body in pieces."""

    def __init__(self, pieces: Sequence[bytes], **headers: str) -> None:
        self.headers = {"content-type": "multipart/form-data; boundary=x"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self._pieces = list(pieces)
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        if not self._pieces:
            await asyncio.Event().wait()  # a sender that says nothing more
        piece = self._pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or piece.endswith(b"...")}


def _read(call: _Call, most_bytes: int = 1000, room: Room | None = None, timeout_s: float = 20) -> list[Part]:
    async def run() -> list[Part]:
        async with (room or Room(10**6)).taken() as share:
            return await read_form(call, share, most_bytes, timeout_s)  # type: ignore[arg-type]

    return asyncio.run(run())


def _refused(call: _Call, **options: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        _read(call, **options)
    assert refused.value.detail
    return int(refused.value.status), refused.value.error


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_fields_and_files_however_the_body_is_cut(size: int) -> None:
    pieces = [FORM[at : at + size] for at in range(0, len(FORM), size)]
    assert _read(_Call(pieces)) == [Part("nonce", False, b"n-1"), Part("picture", True, b"\xff\xd8\r\n-x\xff")]


def test_what_says_that_it_is_too_large_is_refused_unread() -> None:
    call = _Call([FORM], content_length=str(2 * 1024**3))
    assert _refused(call) == (413, "too_large")
    assert call.received == 0


def test_what_does_not_say_is_refused_when_it_is() -> None:
    large = HEAD % (b"picture", b'; filename="a"') + bytes(100_000)
    assert _refused(_Call([large[at : at + 1000] for at in range(0, len(large), 1000)])) == (413, "too_large")


@pytest.mark.parametrize("body", [b"", FORM[:-9], b"nothing of the kind", HEAD % (b"a", b"") * 40])
def test_what_is_no_form_or_breaks_off_is_refused(body: bytes) -> None:
    assert _refused(_Call([body])) == (400, "invalid")


@pytest.mark.parametrize("kind", ["application/json", "", "multipart/form-data", "image/jpeg"])
def test_another_kind_of_body_is_refused(kind: str) -> None:
    assert _refused(_Call([FORM], content_type=kind)) == (415, "not_a_form")


def test_a_sender_that_says_nothing_more_is_not_waited_for() -> None:
    assert _refused(_Call([FORM[:20] + b"..."]), timeout_s=0.01) == (408, "too_slow")


def test_room_is_shared_and_given_back() -> None:
    """When too much is on its way at once, the next one is asked to come again; afterwards there is room."""
    room = Room(300)
    assert _refused(_Call([HEAD % (b"picture", b'; filename="a"'), bytes(300)]), room=room) == (503, "busy")
    assert len(_read(_Call([FORM]), room=room)) == 2
    assert len(_read(_Call([FORM]), room=room)) == 2
