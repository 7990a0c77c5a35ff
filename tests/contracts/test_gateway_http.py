"""What devices may rely on when they speak HTTP to the gateway: real server, real broker, real Redis."""

import gzip
import json
import socket
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import httpx
import pytest

from schemas.fix import decode_fixes
from schemas.times import instant
from tests.support.site import NOON, Site, fix, running_site, until


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), {"GATEWAY_BODY_TIMEOUT_S": "2"}) as running:
        yield running


def test_a_fix_is_on_the_topic_when_202_is_said(site: Site) -> None:
    """One object in, one frame out, stamped with the time of receipt and in UTC."""
    token = site.issue("d-one")
    before = datetime.now(UTC)
    answer = site.post("/v1/fixes", fix("d-one", fix_time="2026-11-23T20:00:00+08:00", unknown={"x": 1}), token=token)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (found,) = site.fixes("d-one")
    assert found["fix_time"] == NOON
    received_at = datetime.fromisoformat(found.pop("received_at"))
    assert before - timedelta(milliseconds=1) <= received_at <= datetime.now(UTC)
    assert found == fix("d-one")
    (got,) = [one for one in site.read("fixes") if one.key == b"d-one"]
    assert got.headers.keys() == {"id", "src", "type"}
    assert got.headers["type"] == b"Fix"
    assert decode_fixes(json.dumps(got.value).encode())


@pytest.mark.parametrize(
    "form", ["array", "ndjson", "ndjson unannounced", "gzip", "gzip unannounced", "deflate", "bom"]
)
def test_every_form_of_body_is_read(site: Site, form: str) -> None:
    """Array, lines and compressed; the body's looks decide where the header is wrong or missing."""
    device_id = "d-" + form.replace(" ", "-")
    token = site.issue(device_id)
    fixes = [fix(device_id, seq=number) for number in range(5)]
    body = json.dumps(fixes).encode()
    headers = {"content-type": "text/plain"}
    if "ndjson" in form:
        body = b"\r\n".join(json.dumps(one).encode() for one in fixes) + b"\n\n"
        headers = {"content-type": "application/x-ndjson"} if form == "ndjson" else headers
    elif "gzip" in form:
        body = gzip.compress(body)
        headers = {"content-encoding": "gzip"} if form == "gzip" else headers
    elif form == "deflate":
        body, headers = zlib.compress(body), {"content-encoding": "deflate"}
    elif form == "bom":
        body = b"\xef\xbb\xbf" + body
    answer = site.post("/v1/fixes", body, token=token, headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 5})
    assert [one["seq"] for one in site.fixes(device_id)] == list(range(5))


