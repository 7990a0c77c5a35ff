"""`fenceline topics`: what travels, where, and whether it can."""

import asyncio
import logging
from typing import Any

import click
import msgspec

from fenceline import logs
from fenceline.settings import settings


def _line(**facts: Any) -> None:
    click.echo(msgspec.json.encode(facts).decode())


@click.group()
def command() -> None:
    """The topics: make them, list them, describe them."""


@command.command("create")
def create() -> None:
    """Make the topics that are missing, and say in what those that are there differ.

    Nothing that exists is changed. Broker, partitions and copies: FENCELINE_BROKER, FENCELINE_PARTITIONS,
    FENCELINE_REPLICATION.
    """
    from aiokafka.errors import KafkaError  # noqa: PLC0415  # --help need not wait for it

    from agents.agent import agents_named  # noqa: PLC0415
    from agents.topics import TopicsWrong, create_topics  # noqa: PLC0415

    logs.configure(logging.WARNING)
    try:
        made, differing = asyncio.run(create_topics(settings(), agents_named()))
    except TopicsWrong as error:
        raise click.ClickException(str(error)) from error
    except (KafkaError, OSError) as error:
        raise click.ClickException(f"no answer from the broker at {settings().broker}: {error}") from error
    for name in made:
        _line(topic=name, created=True)
    for difference in differing:
        _line(**difference._asdict(), hint="change it with kafka-configs, or leave it if that is meant")


@command.command("list")
def list_() -> None:
    """All topics by name, with their key, message and retention."""
    from agents.agent import agents_named  # noqa: PLC0415
    from agents.topics import wanted_topics  # noqa: PLC0415
    from schemas.topics import TOPICS  # noqa: PLC0415

    for topic in wanted_topics(agents_named()):
        known = TOPICS.get(topic.name)
        _line(
            topic=topic.name,
            key="" if known is None else known.key,
            about=topic.about,
            partitions=topic.partitions or settings().partitions,
            **topic.config,
        )


@command.command("asyncapi")
def asyncapi() -> None:
    """An AsyncAPI 3 document of all topics, with JSON Schemas, on stdout."""
    from schemas.asyncapi import asyncapi_document  # noqa: PLC0415

    click.echo(msgspec.json.format(msgspec.json.encode(asyncapi_document()), indent=2).decode())
