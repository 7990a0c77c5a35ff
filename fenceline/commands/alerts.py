"""`fenceline alerts`: how often alerts are right, by the outcomes that officers gave."""

import click

from fenceline.asking import ask, say
from fenceline.settings import settings
from pipeline.alerting.precision import Precision, precision_of
from schemas.alert import Alert
from schemas.message import decode, to_builtins


@click.group()
def command() -> None:
    """What the topic `alerts` tells about the alarms themselves."""


@command.command()
@click.option("--of", type=click.Choice(["rule", "fence", "device"]), help="Only by this; default: all three.")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def precision(of: str | None, broker: str | None) -> None:
    """A line for each rule, fence and device: right, wrong, precision with its interval at 95 %; the worst first."""
    broker = broker or settings().broker
    for one in ask(broker, _found(broker)):
        if of in (None, one.of):
            say(to_builtins(one))


async def _found(broker: str) -> list[Precision]:
    from fenceline.history import records  # noqa: PLC0415  # --help need not wait for it

    return precision_of([decode(record.value, Alert) async for chunk in records(broker, "alerts") for record in chunk])
