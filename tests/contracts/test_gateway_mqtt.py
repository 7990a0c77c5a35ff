"""OwnTracks over MQTT, through a real Mosquitto with passwords and access rules as operators set them up."""

import asyncio
import json
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiomqtt
import pytest

from fenceline.embedded import free_port, stop
from tests.support.site import Site, running_site, until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="no Mosquitto: apt-get install -y mosquitto")

GATEWAY = ("gateway", "gateway-secret")


class Broker(NamedTuple):
    port: int
    folder: Path

    def let_in(self, user: str, password: str) -> None:
        """Give `user` a password; Mosquitto reads it with the next SIGHUP or start."""
        tool = shutil.which("mosquitto_passwd")
        assert tool
        subprocess.run([tool, "-b", str(self.folder / "passwords"), user, password], check=True, capture_output=True)


@contextmanager
def _mosquitto(folder: Path, users: dict[str, str]) -> Iterator[Broker]:
    broker = Broker(free_port(), folder)
    (folder / "passwords").touch(mode=0o600)
    for user, password in users.items():
        broker.let_in(user, password)
    (folder / "rules").write_text(f"user {GATEWAY[0]}\ntopic read owntracks/#\npattern write owntracks/%u/#\n")
    (folder / "rules").chmod(0o600)
    (folder / "mosquitto.conf").write_text(
        f"listener {broker.port} 127.0.0.1\nallow_anonymous false\npassword_file {folder}/passwords\n"
        f"acl_file {folder}/rules\npersistence false\nuser root\n"
    )
    assert MOSQUITTO
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen([MOSQUITTO, "-c", str(folder / "mosquitto.conf")], stdout=log, stderr=log)
    try:
        until(lambda: b"running" in (folder / "mosquitto.log").read_bytes(), what="Mosquitto")
        yield broker
    finally:
        stop(process)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Broker]]:
    folder = tmp_path_factory.mktemp("mqtt")
    with _mosquitto(folder, {"li": "li-secret", "wu": "wu-secret", GATEWAY[0]: GATEWAY[1]}) as broker:
        url = f"mqtt://{GATEWAY[0]}:{GATEWAY[1]}@127.0.0.1:{broker.port}?client_id=test"
        settings = {"MQTT_URL": url, "GATEWAY_ACK_TIMEOUT_S": "1.5"}
        with running_site(tmp_path_factory.mktemp("site"), settings) as site:
            until(lambda: site.metric("fenceline_gateway_mqtt_connected") == 1, what="the subscription")
            yield site, broker


def _publish(broker: Broker, user: str, *messages: tuple[str, bytes]) -> None:
    async def send() -> None:
        async with aiomqtt.Client("127.0.0.1", broker.port, username=user, password=f"{user}-secret") as client:
            for topic, payload in messages:
                await client.publish(topic, payload, qos=1)

    asyncio.run(send())


def _location(**fields: Any) -> bytes:
    return json.dumps(
        {"_type": "location", "lat": 31.2, "lon": 121.4, "tst": 1_763_899_200, "vel": 18} | fields
    ).encode()


def test_a_location_becomes_a_fix(both: tuple[Site, Broker]) -> None:
    """The credential whose principal is the MQTT user covers the device in the topic; order is kept."""
    site, broker = both
    site.issue("phone-a", principal="li")
    messages = [("owntracks/li/phone-a", _location(tst=1_763_899_200 + number)) for number in range(50)]
    _publish(broker, "li", *messages, ("owntracks/li/phone-a", b'{"_type":"lwt","tst":1}'))
    found = until(lambda: (got := site.fixes("phone-a"))[49:] and got, what="the fixes")
    assert len(found) == 50
    assert found[0]["speed_mps"] == 5.0
    assert [one["fix_time"] for one in found] == sorted(one["fix_time"] for one in found)


@pytest.mark.parametrize(
    ("topic", "payload", "field"),
    [
        ("owntracks/wu/phone-w", b"{", "$"),
        ("owntracks/wu/phone-w", _location(lat=91), "$.lat"),
        ("owntracks/wu/phone-w", b'{"_type":"encrypted","data":"x"}', "$._type"),
        ("owntracks/wu/phone-a", _location(), "$.topic"),
        ("owntracks/wu/phone-w", b'{"x":' + b"[" * 50_000, "$"),
    ],
)
def test_bad_input_is_kept_and_the_rest_goes_on(
    both: tuple[Site, Broker], topic: str, payload: bytes, field: str
) -> None:
    """MQTT has no answer for it: the rejected topic says what and why."""
    site, broker = both
    if not any(one.principal == "wu" for one in site.tokens.values()):
        site.issue("phone-w", principal="wu")
    before, fixes = site.metric("fenceline_gateway_rejected_total"), len(site.fixes("phone-w"))
    _publish(broker, "wu", (topic, payload), ("owntracks/wu/phone-w", _location()))
    until(lambda: len(site.fixes("phone-w")) == fixes + 1, what="the good one")
    until(lambda: site.metric("fenceline_gateway_rejected_total") == before + 1, what="the bad one")
    kept = [one for one in site.rejected("wu") if b64decode(one["raw"]) == payload]
    assert (kept[-1].get("field", "$"), kept[-1]["source"]) == (field, f"mqtt:{topic}")


def test_what_comes_while_kafka_is_away_is_not_acknowledged_and_not_lost(both: tuple[Site, Broker]) -> None:
    """More than Mosquitto's window of 20 unacknowledged messages, sent while Kafka stands still."""
    site, broker = both
    site.issue("phone-b", principal="li")
    with site.broker_paused():
        _publish(broker, "li", *[("owntracks/li/phone-b", _location(tst=1_763_900_000 + one)) for one in range(60)])
        until(lambda: "mqtt_held_back" in site.log.read_text(), what="holding back")
    found = until(lambda: (got := site.fixes("phone-b"))[59:] and got, 30.0, "the fixes")
    assert len({one["fix_time"] for one in found}) == 60


def test_unacknowledged_messages_outlive_the_gateway(tmp_path: Path) -> None:
    """Killed with messages in its hands, the next gateway under the same client id gets them again."""
    folder = tmp_path / "mqtt"
    folder.mkdir()
    with _mosquitto(folder, {"li": "li-secret", GATEWAY[0]: GATEWAY[1]}) as broker:
        url = f"mqtt://{GATEWAY[0]}:{GATEWAY[1]}@127.0.0.1:{broker.port}?client_id=heir"
        with running_site(tmp_path, {"MQTT_URL": url}) as site:
            until(lambda: site.metric("fenceline_gateway_mqtt_connected") == 1, what="the subscription")
            site.issue("phone-k", principal="li")
            with site.broker_paused():
                _publish(broker, "li", *[("owntracks/li/phone-k", _location(tst=one)) for one in range(30)])
                until(lambda: site.metric("fenceline_gateway_in_flight_fixes") > 0, what="messages in its hands")
                site.process.kill()
                site.process.wait()
            assert len({one["fix_time"] for one in site.fixes("phone-k")}) < 30
        with running_site(tmp_path, {"MQTT_URL": url}) as heir:
            heir.issue("phone-k", principal="li")
            _settle(heir)
            kept = heir.rejected("li")
            found = {one["fix_time"] for one in heir.fixes("phone-k")}
            assert len(found) + len(kept) >= 30


def _settle(site: Site) -> None:
    """Wait until nothing more has come in for half a second."""
    last, since = -1.0, time.monotonic()
    while time.monotonic() < since + 0.5:
        now = site.metric("fenceline_gateway_fixes_total") + site.metric("fenceline_gateway_rejected_total")
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)
