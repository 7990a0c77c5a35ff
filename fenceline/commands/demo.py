"""`fenceline demo`: the whole system on this machine, with devices on the move and breaches as they come."""

import asyncio
import sys
import time
from pathlib import Path

import click
import msgspec

from fenceline.embedded import NotStarted
from fenceline.settings import settings


@click.command()
@click.option("--seconds", type=click.FloatRange(min=5), default=None, help="End by itself after this long.")
@click.option("--json", "as_json", is_flag=True, help="One JSON summary line on stdout, nothing else.")
@click.option("--devices", type=click.IntRange(min=10), default=60, show_default=True, help="How many people.")
@click.option("--breaches", type=click.IntRange(min=1), default=8, show_default=True, help="How many drive away.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another town for another number.")
def command(seconds: float | None, as_json: bool, devices: int, breaches: int, seed: int) -> None:
    """Start an embedded broker and Redis, worker, gateway and console, and let a small town report through it.

    With --seconds, exit code 0 only if every planted breach was found and no fix was lost. Ctrl-C stops everything;
    then exit code 0 if no fix was lost.
    """
    from fenceline.demo import show  # noqa: PLC0415  # the whole system; --help need not wait for it
    from fenceline.demo.stack import PartFailed, running  # noqa: PLC0415

    def say(line: str) -> None:
        if not as_json:
            click.echo(line)

    started = time.monotonic()
    say(f"Fenceline demo: {devices} people under supervision in a small town; {breaches} are about to leave.")
    say("Starting broker, Redis, worker, gateway and console on this machine ...")
    try:
        with running(Path(settings().data_dir).absolute() / "demo") as stack:
            summary = asyncio.run(
                show.show(stack, say, seconds=seconds, people=devices, breaching=breaches, seed=seed, since=started)
            )
    except (PartFailed, NotStarted) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(msgspec.json.encode(summary).decode())
    else:
        show.farewell(summary, say)
    if not (summary.good() if seconds else summary.kept()):
        sys.exit(1)
