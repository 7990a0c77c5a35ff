"""The notifier as processes: alerts on the topic become messages at Twilio's stand-in, once, whoever is killed."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import pytest

from agents.agent import agents_named
from agents.topics import create_topics
from fenceline.embedded import embedded_redis
from fenceline.settings import Settings
from fenceline.twilio_standin import Fault, TwilioStandIn, running_standin
from schemas.message import decode, encode
from schemas.notification import Notification
from schemas.roster import Roster
from tests.support.mailroom import alert
from tests.support.postal import Part
from tests.support.site import until
from tests.support.topics import read_topic, write_topic

PEOPLE = 6


@pytest.fixture
def twilio() -> Iterator[TwilioStandIn]:
    with running_standin(TwilioStandIn(callbacks=False)) as standin:
        yield standin


def number(person: int) -> str:
    return f"+86138000000{person:02d}"


def introduce(broker: str) -> None:
    """Officers with numbers, and rules by which Twilio is asked for receipts soon."""
    contacts = {f"o{person}": {"sms": number(person)} for person in range(PEOPLE)}
    roster = Roster(roster_id="night", agency="justice", contacts=contacts)
    write_topic(broker, "rosters", [("night", encode(roster))])


def settings_for(broker: str, redis_url: str, twilio: TwilioStandIn) -> dict[str, str]:
    return {
        "broker": broker,
        "redis_url": redis_url,
        "partitions": "4",
        "twilio_account_sid": twilio.account_sid,
        "twilio_auth_token": twilio.auth_token,
        "twilio_from": "+15005550006",
        "twilio_base_url": twilio.base_url,
        "notify_timeout_s": "1.0",
        "worker_session_timeout_s": "6",
    }


def run_through(broker: str, folder: Path, twilio: TwilioStandIn, *, alerts: int, kills: int) -> list[Notification]:
    """Let `alerts` be raised while senders and worker are killed `kills` times in all; the records in the end."""
    rng = Random(7)
    asyncio.run(create_topics(Settings(broker=broker, partitions=4), agents_named()))
    introduce(broker)
    with embedded_redis() as redis_url:
        environ = settings_for(broker, redis_url, twilio)
        worker = Part(folder, ("worker", "--agents", "notify"), environ).start()
        sender = Part(folder, ("notifier",), environ).start()
        try:
            worker.ready()
            sender.ready()
            for turn in range(kills + 1):
                batch = [
                    msgspec.structs.replace(
                        alert(f"a{turn}-{n}", f"o{rng.randrange(PEOPLE)}", now=datetime.now(UTC)),
                        subject_id=f"s{n % 9}",
                    )
                    for n in range(alerts // (kills + 1))
                ]
                write_topic(broker, "alerts", [(one.subject_id, encode(one)) for one in batch])
                if turn < kills:
                    wanted = len(twilio.messages) + 2
                    until(lambda wanted=wanted: len(twilio.messages) >= wanted, 90, "a message at Twilio")
                    victim = (sender, worker)[turn % 2]
                    victim.kill()
                    victim.start().ready()
            until(lambda: len(twilio.messages) >= alerts // (kills + 1) * (kills + 1), 120, "all messages at Twilio")
            until(lambda: len(_ended(broker)) >= alerts // (kills + 1) * (kills + 1), 90, "all reports on the topic")
            return _records(broker)
        finally:
            codes = sender.stop(), worker.stop()
            assert codes == (0, 0), (sender.log.read_text()[-2000:], worker.log.read_text()[-2000:])


def _records(broker: str) -> list[Notification]:
    return [decode(value, Notification) for value in read_topic(broker, "notifications")]


def _ended(broker: str) -> dict[str, Notification]:
    return {one.notification_id: one for one in _records(broker) if one.state in ("sent", "delivered", "dead")}


def check_all_once(twilio: TwilioStandIn, records: list[Notification], expected: int) -> None:
    bodies = Counter(message.body.rpartition("#")[2] for message in twilio.messages)
    assert len(bodies) == expected
    assert set(bodies.values()) == {1}, "sent twice"
    ids = Counter(one.change_id for one in records)
    assert set(ids.values()) == {1}, "a record twice on the topic"
    assert len({one.notification_id for one in records}) == expected


def test_on_the_embedded_broker_all_arrive_once_through_errors_and_kills(
    broker: str, twilio: TwilioStandIn, tmp_path: Path
) -> None:
    """Some answers are lost, some are errors; the senders are killed, then the worker: each message arrives once."""
    twilio.misbehave(*(Fault(status=500, stored=n % 2 == 0) if n % 5 == 0 else Fault() for n in range(20)))
    records = run_through(broker, tmp_path, twilio, alerts=30, kills=2)
    check_all_once(twilio, records, 30)


@pytest.mark.kafka
def test_on_apache_kafka_all_arrive_once_through_errors_and_kills(
    kafka: str, twilio: TwilioStandIn, tmp_path: Path
) -> None:
    twilio.misbehave(*(Fault(status=500, stored=n % 2 == 0) if n % 5 == 0 else Fault() for n in range(40)))
    records = run_through(kafka, tmp_path, twilio, alerts=60, kills=4)
    check_all_once(twilio, records, 60)
