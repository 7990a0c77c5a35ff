"""How do commands of the command line ask the broker? One loop, one line of JSON, one answer when it is not there."""

import asyncio
import json
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import click
from aiokafka.errors import KafkaError

T = TypeVar("T")

NO_BROKER = 3


def ask(broker: str, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; ends the program with `NO_BROKER` when the broker does not answer."""
    try:
        return asyncio.run(work)
    except (KafkaError, OSError, TimeoutError) as error:
        click.echo(
            f"the broker at {broker} does not answer ({error or type(error).__name__}); is FENCELINE_BROKER right, and "
            "are the topics there (fenceline topics create)?",
            err=True,
        )
        sys.exit(NO_BROKER)


def say(line: dict[str, Any]) -> None:
    """One line of JSON on stdout."""
    click.echo(json.dumps(line, ensure_ascii=False))
