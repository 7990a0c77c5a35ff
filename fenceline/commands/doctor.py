"""`fenceline doctor`: what is missing, and the command that mends it."""

import asyncio
import logging
import sys

import click

from fenceline import logs
from fenceline.asking import say
from fenceline.settings import settings

_SIGNS = {"good": "ok", "warning": "--", "bad": "!!"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each finding.")
@click.option("--fetch-models", is_flag=True, help="Get the weights of FENCELINE_FACE_MODEL where they are published.")
def command(as_json: bool, fetch_models: bool) -> None:
    """Look at what an installation needs: broker, topics, Redis, clocks, keys, disk, the face model, ways out for
    messages. Says of each how it is, and what mends it. Changes nothing, but for --fetch-models.

    \b
    Exit code: 0 nothing stands in the way (`--` lines are choices), 1 something must be mended.
    """
    from fenceline.diagnosis import diagnose, face_model  # noqa: PLC0415  # --help need not wait for it

    logs.configure(logging.CRITICAL)
    chosen = settings()
    if fetch_models:
        fetched = face_model(chosen, fetch=True)
        if fetched.verdict == "bad":
            raise click.ClickException(f"the weights could not be fetched: {fetched.what}")
    found = asyncio.run(diagnose(chosen))
    for one in found:
        if as_json:
            say(one._asdict())
        else:
            click.echo(f"{_SIGNS[one.verdict]}  {one.check}: {one.what}")
            if one.mend:
                click.echo(f"      mend it with: {one.mend}")
    sys.exit(1 if any(one.verdict == "bad" for one in found) else 0)
