"""The console as people and programs meet it: real server, Redis, embedded broker, worker and gateway beside it."""

import asyncio
import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error

from agents.objectstore import vault_of
from console.links import make_link
from console.pen import Pen
from console.problems import Problem
from console.seals import name_of
from gateway.producer import started_producer
from schemas.audit import Reading
from schemas.checkin import Checkin, Picture
from schemas.ids import event_id
from schemas.message import encode
from schemas.times import instant
from tests.support import homes
from tests.support.checkins import collins, jpeg
from tests.support.duty import NOW, PEOPLE, House, eventually, happened, report, running_house
from tests.support.site import paused

API = "/api/v1"
EXPECTED = {
    "chen": {("s0", "tamper"), ("s0", "breach"), ("s1", "tamper"), ("s4", "tamper")},
    "wang": {("s2", "tamper")},
}
"""What stands in whose queue to begin with."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running_house(tmp_path_factory.mktemp("house")) as running:
        walk = [report(0, 10 * n, 30.0 * n) for n in range(50)] + [report(2, 10 * n, 0.0) for n in range(50)]
        tampers = [
            happened(f"t{number}", "device.tamper", name) for number, name in enumerate(("s0", "s1", "s2", "s4"))
        ]
        running.send(*walk, *tampers)
        for principal, wanted in EXPECTED.items():
            client = running.bearer(principal)
            eventually(lambda: wanted <= queue(client))  # noqa: B023  # asked at once
        yield running


def queue(client: httpx.Client) -> set[tuple[str, str]]:
    """Whose alerts are open, by which rule."""
    return {(one["subject_id"], one["rule"]) for one in client.get(f"{API}/alerts").json()["alerts"]}


def alert_of(house: House, subject_id: str, rule: str = "tamper") -> Any:
    found = house.bearer("wang" if subject_id == "s2" else "chen").get(f"{API}/alerts").json()["alerts"]
    return next(one for one in found if (one["subject_id"], one["rule"]) == (subject_id, rule))


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and short name of a refusal, which must be a problem as RFC 9457 has it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    assert body["request_id"]
    return answer.status_code, body["error"]


def test_a_link_signs_in_once_and_what_it_begins_ends_when_it_should(house: House) -> None:
    link = asyncio.run(make_link(house.settings, "officer", "zhou", "a", house.url))
    address, _, code = link.partition("#in=")
    assert address == f"{house.url}/desk"
    browser, late = house.browser(), house.browser()
    answer = eventually(lambda: (found := browser.sign_in(link=code)).status_code == 200 and found)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert (browser.me["principal"], browser.me["role"], browser.me["agency"]) == ("zhou", "officer", "a")
    house.forgive()
    assert problem(late.sign_in(link=code)) == (401, "unknown")
    assert browser.get(f"{API}/me").json()["csrf"] == browser.me["csrf"]
    assert browser.get(f"{API}/alerts").status_code == 200
    take = f"{API}/alerts/none/take"
    assert problem(browser.post(take, json={}, headers={"x-csrf-token": "other"})) == (403, "csrf")
    secret = browser.cookies["fl_session"]
    assert not house.store.keys(f"*{secret}*"), "Redis knows no cookie"
    assert house.store.ttl(f"fenceline:session:{name_of(secret)}") <= 1800
    assert browser.delete(f"{API}/session").status_code == 204
    browser.cookies.set("fl_session", secret)
    assert problem(browser.get(f"{API}/me")) == (401, "no_session")

    again = house.browser("li")
    token_id = house.tokens["li"].split("_")[1]
    credential = next(one for one in house.values("credentials") if one["token_id"] == token_id)
    revoked = json.dumps({**credential, "revoked_at": str(instant(NOW))}).encode()
    house.send(("credentials", token_id, revoked))
    assert problem(eventually(lambda: (a := again.get(f"{API}/me")).status_code == 401 and a)) == (401, "no_session")
    assert problem(house.bearer("li").get(f"{API}/me")) == (401, "revoked")
    house.send(("credentials", token_id, json.dumps(credential).encode()))
    eventually(lambda: again.get(f"{API}/me").status_code == 200)


def test_who_may_not_in_is_told_why(house: House) -> None:
    nobody = house.browser()
    assert problem(nobody.get(f"{API}/alerts")) == (401, "no_session")
    assert problem(nobody.sign_in(token="fl_xx_yy")) == (401, "unknown")
    assert problem(nobody.sign_in()) == (400, "invalid")
    assert problem(nobody.sign_in(token=house.tokens["feed"])) == (403, "no_authority")
    assert problem(nobody.post(f"{API}/session", content=b'{"token"')) == (400, "malformed")
    assert problem(nobody.get(f"{API}/nothing")) == (404, "not_found")
    for _ in range(20):
        last = nobody.sign_in(link="made up")
    assert problem(last) == (429, "too_many_attempts")
    assert int(last.headers["retry-after"]) <= 60
    assert nobody.sign_in(token=house.tokens["chen"]).status_code == 200, "who has a right to come in does not wait"
    nobody.cookies.clear()
    house.forgive()
    for principal, path in (("ana", "people"), ("ana", "alerts"), ("s0", "alerts"), ("chen", "my/day")):
        assert problem(house.bearer(principal).get(f"{API}/{path}")) == (403, "no_authority")
    chen = house.bearer("chen")
    assert problem(chen.get(f"{API}/alerts", params={"state": "odd"})) == (400, "invalid")
    assert chen.get(f"{API}/alerts", params={"state": "odd"}).json()["field"] == "state"
    assert problem(chen.get(f"{API}/subjects/s0/track", params={"from": "yesterday"})) == (400, "invalid")
    assert problem(chen.post(f"{API}/alerts/none/take", json={})) == (404, "unknown_alert")
    answer = chen.post(f"{API}/alerts/{alert_of(house, 's0')['alert_id']}/resolve", json={"outcome": "odd"})
    assert (problem(answer), answer.json()["field"]) == ((400, "invalid"), "$.outcome")


def test_pages_come_compressed_with_a_policy_and_are_not_sent_twice(house: House) -> None:
    with httpx.Client(base_url=house.url) as browser:
        for path in ("/desk", "/me", "/sw.js", "/manifest.webmanifest", "/static/lib/api.js"):
            answer = browser.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-encoding"] == "gzip"
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "unsafe-inline" not in policy.replace("style-src 'self' 'unsafe-inline'", "")
            assert browser.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
        assert browser.get("/").headers["location"] == "/desk"
        assert problem(browser.get("/static/../app.py")) == (404, "not_found")
        assert problem(browser.get("/static/%2e%2e/app.py")) == (404, "not_found")
        assert browser.get(f"{API}/openapi.json").json()["openapi"].startswith("3.1")


def test_of_two_officers_one_takes_it_and_who_sends_again_does_nothing_twice(house: House) -> None:
    alert_id = alert_of(house, "s1")["alert_id"]
    browsers = {name: house.browser(name) for name in ("chen", "li")}
    both, keys = threading.Barrier(2), {name: str(uuid.uuid4()) for name in browsers}

    def take(name: str) -> httpx.Response:
        both.wait()
        return browsers[name].post(
            f"{API}/alerts/{alert_id}/take", json={"note": "I go"}, headers={"idempotency-key": keys[name]}
        )

    with ThreadPoolExecutor(2) as hands:
        answers = dict(zip(browsers, hands.map(take, browsers), strict=True))
    holder = next(name for name, answer in answers.items() if answer.status_code == 200)
    other = next(name for name in browsers if name != holder)
    assert answers[holder].json()["outcome"] == "done"
    assert problem(answers[other]) == (409, "wrong_state")
    eventually(lambda: alert_of(house, "s1").get("acknowledged_by") == holder)
    refused = browsers[other].post(f"{API}/alerts/{alert_id}/take", json={})
    assert (refused.json()["holder"], refused.json()["state"]) == (holder, "acknowledged")

    def again() -> httpx.Response:
        return browsers[holder].post(
            f"{API}/alerts/{alert_id}/take", json={"note": "I go"}, headers={"idempotency-key": keys[holder]}
        )

    assert again().json() == answers[holder].json()
    assert again().status_code == 200
    command_id = answers[holder].json()["command_id"]
    assert [one["command_id"] for one in house.values("commands")].count(command_id) == 1
    assert browsers[holder].get(f"{API}/commands/{command_id}").json()["outcome"] == "done"
    assert problem(browsers[other].get(f"{API}/commands/{command_id}")) == (404, "unknown_command")

    given = browsers[holder].post(f"{API}/alerts/{alert_id}/hand-over", json={"to": other, "note": "my shift ends"})
    assert given.json()["outcome"] == "done"
    eventually(lambda: alert_of(house, "s1")["acknowledged_by"] == other)
    resolve = f"{API}/alerts/{alert_id}/resolve"
    assert problem(browsers[other].post(resolve, json={"outcome": "other"})) == (400, "invalid")
    assert browsers[other].post(resolve, json={"outcome": "test", "note": "a drill"}).status_code == 200
    closed = eventually(lambda: browsers[other].get(f"{API}/alerts", params={"state": "closed"}).json()["alerts"])
    assert [(one["alert_id"], one["outcome"]) for one in closed] == [(alert_id, "test")]
    asked = browsers[holder].post(
        f"{API}/tasks", json={"subject_id": "s1", "task_kind": "visit", "to_agency": "a", "note": "go and see"}
    )
    task_id = asked.json()["effect"]
    eventually(lambda: browsers[other].get(f"{API}/tasks/{task_id}").status_code == 200)
    assert browsers[other].post(f"{API}/tasks/{task_id}/accept").json()["outcome"] == "done"
    assert browsers[other].post(f"{API}/tasks/{task_id}/done", json={"outcome": "seen"}).status_code == 200


def test_a_session_that_ends_in_the_middle_costs_nothing(house: House) -> None:
    browser = house.browser("chen")
    house.store.delete(
        f"fenceline:session:{name_of(browser.cookies['fl_session'])}"
    )  # what Redis does when its time is over
    key = {"idempotency-key": str(uuid.uuid4())}
    body = {"subject_id": "s3", "task_kind": "visit", "to_agency": "b", "note": "typed before the session ended"}
    assert problem(browser.post(f"{API}/tasks", json=body, headers=key)) == (401, "no_session")
    assert browser.sign_in(token=house.tokens["chen"]).status_code == 200
    done = [browser.post(f"{API}/tasks", json=body, headers=key).json() for _ in range(2)]
    assert done[0] == done[1]
    # now the other agency has work with this person, and may see them
    wang = house.bearer("wang")
    eventually(lambda: wang.get(f"{API}/subjects/s3").status_code == 200)
    tasks = wang.get(f"{API}/tasks").json()["tasks"]
    assert [one["task_id"] for one in tasks if one["subject_id"] == "s3"] == [done[0]["effect"]]
    assert problem(wang.get(f"{API}/subjects/s3/pictures")) == (403, "other_agency")


def test_agencies_see_their_own_only(house: House) -> None:
    wang, chen = house.bearer("wang"), house.bearer("chen")
    theirs, mine = alert_of(house, "s0")["alert_id"], alert_of(house, "s2")["alert_id"]
    for path in (f"alerts/{theirs}", "subjects/s1", "subjects/s1/timeline", "subjects/s1/score", "subjects/s1/track"):
        assert problem(wang.get(f"{API}/{path}")) == (403, "other_agency")
    assert problem(wang.post(f"{API}/alerts/{theirs}/take", json={})) == (403, "other_agency")
    assert problem(chen.post(f"{API}/alerts/{mine}/take", json={})) == (403, "other_agency")
    assert problem(wang.post(f"{API}/subjects/s1/leaves", json={**_leave(), "reason": "x"})) == (403, "other_agency")
    assert {subject_id for subject_id, _ in queue(wang)} == {"s2"}
    assert "s1" not in wang.get(f"{API}/people").text
    assert {row[1] for row in chen.get(f"{API}/positions").json()["rows"]} <= PEOPLE.keys() - {"s2"}
    assert chen.get(f"{API}/subjects", params={"code": "s2"}).json() == {"subjects": []}
    drawn = chen.get(f"{API}/fences").json()["features"][0]
    assert problem(wang.put(f"{API}/fences/{drawn['properties']['fence_id']}", json=drawn)) == (403, "other_agency")
    assert problem(wang.delete(f"{API}/fences/f0")) == (403, "other_agency")


def _leave() -> dict[str, str]:
    return {"starts_at": str(instant(NOW + timedelta(days=1))), "ends_at": str(instant(NOW + timedelta(days=2)))}


def _events(answer: httpx.Response) -> Iterator[tuple[str, str, Any]]:
    """(id, event, data) of a stream, as they come."""
    told: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line and "event" in told:
            yield told.get("id", ""), told["event"], json.loads(told["data"]) if told.get("data") else None
            told = {}
        name, _, value = line.partition(": ")
        if name:
            told[name] = value


def test_changes_are_told_as_they_come_and_from_where_one_left_off(house: House) -> None:
    browser, wang, person = house.browser("chen"), house.browser("wang"), house.browser("s4")
    with (
        browser.stream("GET", f"{API}/events") as mine,
        wang.stream("GET", f"{API}/events") as theirs,
        person.stream("GET", f"{API}/events") as own,
    ):
        assert mine.headers["content-type"].startswith("text/event-stream")
        streams = [_events(one) for one in (mine, theirs, own)]
        for told in streams:
            assert next(told)[1] == "hello"
        asked = person.post(f"{API}/my/leaves", json={**_leave(), "reason": "the dentist"})
        assert asked.json()["outcome"] == "done"
        leave_id = asked.json()["effect"]
        place, _, leave = next(one for one in streams[0] if one[1] == "leave" and one[2]["leave_id"] == leave_id)
        assert leave.get("state", "asked") == "asked"
        heard: set[str] = set()
        while not {"leave", "result"} <= heard:
            heard.add(next(streams[2])[1])
        assert heard <= {"leave", "result", "score", "message"}, "a person hears of nobody else"
        decided = browser.post(f"{API}/leaves/{leave_id}/decide", json={"decision": "approve"})
        assert decided.json()["outcome"] == "done"
        wang_task = house.bearer("wang").post(
            f"{API}/tasks", json={"subject_id": "s2", "task_kind": "visit", "to_agency": "b"}
        )
        seen = []
        for _, name, data in streams[1]:
            seen.append((name, data))
            if name == "task":
                break
        assert seen[-1][1]["task_id"] == wang_task.json()["effect"]
        assert "s4" not in json.dumps(seen), "another agency's person"
        browser.delete(f"{API}/session")
        for _ in streams[0]:
            pass  # it ends, as its session has ended
    again = house.browser("chen")
    with again.stream("GET", f"{API}/events", headers={"last-event-id": place}) as resumed:
        kept = next(one for one in _events(resumed) if one[1] == "leave" and one[2]["leave_id"] == leave_id)
        assert kept[2]["state"] == "approved"
    with again.stream("GET", f"{API}/events", params={"after": "odd.1-1"}) as lost:
        assert [next(told)[1] for told in [_events(lost)] for _ in range(2)] == ["hello", "reset"]


def _square(fence_id: str, number: int, half_m: float, **properties: Any) -> dict[str, Any]:
    lat, lon = homes.home(number)
    d = half_m / homes.METRES_PER_DEGREE
    ring = [[lon - d, lat - d], [lon + d, lat - d], [lon + d, lat + d], [lon - d, lat + d], [lon - d, lat - d]]
    said = {"fence_id": fence_id, "name": "the river", "rule": "keep_out", "datum": "wgs84", "subjects": ["s0"]}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": said | properties}


KML = b"""<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Placemark><name>park</name><Polygon><outerBoundaryIs><LinearRing><coordinates>
110,30,0 110.01,30,0 110.01,30.01,0 110,30,0</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>
<Placemark><name>view</name></Placemark></Document></kml>"""


def test_a_fence_is_tried_drawn_drawn_anew_and_withdrawn(house: House) -> None:
    chen = house.browser("chen")
    river = _square("river", 0, 150.0)
    tried = chen.post(f"{API}/fences/what-if", params={"days": 1}, json=river).json()
    assert (tried["opened"], tried["dropped"], tried["fixes"]) == (1, 0, 50)
    assert tried["changes"][0]["subject_id"] == "s0"
    assert "the river" in tried["changes"][0]["en"]
    assert "the river" in tried["changes"][0]["zh-CN"]

    key = {"idempotency-key": str(uuid.uuid4())}
    first = [chen.put(f"{API}/fences/river", json=river, headers=key).json() for _ in range(2)]
    assert [(one["fence_id"], one["version"]) for one in first] == [("river", 1)] * 2, "sent again it is the same"
    wider = _square("river", 0, 200.0)
    assert chen.put(f"{API}/fences/river", json=wider, headers={"if-match": '"1"'}).json()["version"] == 2
    late = chen.put(f"{API}/fences/river", json=river, headers={"if-match": "1"})
    assert (problem(late), late.json()["state"]) == ((409, "wrong_state"), "2")
    versions = eventually(
        lambda: len(told := chen.get(f"{API}/fences/river/versions").json().get("versions", ())) == 2 and told
    )
    assert [one["version"] for one in versions] == [2, 1]
    command_id = event_id("console-command", "chen", key["idempotency-key"])
    eventually(lambda: chen.get(f"{API}/commands/{command_id}").json()["outcome"] == "done")
    assert chen.put(f"{API}/fences/river", json=river, headers=key).json()["version"] == 1, "late, and still the same"

    bow = _square("bow", 0, 150.0)
    corners = bow["geometry"]["coordinates"][0]
    corners[1], corners[2] = corners[2], corners[1]
    crossed = chen.put(f"{API}/fences/bow", json=bow)
    assert problem(crossed) == (422, "unusable")
    assert crossed.json()["findings"][0]["mend"]
    assert chen.post(f"{API}/fences/lint", json=bow).json()["findings"][0]["severity"] == "error"
    assert problem(chen.put(f"{API}/fences/bow", json={"type": "Feature"})) == (400, "invalid")
    assert problem(chen.put(f"{API}/fences/other", json=river)) == (400, "invalid")

    read = chen.post(f"{API}/fences/import", content=KML).json()
    assert [one["properties"]["name"] for one in read["features"]] == ["park"]
    assert read["left_out"][0]["name"] == "view"
    assert problem(chen.post(f"{API}/fences/import", content=b"<!DOCTYPE x><kml/>")) == (400, "invalid")
    assert chen.post(f"{API}/fences/import", json=river).json()["features"][0]["properties"]["rule"] == "keep_out"
    large = chen.post(f"{API}/fences/import", content=b" " * (50 * 1024 * 1024))
    assert problem(large) == (413, "too_large")
    assert "50.0 MiB" in large.json()["detail"]
    assert large.json()["hint"]

    assert chen.delete(f"{API}/fences/river").status_code == 204
    assert chen.delete(f"{API}/fences/river").status_code == 204, "once more is no harm"
    eventually(lambda: "river" not in chen.get(f"{API}/fences").text)
    assert len(chen.get(f"{API}/fences/river/versions").json()["versions"]) == 2
    given = [one["kind"] for one in house.values("commands") if one.get("fence_id") == "river"]
    assert given == ["fence.put", "fence.put", "fence.withdraw"]


def test_a_breach_is_explained_as_on_the_command_line(house: House) -> None:
    chen = house.bearer("chen")
    incident_id = alert_of(house, "s0", "breach")["incident_ids"][0]
    own = f"{API}/subjects/s0/incidents/{incident_id}"
    told = chen.get(own).json()
    assert told["incident"]["incident_id"] == incident_id
    assert "home 0" in told["en"]
    assert "home 0" in told["zh-CN"]
    assert told["drawing"]["rings"]
    assert chen.get(f"{own}/picture.png").content.startswith(b"\x89PNG")
    assert b"<svg" in chen.get(f"{own}/picture.svg").content
    assert problem(chen.get(f"{API}/subjects/s0/incidents/none")) == (404, "unknown_incident")


def test_a_person_has_a_page_of_their_own(house: House) -> None:
    person = house.browser("s4")
    assert person.me["subject_id"] == "s4"
    day = person.get(f"{API}/my/day").json()
    assert [one["fence_id"] for one in day["duties"]] == ["f4"]
    score = person.get(f"{API}/my/score").json()
    assert 100 + sum(line["effect"] for line in score["lines"]) == score["score"]["points"]
    assert person.get(f"{API}/my/messages").json() == {"messages": []}
    entry_id = next(line["entry_id"] for line in score["lines"] if line["effect"] < 0)
    assert problem(person.post(f"{API}/my/entries/{entry_id}/contest", json={"reason": ""})) == (400, "invalid")
    contested = person.post(f"{API}/my/entries/{entry_id}/contest", json={"reason": "I was at home"})
    assert contested.json()["outcome"] == "done"
    upheld = house.bearer("chen").post(
        f"{API}/subjects/s4/entries/{entry_id}/decide", json={"decision": "uphold", "reason": "the strap was cut"}
    )
    assert upheld.status_code == 200
    backwards = {"starts_at": _leave()["ends_at"], "ends_at": _leave()["starts_at"], "reason": "x"}
    assert problem(person.post(f"{API}/my/leaves", json=backwards)) == (422, "unusable")
    asked = person.post(f"{API}/my/leaves", json={**_leave(), "reason": "a funeral"}).json()
    leaves = eventually(
        lambda: [one for one in person.get(f"{API}/my/leaves").json()["leaves"] if one["leave_id"] == asked["effect"]]
    )
    assert leaves[0]["reason"] == "a funeral"
    assert person.post(f"{API}/my/leaves/{asked['effect']}/withdraw", json={}).json()["outcome"] == "done"
    assert problem(house.browser("s0").post(f"{API}/my/leaves/{asked['effect']}/withdraw", json={})) == (
        404,
        "unknown_leave",
    )
    rights = person.get(f"{API}/my/rights").json()
    assert "read_at" not in rights
    assert person.post(f"{API}/my/rights/read", json={"version": rights["version"]}).json()["outcome"] == "done"
    eventually(lambda: person.get(f"{API}/my/rights").json().get("read_at"))
    # check-ins go on to the gateway, which knows the person by their own token
    assert problem(person.post("/v1/checkins/challenges", json={})) == (409, "not_enrolled")
    assert problem(person.get("/v1/checkins/none"))[0] == 404
    assert problem(house.browser("chen").get("/v1/checkins/none")) == (403, "no_authority")


def test_pictures_are_for_the_persons_own_officers(house: House) -> None:
    vault, face = vault_of(house.settings), jpeg(collins())
    vault.make_key("s0")
    day = str(instant(NOW))[:10]
    ref = vault.picture_ref("s0", day, "c-1", 0)
    vault.put("s0", ref, face)
    picture = Picture(ref=ref, sha256=hashlib.sha256(face).hexdigest(), kind="jpeg", size_bytes=len(face))
    sent = Checkin(
        checkin_id="c-1",
        subject_id="s0",
        nonce="n",
        challenged_at=instant(NOW),
        received_at=instant(NOW),
        pictures=(picture,),
    )
    house.send(("checkins", "s0", encode(sent)))
    chen = house.browser("chen")
    (found,) = chen.get(f"{API}/subjects/s0/pictures").json()["pictures"]
    assert found["kind"] == "jpeg"
    shown = chen.get(found["url"])
    assert (shown.headers["content-type"], shown.content) == ("image/jpeg", face)
    assert problem(house.bearer("wang").get(found["url"])) == (403, "other_agency")
    assert problem(chen.get(found["url"].replace("c-1", "c-2"))) == (404, "unknown_picture")
    assert problem(house.bearer("ana").get(found["url"])) == (403, "no_authority")
    assert "picture" in {one["what"] for one in house.values("readings") if one["subject_id"] == "s0"}


def test_numbers_come_as_json_and_for_a_spreadsheet(house: House) -> None:
    ana = house.bearer("ana")
    found = ana.get(f"{API}/overview").json()
    assert found["people"]["green"] + found["people"]["yellow"] + found["people"]["red"] == 4
    lines = ana.get(f"{API}/overview.csv").content.decode("utf-8-sig").splitlines()
    assert lines[0] == "section,of,measure,value"
    assert f"alerts,,open,{found['alerts']['open']}" in lines


def test_every_look_stands_on_the_audit(house: House) -> None:
    chen = house.bearer("chen")
    assert chen.get(f"{API}/subjects/s0").status_code == 200
    (looked,) = [one for one in house.values("readings") if (one["by"], one["what"]) == ("chen", "card")][-1:]
    assert (looked["subject_id"], looked["role"], looked["agency"]) == ("s0", "officer", "a")
    eventually(lambda: looked["reading_id"] in {one["ref_id"] for one in house.values("audit")})


def test_requests_made_from_the_description_are_answered_or_refused_with_reason(house: House) -> None:
    """Every question, asked oddly: never a fault."""
    schema = schemathesis.openapi.from_url(f"{house.url}{API}/openapi.json")
    headers = {"authorization": f"Bearer {house.tokens['chen']}"}
    asked = [one.ok() for one in schema.get_all_operations()]
    for operation in asked:
        changes = operation.method.upper() != "GET" and not operation.path.endswith(("/lint", "/import"))
        if changes or operation.path.endswith("/events"):
            continue

        @settings(
            max_examples=2,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy())
        def run(case: schemathesis.Case) -> None:
            answer = case.call(headers=headers)
            case.validate_response(answer, checks=[not_a_server_error])
            if answer.status_code >= 400:
                assert answer.headers["content-type"][0].startswith(("application/problem+json", "text/plain"))

        run()
    assert len(asked) > 50


async def test_what_cannot_be_entered_is_not_told(house: House) -> None:
    pen = Pen(within_s=0.3)
    reading = Reading(reading_id="r", subject_id="s0", by="chen", role="officer", at=instant(NOW), what="card")
    with pytest.raises(Problem, match="starting"):
        await pen.write("readings", "s0", reading, "r")
    pen.take(await started_producer(house.broker, 5.0))
    try:
        with paused(house.broker), pytest.raises(Problem) as away:
            await pen.write("readings", "s0", reading, "r")
        assert (away.value.status, away.value.error) == (503, "broker_away")
        assert away.value.headers()["retry-after"]
    finally:
        await pen.close()
