"""A person is enrolled, checks in, is doubted, is believed by an officer, and is forgotten: every part as it is run."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from fenceline.demo.checkin import by_phone
from schemas.command import SettleIdentity
from schemas.message import encode
from schemas.times import instant
from tests.support.checkins import Checkpoint, checkpoint, collins, hopper, jpeg
from tests.support.kafka import ApacheKafka
from tests.support.site import fix, until
from tests.support.workers import send_all


def _now(seconds: float = 0) -> str:
    return str(instant(datetime.now(UTC) + timedelta(seconds=seconds)))


def _here(**fields: Any) -> dict[str, Any]:
    return {"lat": 31.2304, "lon": 121.4737, "accuracy_m": 12.0, "fix_time": _now()} | fields


def _set_up(point: Checkpoint) -> str:
    """A person with a bracelet that has just been heard, enrolled; the token of the person's page."""
    subject = {"subject_id": "s-1", "agency": "justice", "time_zone": "Asia/Shanghai"}
    activation = {"activation_id": "a-1", "device_id": "b-1", "subject_id": "s-1", "agency": "justice", "order_id": "o"}
    activation |= {"starts_at": _now(-3600), "ends_at": _now(86400)}
    point.load("subjects", subject)
    point.load("activations", activation)
    (told, enrolled) = point.enroll("s-1", jpeg(collins()), "--order", "o", "--until", _now(86400))
    assert told["ok"]
    assert enrolled["template_ids"] == [told["template_id"]]
    bracelet = point.site.issue("b-1")
    for ago_s in (40, 20, 1):
        assert point.site.post("/v1/fixes", fix("b-1", fix_time=_now(-ago_s)), token=bracelet).status_code == 202
    return point.site.issue("b-1", role="subject", principal="s-1")


def _refusals(point: Checkpoint, token: str, sent: bytes, nonce: str) -> None:
    """What cannot be taken is refused with what is wrong; nothing of it reaches the topic."""
    other = point.site.issue(role="subject", principal="s-9")
    fresh = jpeg(collins(), 0.97)

    def refused(answer: Any) -> tuple[int, str, str]:
        problem = answer.json()
        assert problem["detail"]
        return answer.status_code, problem["error"], problem.get("field", "")

    assert refused(point.send(token, nonce, fresh)) == (409, "used_nonce", "nonce")
    assert refused(point.send(token, "made-up", fresh)) == (404, "unknown_nonce", "nonce")
    assert refused(point.send(other, point.nonce(token), fresh)) == (403, "wrong_subject", "nonce")
    assert refused(point.challenge(other)) == (409, "not_enrolled", "")
    assert refused(point.challenge(point.site.issue("b-2"))) == (403, "wrong_role", "")
    nonce = point.nonce(token)
    assert refused(point.send(token, nonce, sent)) == (409, "replayed", "picture")
    assert refused(point.send(token, nonce)) == (415, "not_a_form", "")
    assert refused(point.send(token, nonce, b"")) == (400, "invalid", "picture[0]")
    assert refused(point.send(token, nonce, b"data:image/jpeg;base64,/9j/4AAQ")) == (400, "invalid", "picture[0]")
    assert refused(point.send(token, nonce, fresh, fix=_here(lat=91)))[:2] == (400, "invalid")
    assert refused(point.send(token, nonce, *[fresh] * 9)) == (400, "invalid", "picture")
    assert refused(point.send(token, nonce, b"\xff\xd8\xff" + bytes(2_000_000))) == (413, "too_large", "")
    assert refused(point.site.client.get("/v1/checkins/none", headers={"authorization": f"Bearer {token}"}))[0] == 404


def _done(point: Checkpoint, token: str) -> tuple[str, bytes]:
    """Another photograph of the enrolled person, where the bracelet is; the nonce and the photograph."""
    picture = jpeg(collins().crop((60, 0, 420, 400)), 1.06)
    nonce = point.nonce(token)
    taken = point.send(token, nonce, picture, fix=_here())
    assert taken.status_code == 202, taken.text
    again = point.send(token, nonce, picture, fix=_here(fix_time="2026-01-01T00:00:00Z"))
    assert again.json()["error"] == "used_nonce", "another fix is another check-in"
    checkin_id = taken.json()["checkin_id"]
    result = point.result(token, checkin_id)
    assert result["state"] == "done", result
    (done,) = until(lambda: point.on("incidents", "s-1", type="checkin.done"), 90.0, "the incident")
    assert done["evidence"]["comparison"]["outcome"] == "match"
    assert done["evidence"]["position"]["verdict"] == "together"
    (checkin,) = point.on("checkins", "s-1")
    assert checkin["pictures"][0]["sha256"] == sha256(picture).hexdigest()
    kept = (point.folder / "data" / "objects" / checkin["pictures"][0]["ref"]).read_bytes()
    assert picture[:64] not in kept
    assert len(point.on("checkins", "s-1")) == 1
    return nonce, picture


