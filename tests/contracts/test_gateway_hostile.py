"""Ten thousand hostile bodies: no 5xx, no crash, and every rejected one accounted for."""

import asyncio
import gzip
import json
import random
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from tests.support.site import fix, running_site

BODIES = 10_000
SEED = 20261123
AT_ONCE = 32
DEVICE = "hostile"

_ODD: tuple[Any, ...] = (
    *(None, True, "", " ", "x" * 300, "\u0000", "\ud83d\ude00", "NaN", "1e400", "2026-13-45T99:99:99Z", [], {}, [[]]),
    *(91, -91, 181, 1e308, -0.0, 2**53, 2**64, -(2**70), 10**40, "1_000", "٣", "9999-12-31T23:59:59.999-23:59"),
    *("1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", {"a": {"b": [1]}}, "fl_abcdef_" + "x" * 40, "' OR 1=1 --"),
)
_RAW = (
    *(b"", b"{", b"[", b"null", b"NaN", b"[NaN]", b"\xff\xfe\x00", b"[" * 20_000, b'{"a":' * 20_000, b"\x1f\x8b", b"]"),
    *(b'{"lat":Infinity}', b'"\\ud800"', b"\xef\xbb\xbf", b"{}{}", b"{}\n{}\n", b"id=1&lat=%ff&lon=%00", b"a" * 70_000),
)
_TYPES = ("application/json", "application/x-ndjson", "text/html", "application/x-www-form-urlencoded", "", "\u00fc/x")


class Shot(NamedTuple):
    path: str
    body: bytes
    headers: dict[str, str]


def _own(rng: random.Random) -> bytes:
    return json.dumps([fix(DEVICE, seq=rng.randrange(10**6)) for _ in range(rng.randrange(1, 6))]).encode()


def _twisted(rng: random.Random, message: dict[str, Any]) -> dict[str, Any]:
    twisted = dict(message)
    for _ in range(rng.randrange(1, 4)):
        name = rng.choice([*twisted, "extra"])
        if rng.random() < 0.2:
            twisted.pop(name, None)
        elif rng.random() < 0.1 and isinstance(twisted.get(name), dict):
            twisted[name] = _twisted(rng, twisted[name])
        else:
            twisted[name] = rng.choice(_ODD)
        if not twisted:
            break
    return twisted


def _flipped(rng: random.Random, body: bytes) -> bytes:
    bytes_ = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        bytes_[rng.randrange(len(bytes_))] = rng.randrange(256)
    return bytes(bytes_[: rng.randrange(len(bytes_)) + 1]) if rng.random() < 0.5 else bytes(bytes_)


def _fixes(rng: random.Random) -> bytes:
    several = [_twisted(rng, fix(rng.choice([DEVICE, DEVICE, "foreign"]))) for _ in range(rng.randrange(1, 8))]
    if rng.random() < 0.3:
        several.insert(rng.randrange(len(several)), fix(DEVICE))
    match rng.randrange(3):
        case 0:
            return json.dumps(several[0]).encode()
        case 1:
            return json.dumps(several).encode()
    return b"\n".join(json.dumps(one).encode() for one in several)


def _owntracks(rng: random.Random) -> bytes:
    good = {
        "_type": "location",
        "lat": 1.5,
        "lon": 2.5,
        "tst": 1763899200,
        "acc": 5,
        "vel": 3,
        "topic": f"owntracks/u/{DEVICE}",
    }
    return json.dumps(_twisted(rng, good)).encode()


def _osmand(rng: random.Random) -> bytes:
    coords = {"latitude": 1.5, "longitude": 2.5, "speed": 1, "heading": 3, "accuracy": 4}
    location = {"timestamp": "2025-11-23T12:00:01Z", "coords": _twisted(rng, coords), "battery": {"level": 0.4}}
    return json.dumps(_twisted(rng, {"device_id": DEVICE, "location": location})).encode()


def _form(rng: random.Random) -> bytes:
    given = {"id": DEVICE, "lat": "1.5", "lon": "2.5", "timestamp": "1763899200", "speed": "3", "cell": "460,0,1,2"}
    return "&".join(f"{name}={value}" for name, value in _twisted(rng, given).items()).encode("utf-8", "replace")


_MAKERS: tuple[tuple[str, Callable[[random.Random], bytes]], ...] = (
    *(("/v1/fixes", maker) for maker in (_fixes, _fixes, _fixes, _own)),
    *(("/owntracks", maker) for maker in (_owntracks, _fixes)),
    *(("/osmand", maker) for maker in (_osmand, _form)),
)