def test_one_bad_fix_in_an_array_costs_only_itself(site: Site) -> None:
    """202, the good ones on the topic, the bad ones listed by index and kept byte by byte."""
    token = site.issue("d-part")
    good, high, other = fix("d-part"), fix("d-part", lat=91), fix("d-else")
    body = json.dumps([high, good, other, 7]).encode()
    answer = site.post("/v1/fixes", body, token=token)
    assert answer.status_code == 202
    said = answer.json()
    assert (said["accepted"], said["rejected_count"]) == (1, 3)
    assert [(one["index"], one["field"]) for one in said["rejected"]] == [(0, "$.lat"), (2, "$.device_id"), (3, "$")]
    assert all(one["error"] and one["hint"] for one in said["rejected"])
    assert len(site.fixes("d-part")) == 1
    kept = site.rejected("d-part")
    raws = {b64decode(one["raw"]) for one in kept}
    assert raws == {json.dumps(high).encode(), json.dumps(other).encode(), b"7"}
    assert {one["source"] for one in kept} == {"http:/v1/fixes"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "$"),
        (b"{", "$"),
        (b'{"device_id": "d-bad"', "$"),
        (b"[1, 2", "$"),
        (b"null", "$"),
        (json.dumps({**fix("d-bad"), "lat": "31"}).encode(), "$.lat"),
        (json.dumps(fix("d-bad", lat=91)).encode(), "$.lat"),
        (json.dumps(fix("d-bad", lon=float("nan"))).encode(), "$"),
        (b'{"device_id":"d-bad","fix_time":"2026-11-23T12:00:00Z","lat":1e999,"lon":1}', "$.lat"),
        (json.dumps(fix("d-bad", fix_time="yesterday")).encode(), "$.fix_time"),
        (json.dumps(fix("d-bad", fix_time="2026-11-23T12:00:00")).encode(), "$.fix_time"),
        (json.dumps(fix("d-bad", fix_time="0001-01-01T00:00:00+14:00")).encode(), "$.fix_time"),
        (json.dumps(fix("d-bad", fix_time=1_700_000_000)).encode(), "$.fix_time"),
        (json.dumps(fix("")).encode(), "$.device_id"),
        (json.dumps(fix("d-bad", datum="mars")).encode(), "$.datum"),
        (b'{"x":' + b"[" * 50_000, "$"),
        (b"\x00\xff\xfe", "$"),
    ],
)
def test_bad_input_is_named_and_kept(site: Site, body: bytes, field: str) -> None:
    """400 as a problem that names the field; the bytes, their size and hash on the rejected topic."""
    token = next((one for one, of in site.tokens.items() if of.principal == "d-bad"), "") or site.issue("d-bad")
    before = site.metric("fenceline_gateway_rejected_total")
    answer = site.post("/v1/fixes", body, token=token)
    problem = answer.json()
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == 400
    assert problem["field"] == field
    assert problem["detail"]
    assert problem["hint"]
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert site.metric("fenceline_gateway_rejected_total") == before + 1
    kept = [one for one in site.rejected("d-bad") if one["raw_sha256"] == sha256(body).hexdigest()]
    assert len(kept) == 1
    assert (kept[0]["reason"], kept[0].get("field", "$"), kept[0]["raw_size"]) == (problem["detail"], field, len(body))


def test_a_time_of_long_ago_or_ahead_is_left_to_the_judges(site: Site) -> None:
    """A wrong clock is a fact about the device, not about the request."""
    token = site.issue("d-clock")
    times = ["1970-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"]
    assert site.post("/v1/fixes", [fix("d-clock", fix_time=one) for one in times], token=token).status_code == 202
    assert [one["fix_time"] for one in site.fixes("d-clock")] == times


def test_an_empty_array_is_no_fault(site: Site) -> None:
    token = site.issue("d-none")
    assert site.post("/v1/fixes", [], token=token).json() == {"accepted": 0}


def test_too_large_a_body_is_told_so_and_kept_in_part(site: Site) -> None:
    """413 with the size and hash of all of it, and its first 64 KiB, on the rejected topic."""
    token = site.issue("d-large")
    body = b"[" + b"1," * 5_000_000 + b"1]"
    answer = site.post("/v1/fixes", body, token=token)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    (kept,) = site.rejected("d-large")
    assert kept["raw_truncated"]
    assert (kept["raw_size"], kept["raw_sha256"]) == (len(body), sha256(body).hexdigest())
    assert len(b64decode(kept["raw"])) == 64 * 1024