def _rejected(point: Checkpoint, token: str) -> None:
    """Nobody in the picture; the person hears what to do, and may try again at once."""
    result = point.check_in(token, jpeg(hopper().crop((0, 0, 120, 120)).resize((480, 480))), fix=_here())
    assert (result["state"], "retry_at" in result, bool(result["advice"])) == ("rejected", False, True), result


def _doubted(point: Checkpoint, token: str) -> None:
    """Another person, whom a human is to look at, with a link and a deadline; the score stays as it was."""
    site = point.site
    result = point.check_in(token, jpeg(hopper()), fix=_here())
    assert (result["state"], result["reasons"]) == ("doubtful", ["a_person_will_look"]), result
    (doubt,) = until(lambda: point.on("incidents", "s-1", type="identity.doubtful"), 90.0, "the incident")
    assert doubt["evidence"]["reason"] == "no_match"
    assert doubt["evidence"]["join_link"] == result["join_link"]
    assert result["join_link"].startswith("https://meet.jit.si/fenceline-")
    assert doubt["evidence"]["deadline"] > doubt["detected_at"]

    def task(state: str) -> Any:
        return point.on("tasks", "s-1", kind="video_check", state=state)

    until(lambda: task("open"), 90.0, "a task for the video check")
    settle = SettleIdentity(
        command_id="c-1",
        subject_id="s-1",
        by="o-1",
        role="officer",
        agency="justice",
        at=instant(datetime.now(UTC)),
        incident_id=doubt["incident_id"],
        verdict="same_person",
        reason="seen in the video",
    )
    asyncio.run(send_all(site.broker, [("commands", "s-1", encode(settle))]))
    (confirmed,) = until(lambda: point.on("incidents", "s-1", type="identity.confirmed"), 90.0, "the officer's word")
    assert confirmed["evidence"]["settles"] == doubt["incident_id"]
    until(lambda: task("done"), 90.0, "the task's end")
    until(lambda: point.on("score-entries", "s-1", state="reversed"), 90.0, "the entry's end")
    until(lambda: point.on("scores", "s-1"), 90.0, "a score")
    assert {one["points"] for one in point.on("scores", "s-1")} == {100}, "a doubt changed the score"


def _forgotten(point: Checkpoint) -> None:
    """The end of an order: face, pictures and key are gone, and that they are is on record."""
    (gone,) = until(lambda: point.on("erasures", "s-2", event="done"), 90.0, "the erasure")
    assert (gone["templates"], gone["key_destroyed"], gone["order_id"]) == (1, True, "o2")
    page = point.site.issue(role="subject", principal="s-2")
    assert point.challenge(page).json()["error"] == "not_enrolled"


def test_from_enrolment_to_the_end_of_an_order(broker: str, tmp_path: Path) -> None:
    with checkpoint(tmp_path, broker, checkin_max_bytes="1000000") as point:
        with ThreadPoolExecutor() as at_once:
            other = at_once.submit(point.enroll, "s-2", jpeg(hopper()), "--order", "o2", "--until", _now(1))
            token = _set_up(point)
            assert other.result()[0]["ok"]
        nonce, picture = _done(point, token)
        _refusals(point, token, picture, nonce)
        assert len(point.on("checkins", "s-1")) == 1, "nothing of what was refused"
        _rejected(point, token)
        _doubted(point, token)
        prompts, result = asyncio.run(by_phone(point.site.url, token, jpeg(collins(), 0.93), _here()))
        assert (len(prompts), result["state"]) == (2, "done"), result
        _forgotten(point)


@pytest.mark.kafka
def test_on_apache_kafka_a_crash_loses_and_doubles_nothing(own_kafka: ApacheKafka, tmp_path: Path) -> None:
    """Enrolled, challenged, checked in; then examiner and worker are killed with a check-in in hand: answered, once."""
    with checkpoint(tmp_path, own_kafka.bootstrap, checkin_max_bytes="1000000", worker_session_timeout_s="6") as point:
        token = _set_up(point)
        _done(point, token)
        taken = point.send(token, point.nonce(token), jpeg(collins(), 0.95), fix=_here())
        for part in (point.examiner, point.worker):
            part.kill()
        for part in (point.examiner, point.worker):
            part.start()
        checkin_id = taken.json()["checkin_id"]
        assert point.result(token, checkin_id)["state"] == "done"
        until(lambda: len(point.on("incidents", "s-1", type="checkin.done")) >= 2, 90.0, "the incident")
        done = [one["evidence"]["checkin_id"] for one in point.on("incidents", "s-1", type="checkin.done")]
        assert done.count(checkin_id) == 1
        assert len(done) == 2