def _shot(rng: random.Random) -> Shot:
    path, maker = rng.choice(_MAKERS)
    body = maker(rng)
    headers = {"content-type": rng.choice(_TYPES)} if rng.random() < 0.5 else {}
    match rng.randrange(10):
        case 0:
            body = rng.choice(_RAW)
        case 1 | 2:
            body = _flipped(rng, body)
        case 3:
            body = gzip.compress(body, 1)
            if rng.random() < 0.5:
                headers["content-encoding"] = rng.choice(["gzip", "GZIP ", "br", "deflate"])
            if rng.random() < 0.3:
                body = _flipped(rng, body)
        case 4:
            body = rng.randbytes(rng.randrange(1, 2000))
    if rng.random() < 0.05:
        path += rng.choice(["?id=x", "?lat=%ff&token=", "/../fixes", "?" + "a" * 2000, "/%00", "//"])
    return Shot(path, body, headers)


def _unpacked(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return body


class Tally:
    """What the gateway said, summed up, to be compared with what it did."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.accepted = 0
        self.rejected = 0
        self.refused_whole: set[str] = set()
        self.faults: list[str] = []

    def enter(self, shot: Shot, status: int, said: Any) -> None:
        self.statuses[status] += 1
        if status >= 500:
            self.faults.append(f"{shot} -> {status}")
        elif status == 202:
            self.accepted += said["accepted"]
            self.rejected += said.get("rejected_count", 0)
        elif status == 200 and isinstance(said, dict):
            self.accepted += said["accepted"]
        elif status in (400, 403, 413, 415):
            self.rejected += len(said.get("rejected", [said]))
            body = _unpacked(shot.body).strip()
            if "rejected" not in said and body[:1] != b"[" and b"\n" not in body:
                self.refused_whole.add(sha256(body).hexdigest())


async def _fire(url: str, token: str, shots: list[Shot]) -> Tally:
    tally = Tally()
    waiting = iter(shots)

    async def gun(session: aiohttp.ClientSession) -> None:
        for shot in waiting:
            headers = {"authorization": f"Bearer {token}", **shot.headers}
            async with session.post(url + shot.path, data=shot.body, headers=headers) as answer:
                text = await answer.read()
                kind = answer.headers["content-type"]
                assert kind in ("application/json", "application/problem+json"), (shot, kind, text)
                tally.enter(shot, answer.status, json.loads(text))

    # a content type of our own for bodies without one would decide what they are
    async with aiohttp.ClientSession(skip_auto_headers=["content-type"]) as session:
        await asyncio.gather(*(gun(session) for _ in range(AT_ONCE)))
    return tally


def test_ten_thousand_hostile_bodies(tmp_path: Path) -> None:
    """Statuses below 500, counters that agree with the topics, the bytes of each refused body on the rejected topic."""
    rng = random.Random(SEED)
    shots = [_shot(rng) for _ in range(BODIES)]
    with running_site(tmp_path) as site:
        token = site.issue(DEVICE)
        counted_before = site.metric("fenceline_gateway_requests_total", route="/v1/fixes")
        tally = asyncio.run(_fire(site.url, token, shots))
        assert tally.faults == []
        assert tally.statuses.total() == BODIES
        assert {200, 202, 400, 403, 404, 415} <= tally.statuses.keys()

        owntracks_taken = len(site.fixes()) - tally.accepted
        assert 0 <= owntracks_taken <= tally.statuses[200]
        assert site.metric("fenceline_gateway_fixes_total") == len(site.fixes())
        rejected = site.rejected()
        assert len(rejected) == tally.rejected == site.metric("fenceline_gateway_rejected_total")
        kept = [b64decode(one["raw"]) for one in rejected]
        hashes = {sha256(_unpacked(raw).strip()).hexdigest() for raw in kept} | {one["raw_sha256"] for one in rejected}
        assert tally.refused_whole <= hashes
        assert len({one["rejection_id"] for one in rejected}) == len(rejected)
        assert all(one["reason"] for one in rejected)

        assert site.metric("fenceline_gateway_in_flight_fixes") == 0
        assert site.metric("fenceline_gateway_requests_total", route="/v1/fixes") > counted_before
        assert "request_failed" not in site.log.read_text()
        assert site.post("/v1/fixes", fix(DEVICE), token=token).status_code == 202
        assert site.process.poll() is None