def test_a_gzip_bomb_is_stopped(site: Site) -> None:
    """64 MiB of zeros in 64 kB: 413, and no more than the limit was ever unpacked."""
    token = site.issue("d-bomb")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**24)) for _ in range(4)) + packer.flush()
    assert len(bomb) < 128 * 1024
    answer = site.post("/v1/fixes", bomb, token=token, headers={"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert len(site.rejected("d-bomb")) == 1


def test_too_many_fixes_in_one_request_are_refused(site: Site) -> None:
    token = site.issue("d-many")
    body = gzip.compress(json.dumps([fix("d-many")] * 10_001).encode())
    assert site.post("/v1/fixes", body, token=token).status_code == 413
    assert site.fixes("d-many") == []


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [("gzip", b"no gzip", 400), ("gzip", gzip.compress(b"[]")[:-9], 400), ("br", b"[]", 415)],
)
def test_a_broken_or_unknown_packing_is_refused(site: Site, encoding: str, body: bytes, status: int) -> None:
    token = next((one for one, of in site.tokens.items() if of.principal == "d-packed"), "") or site.issue("d-packed")
    answer = site.post("/v1/fixes", body, token=token, headers={"content-encoding": encoding})
    assert answer.status_code == status


def test_without_a_token_nothing_is_taken_nor_kept(site: Site) -> None:
    """401 with the way to get one; strangers cannot fill the rejected topic."""
    before = site.metric("fenceline_gateway_rejected_total")
    for headers in ({}, {"authorization": "Bearer fl_abcdef_" + "x" * 40}, {"authorization": "Basic %%%"}):
        answer = site.post("/v1/fixes", fix("d"), headers=headers)
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers
        assert "fenceline token issue" in answer.json()["hint"]
    assert site.metric("fenceline_gateway_rejected_total") == before


@pytest.mark.parametrize(("change", "error"), [("revoked_at", "token_revoked"), ("expires_at", "token_expired")])
def test_a_token_that_ended_is_refused_within_seconds_and_its_input_kept(site: Site, change: str, error: str) -> None:
    device_id = f"d-{change}"
    token = site.issue(device_id)
    assert site.post("/v1/fixes", fix(device_id), token=token).status_code == 202
    site.change(token, **{change: instant(datetime.now(UTC))})
    answer = until(lambda: (got := site.post("/v1/fixes", fix(device_id), token=token)).is_error and got, 5.0)
    assert (answer.status_code, answer.json()["error"]) == (401, error)
    assert len(site.rejected(device_id)) == 1


def test_a_token_reports_for_its_own_devices_only(site: Site) -> None:
    """403 that names the device; a feed's token covers a list, or all."""
    own, several, fleet = (
        site.issue("d-a"),
        site.issue("d-b", "d-c"),
        site.issue("*", principal="fleet", role="service"),
    )
    answer = site.post("/v1/fixes", fix("d-b"), token=own)
    assert answer.status_code == 403
    assert "'d-b'" in answer.json()["detail"]
    assert site.post("/v1/fixes", [fix("d-b"), fix("d-c")], token=several).json() == {"accepted": 2}
    assert site.post("/v1/fixes", [fix("d-a"), fix("d-new")], token=fleet).json() == {"accepted": 2}


def test_an_officers_token_is_not_a_devices(site: Site) -> None:
    token = site.issue(principal="officer-7", role="officer")
    assert site.post("/v1/fixes", fix("d"), token=token).json()["error"] == "wrong_role"


def test_a_sender_that_is_too_fast_is_told_when_to_come_back(site: Site) -> None:
    """429 with Retry-After, nothing half taken; another token is not slowed."""
    token = site.issue("d-fast", fixes_per_s=2.0, burst_fixes=10.0)
    other = site.issue("d-calm")
    answers = [site.post("/v1/fixes", [fix("d-fast")] * 3, token=token) for _ in range(6)]
    late = [one for one in answers if one.status_code == 429]
    assert late
    assert all(1 <= int(one.headers["retry-after"]) <= 5 for one in late)
    taken = sum(one.json()["accepted"] for one in answers if one.status_code == 202)
    assert len(site.fixes("d-fast")) == taken <= 12
    assert site.post("/v1/fixes", fix("d-calm"), token=other).status_code == 202


def test_owntracks_app_over_http(site: Site) -> None:
    """Basic authentication, `[]` for an answer, km/h to m/s."""
    token = site.issue("phone-1")
    message = {"_type": "location", "lat": 31.2, "lon": 121.4, "tst": 1_763_899_200, "acc": 12, "vel": 36, "batt": 80,
               "bs": 2, "cog": -1, "topic": "owntracks/li/phone-1", "tid": "li"}  # fmt: skip
    answer = site.client.post("/owntracks", json=message, auth=("li", token))
    assert (answer.status_code, answer.json()) == (200, [])
    (found,) = site.fixes("phone-1")
    found.pop("received_at")
    assert found == {"device_id": "phone-1", "fix_time": "2025-11-23T12:00:00.000Z", "lat": 31.2, "lon": 121.4,
                     "accuracy_m": 12.0, "speed_mps": 10.0, "battery_pct": 80.0, "charging": True}  # fmt: skip
    for other in (b"", b'{"_type":"lwt","tst":1}', b'{"_type":"waypoints","waypoints":[]}', b'{"_type":"dump"}'):
        answer = site.client.post("/owntracks", content=other, auth=("li", token))
        assert (answer.status_code, answer.json()) == (200, [])
    assert len(site.fixes("phone-1")) == 1


def test_owntracks_phone_set_up_as_another_is_refused(site: Site) -> None:
    token = site.issue("phone-2")
    message = {"_type": "location", "lat": 1, "lon": 1, "tst": 1, "topic": "owntracks/li/phone-3"}
    answer = site.client.post("/owntracks", json=message, auth=("li", token))
    assert answer.status_code == 403
    assert "'phone-3'" in answer.json()["detail"]
    assert len(site.rejected("phone-2")) == 1


def test_owntracks_bad_location_is_a_problem_except_to_the_app_that_would_send_it_for_ever(site: Site) -> None:
    """The Android app queues on any error and blocks; it hears `[]` and the reason in a header."""
    token = site.issue("phone-4")
    message = {"_type": "location", "lat": 91, "lon": 1, "tst": 1}
    answer = site.client.post("/owntracks", json=message, auth=("li", token))
    assert (answer.status_code, answer.json()["field"]) == (400, "$.lat")
    agent = {"user-agent": "Owntracks-Android/gms/420500000"}
    answer = site.client.post("/owntracks", json=message, auth=("li", token), headers=agent)
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["fenceline-rejected"].startswith("$.lat: ")
    assert len(site.rejected("phone-4")) == 2


def test_traccar_client_in_its_three_forms(site: Site) -> None:
    """Query with the token, form with the token in the path, JSON with a bearer token; knots only where they are."""
    token = site.issue("tracker-1")
    query = {"id": "tracker-1", "lat": "31.2", "lon": "121.4", "timestamp": "1763899200", "speed": "10", "batt": "55.5"}
    assert site.client.get("/osmand", params=query | {"token": token}).status_code == 200
    assert site.client.post(f"/osmand/{token}", data=query | {"timestamp": "1763899200123"}).status_code == 200
    client_9 = {
        "device_id": "tracker-1",
        "location": {
            "timestamp": "2025-11-23T12:00:01.000Z",
            "coords": {"latitude": 31.2, "longitude": 121.4, "speed": 10, "heading": -1, "accuracy": 4},
            "battery": {"level": 0.5, "is_charging": True},
            "extras": {"alarm": "sos"},
        },
    }
    assert site.post("/osmand", client_9, token=token).status_code == 200
    by_query, by_form, by_json = sorted(site.fixes("tracker-1"), key=lambda one: one["fix_time"])
    assert by_query["speed_mps"] == pytest.approx(5.14444, abs=1e-4)
    assert by_form["fix_time"] == "2025-11-23T12:00:00.123Z"
    assert (by_json["speed_mps"], by_json["battery_pct"], by_json["alarms"]) == (10.0, 50.0, ["sos"])
    assert "course_deg" not in by_json


def test_traccar_heartbeat_is_no_fix_and_no_fault(site: Site) -> None:
    token = site.issue("tracker-2")
    assert site.client.get("/osmand", params={"id": "tracker-2", "token": token}).status_code == 200
    assert site.post("/osmand", {"device_id": "tracker-2"}, token=token).status_code == 200
    assert site.fixes("tracker-2") == []


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"id": "tracker-3", "lat": "91", "lon": "1", "timestamp": "1"}, 400, "$.lat"),
        ({"id": "tracker-3", "lat": "nan", "lon": "1", "timestamp": "1"}, 400, "$.lat"),
        ({"id": "tracker-3", "lat": "1", "lon": "1"}, 400, "$.timestamp"),
        ({"id": "other", "lat": "1", "lon": "1", "timestamp": "1"}, 403, "$.device_id"),
        ({"nothing": "known"}, 400, "$"),
    ],
)
def test_osmand_bad_input_is_named(site: Site, query: dict[str, str], status: int, field: str) -> None:
    token = next((one for one, of in site.tokens.items() if of.principal == "tracker-3"), "") or site.issue("tracker-3")
    before = site.metric("fenceline_gateway_rejected_total")
    answer = site.client.get("/osmand", params=query | {"token": token})
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert site.metric("fenceline_gateway_rejected_total") == before + 1
    assert token.encode() not in b"".join(b64decode(one["raw"]) for one in site.rejected("tracker-3"))


