"""`fenceline command`: give a command as an operator, and see what becomes of it."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

import click
import msgspec

from fenceline.asking import ask, say
from fenceline.settings import settings
from pipeline.authority import MAY, kind_of
from schemas.command import Command, CommandResult, read_command
from schemas.credential import Role
from schemas.message import Invalid, decode, encode, to_builtins
from schemas.times import instant

DONE, REFUSED, UNUSABLE, NO_ANSWER = 0, 1, 2, 4


@click.command("command")
@click.argument("kind", type=click.Choice(sorted(MAY)), metavar="KIND")
@click.argument("subject_id")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--by", required=True, help="Who gives it: a principal. It stands in the audit.")
@click.option("--role", type=click.Choice(get_args(Role)), default="officer", show_default=True)
@click.option("--agency", default="", help="Whose officer it is.")
@click.option("--reason", default="", help="Why; some commands need it.")
@click.option("--id", "command_id", help="Give the same id again to repeat a command without doing it twice.")
@click.option(
    "--wait", "wait_s", type=float, default=10.0, show_default=True, help="Seconds to wait for the result; 0: none."
)
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def command(
    kind: str,
    subject_id: str,
    fields: tuple[str, ...],
    by: str,
    role: str,
    agency: str,
    reason: str,
    command_id: str | None,
    wait_s: float,
    broker: str | None,
) -> None:
    """Give the command KIND about SUBJECT_ID (for an alert about an area: area:<agency>) on the topic `commands`.

    \b
    fenceline command alert.acknowledge s-17 alert_id=… --by chen --agency justice
    fenceline command alert.resolve s-17 alert_id=… outcome=false_alarm_gps --by chen --agency justice
    fenceline command score.contest s-17 entry_id=… --by s-17 --role subject --reason "I was at home"
    fenceline command task.create s-17 task_kind=visit to_agency=police --by chen --agency justice

    A VALUE that is JSON is taken as such (a list, a number, true), else as text.

    \b
    Exit code: 0 done, 1 refused, 2 not a command, 3 no broker, 4 no answer in time (it is on the topic).
    """
    broker = broker or settings().broker
    body = {
        "kind": kind,
        "command_id": command_id or str(uuid4()),
        "subject_id": subject_id,
        "by": by,
        "role": role,
        "agency": agency,
        "at": str(instant(datetime.now(UTC))),
        "reason": reason,
        **dict(_field(one) for one in fields),
    }
    try:
        given = read_command(encode(body))
    except Invalid as why:
        click.echo(f"not a command: {why}", err=True)
        sys.exit(UNUSABLE)
    result = ask(broker, _give(broker, given, wait_s))
    say(to_builtins(given) if result is None else to_builtins(result))
    sys.exit(DONE if result is None and not wait_s else NO_ANSWER if result is None else _code(result))


def _code(result: CommandResult) -> int:
    return REFUSED if result.outcome == "refused" else DONE


def _field(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise click.UsageError(f"{text!r} is not FIELD=VALUE")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


async def _give(broker: str, given: Command, wait_s: float) -> CommandResult | None:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # noqa: PLC0415  # --help need not wait for it

    consumer = AIOKafkaConsumer("command-results", bootstrap_servers=broker, auto_offset_reset="latest")
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all", client_id="fenceline-command")
    await consumer.start()
    try:
        await consumer.seek_to_end()
        for place in consumer.assignment():
            await consumer.position(place)  # from here on, before the command is given
        await producer.start()
        headers = [("id", given.command_id.encode()), ("src", b"command"), ("type", kind_of(given).encode())]
        await producer.send_and_wait("commands", encode(given), key=given.subject_id.encode(), headers=headers)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            for found in (await consumer.getmany(timeout_ms=200)).values():
                for record in found:
                    result = decode(record.value, CommandResult)
                    if result.command_id == given.command_id:
                        return result
        return None
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())
