"""The embedded broker and Redis answer their protocols, and leave nothing behind."""

import socket

import pytest
import redis
from kafka import KafkaProducer

from fenceline.embedded import embedded_broker, embedded_redis


def port_of(address: str) -> int:
    return int(address.split(":")[1])


def test_the_broker_takes_a_message_and_is_gone_afterwards() -> None:
    with embedded_broker() as bootstrap:
        producer = KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=False)
        assert producer.send("topic", b"value").get(30).offset == 0
        producer.close()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port_of(bootstrap)), timeout=1):
        pass


def test_redis_keeps_a_value_and_listens_on_loopback_only() -> None:
    with embedded_redis() as url, redis.Redis.from_url(url) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
