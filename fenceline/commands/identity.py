"""`fenceline identity`: the master key, and the seeds of check-in plans: published, and audited."""

import sys
from pathlib import Path
from typing import Any

import click

from fenceline.asking import ask, say
from fenceline.settings import settings


@click.group()
def command() -> None:
    """Keys of pictures and templates, and the audit of random check-ins."""


@command.command("make-key")
@click.option("--file", "to_file", is_flag=True, help="Write it into the data folder (for trials) and print its place.")
def make_key(*, to_file: bool) -> None:
    """Make a master key for FENCELINE_MASTER_KEY and print it, this once.

    With it the data keys of all persons are wrapped: who loses it loses all pictures and templates, who has it can
    read them. Keep it apart from the object store's backups.
    """
    from agents.objectstore import MASTER_KEY_FILE, NoMasterKey, master_key_of, new_master_key  # noqa: PLC0415

    if not to_file:
        click.echo(new_master_key())
        return
    try:
        master_key_of(settings(), make=True)
    except NoMasterKey as error:
        raise click.ClickException(str(error)) from error
    say({"file": str(Path(settings().data_dir) / MASTER_KEY_FILE)})


@command.command("reveal-seed")
@click.argument("subject_id")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def reveal_seed(subject_id: str, broker: str | None) -> None:
    """Publish the seed of SUBJECT_ID's plan, when the plan is over, so that anybody can draw its times again."""
    from agents.objectstore import Damaged, NoMasterKey, vault_of  # noqa: PLC0415
    from fenceline.planning import StillRuns, reveal  # noqa: PLC0415
    from schemas.message import Invalid  # noqa: PLC0415

    try:
        told = ask(broker or settings().broker, reveal(broker or settings().broker, subject_id, vault_of(settings())))
    except (NoMasterKey, Damaged, StillRuns, Invalid) as error:
        raise click.ClickException(str(error)) from error
    say(told)


@command.command("audit-plan")
@click.argument("subject_id")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def audit_plan(subject_id: str, broker: str | None) -> None:
    """Draw SUBJECT_ID's check-ins again from the published seed and compare them with those that were called.

    A line for each random check-in, then the sums. Exit code: 0 all called were drawn, 1 some were not, or the seed is
    not the one whose hash was published, 2 the seed is not published yet.
    """
    from fenceline.planning import audit  # noqa: PLC0415
    from schemas.message import Invalid  # noqa: PLC0415

    try:
        lines: list[dict[str, Any]] = ask(broker or settings().broker, audit(broker or settings().broker, subject_id))
    except Invalid as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    for line in lines:
        say(line)
    sys.exit(0 if lines[-1]["fair"] else 1)
