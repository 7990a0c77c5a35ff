"""`fenceline rules`: show, check and publish the rules of scores, alerts and tasks."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import click
import yaml

from fenceline.asking import ask, say
from fenceline.settings import settings
from fenceline.telling import parse_time
from pipeline.alerting.policy import read_alert_rules
from pipeline.coordination.policy import read_task_rules
from pipeline.scoring.rules import read_score_rules
from schemas.message import Invalid, encode
from schemas.roster import RuleSet
from schemas.times import instant

OK, UNUSABLE = 0, 2

PARTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "score": ("scoring", read_score_rules),
    "alert": ("alerting", read_alert_rules),
    "task": ("coordination", read_task_rules),
}

_part = click.argument("part", type=click.Choice(list(PARTS)))
_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def command() -> None:
    """The rules of scores, alerts and tasks: YAML files, each version with the moment from which it holds."""


@command.command()
@_part
def show(part: str) -> None:
    """Print the rules that come with the program, with their comments: a place to start a version of your own."""
    from agents.casebook import shipped  # noqa: PLC0415  # --help need not wait for it

    click.echo(shipped(PARTS[part][0]), nl=False)


@command.command()
@_part
@_file
def check(part: str, file: Path) -> None:
    """Say whether FILE can be used as rules of PART. Exit code: 0 it can, 2 it cannot, and why on stderr."""
    say({"part": part, "version": _read(part, file).version, "usable": True})


@command.command()
@_part
@_file
@click.option("--from", "since", callback=parse_time, help="From when it holds (RFC 3339); default: now.")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def publish(part: str, file: Path, since: datetime | None, broker: str | None) -> None:
    """Write FILE as a version of PART's rules. What happened before it holds is judged by what held then.

    \b
    Exit code: 0 published, 2 the file cannot be used, 3 no broker.
    """
    rules = _read(part, file)
    rule_set = RuleSet(
        rule_set_id=f"{part}/{rules.version}",
        part=cast(Literal["score", "alert", "task"], part),
        version=rules.version,
        effective_from=instant(since or datetime.now(UTC)),
        body=yaml.safe_load(file.read_text("utf-8")),
    )
    broker = broker or settings().broker
    ask(broker, _write(broker, rule_set))
    say({"part": part, "version": rules.version, "effective_from": str(rule_set.effective_from)})


def _read(part: str, file: Path) -> Any:
    try:
        return PARTS[part][1](file.read_text("utf-8"))
    except (Invalid, UnicodeDecodeError) as why:
        click.echo(f"{file}: {why}", err=True)
        sys.exit(UNUSABLE)


async def _write(broker: str, rule_set: RuleSet) -> None:
    from aiokafka import AIOKafkaProducer  # noqa: PLC0415  # --help need not wait for it

    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", client_id="fenceline-rules")
    await producer.start()
    try:
        await producer.send_and_wait("rules", encode(rule_set), key=rule_set.rule_set_id.encode())
    finally:
        await producer.stop()