def test_answers_carry_safe_headers_and_the_callers_request_id(site: Site) -> None:
    answer = site.client.get("/healthz", headers={"x-request-id": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers
    assert "\n" not in site.client.get("/healthz", headers={"x-request-id": "a b<script>"}).headers["x-request-id"]


def test_unknown_paths_and_methods_are_problems(site: Site) -> None:
    for answer in (site.client.get("/nowhere"), site.client.delete("/v1/fixes"), site.client.get("/v1/../etc")):
        assert answer.status_code in (404, 405)
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_log_holds_no_place_and_no_token(site: Site) -> None:
    """One line a request, with ids and decision, and nothing that says where a person was."""
    token = site.issue("d-log")
    site.post("/v1/fixes", fix("d-log", lat=12.345678, lon=98.765432), token=token)
    site.client.get("/osmand", params={"id": "d-log", "lat": "12.345678", "lon": "1", "timestamp": "x", "token": token})
    site.client.get(f"/osmand/{token}/more")
    text = until(lambda: (log := site.log.read_text()).count("d-log") and log)
    line = next(json.loads(one) for one in text.splitlines() if '"d-log"' in one)
    assert (line["event"], line["status"], line["accepted"], line["device_ids"]) == ("request", 202, 1, ["d-log"])
    assert line["took_ms"] > 0
    assert "12.345" not in text
    assert "98.765" not in text
    assert token.rpartition("_")[2] not in text


def test_the_description_of_the_api_is_served(site: Site) -> None:
    paths = site.client.get("/schema/openapi.json").json()["paths"]
    assert {"/v1/fixes", "/owntracks", "/osmand", "/healthz", "/readyz", "/metrics"} <= paths.keys()
    assert paths["/v1/fixes"]["post"]["requestBody"]["content"].keys() == {"application/json", "application/x-ndjson"}


def test_a_slow_body_is_given_up(site: Site) -> None:
    """A sender that trickles its body cannot hold a place for ever."""
    token = site.issue("d-slow")

    def trickle() -> Iterator[bytes]:
        yield b"["
        until(lambda: site.metric("fenceline_gateway_refused_total", reason="too_slow") > 0, 25.0)
        yield b"]"

    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=site.url, timeout=30.0) as other:
        assert other.post("/v1/fixes", content=trickle(), headers=headers).status_code == 408


@pytest.mark.parametrize(
    "words",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/fixes HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/fixes HTTP/1.1\r\ncontent-length: 10\r\ncontent-length: 20\r\n\r\n",
        b"POST /v1/fixes HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n\r\n",
        b"POST /v1/fixes HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_what_is_not_http_is_turned_away(site: Site, words: bytes) -> None:
    """Neither a fault nor the end of the process."""
    host, port = site.url.removeprefix("http://").split(":")
    # it may hang up before all is said
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(words)
        line.shutdown(socket.SHUT_WR)
        answer = line.recv(65536)
        assert not answer or b" 4" in answer[:13]
    assert site.client.get("/healthz").status_code == 200
    assert "request_failed" not in site.log.read_text()


def test_a_sender_that_hangs_up_is_no_fault(site: Site) -> None:
    token = site.issue("d-gone")
    host, port = site.url.removeprefix("http://").split(":")
    before = site.metric("fenceline_gateway_refused_total", reason="hung_up")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        head = f"POST /v1/fixes HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 100\r\n\r\n["
        line.sendall(head.encode())
    until(lambda: site.metric("fenceline_gateway_refused_total", reason="hung_up") == before + 1, what="the refusal")
    assert "request_failed" not in site.log.read_text()


def test_a_body_without_end_is_cut_off(site: Site) -> None:
    """Beyond 32 MiB the gateway no longer listens; it says 413 or hangs up, and goes on."""
    token = site.issue("d-endless")
    chunk = b"1" * 2**20
    with suppress(httpx.TransportError):
        headers = {"authorization": f"Bearer {token}"}
        answer = site.client.post("/v1/fixes", content=(chunk for _ in range(64)), headers=headers)
        assert answer.status_code == 413
    (kept,) = until(lambda: site.rejected("d-endless"))
    assert 32 * 2**20 < kept["raw_size"] < 34 * 2**20
    assert site.post("/v1/fixes", fix("d-endless"), token=token).status_code == 202
