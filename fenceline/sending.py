"""How does a command write to a topic? Acknowledged by the broker, with the headers that every record has."""

import asyncio
import getpass
from collections.abc import Sequence
from typing import NamedTuple

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.message import Message, encode

SRC = "cli"
SEND_S = 15.0


class Letter(NamedTuple):
    """A message for a topic. `message` None: its key is withdrawn."""

    topic: str
    key: str
    id: str
    message: Message | None


def send(broker: str, letters: Sequence[Letter]) -> None:
    """Write `letters` in order; returns when the broker has them.

    Raises:
        click.ClickException: it does not; says what to look at.
    """
    try:
        asyncio.run(deliver(broker, letters))
    except (KafkaError, OSError, TimeoutError) as error:
        raise click.ClickException(
            f"the broker at {broker} did not take it ({type(error).__name__}); is FENCELINE_BROKER right, and does "
            "`fenceline topics list` say that the topics are there?"
        ) from error


async def deliver(broker: str, letters: Sequence[Letter]) -> None:
    """Write `letters` in order; returns when the broker has them.

    Raises:
        KafkaError, OSError, TimeoutError: it does not.
    """
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", request_timeout_ms=int(SEND_S * 1000))
    async with asyncio.timeout(SEND_S):
        await producer.start()
    try:
        async with asyncio.timeout(SEND_S):
            for letter in letters:
                kind = b"" if letter.message is None else type(letter.message).__name__.encode()
                headers = [("id", letter.id.encode()), ("src", SRC.encode()), ("type", kind)]
                value = None if letter.message is None else encode(letter.message)
                await producer.send_and_wait(letter.topic, value, key=letter.key.encode(), headers=headers)
    finally:
        await producer.stop()


def whoever() -> str:
    """Who gives the command, as far as the system knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
