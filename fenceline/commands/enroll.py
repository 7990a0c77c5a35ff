"""`fenceline enroll`: take up pictures of a person's face as templates."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from fenceline import logs
from fenceline.settings import settings
from fenceline.telling import parse_time


@click.command()
@click.argument("subject_id")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--order", "order_id", default="", help="The legal order under which this is done.")
@click.option("--until", callback=parse_time, help="The order's end: then templates, pictures and key are deleted.")
@click.option("--replace", is_flag=True, help="Begin anew instead of adding.")
@click.option("--force", is_flag=True, help="Enrol also what looks like another person, or a picture again.")
@click.option("--by", default="", help="Who enrols; default: the user of this system.")
@click.option("--no-topic", is_flag=True, help="Write no record of it to the topic `enrolments` (for trials).")
def command(
    *,
    subject_id: str,
    pictures: tuple[Path, ...],
    order_id: str,
    until: Any,
    replace: bool,
    force: bool,
    by: str,
    no_topic: bool,
) -> None:
    """Examine PICTURES of the person SUBJECT_ID and keep the good ones, encrypted, as templates.

    Three to five pictures in different light are best. For each picture one JSON line says whether it was taken, and
    what to do better. A picture that looks like someone else, or is enrolled already, is refused. Templates of another
    model, or of an older version of it, are dropped: enrol again after a change of model.

    Exit code: 0 when every picture was taken, 3 when some were refused, 1 when nothing could be done.
    """
    from agents.facepool import Unable  # noqa: PLC0415  # --help need not wait for it
    from agents.objectstore import Damaged, NoMasterKey, vault_of  # noqa: PLC0415
    from fenceline.comparing import Unusable, pool_of, read_picture  # noqa: PLC0415
    from fenceline.enrolling import Enroller  # noqa: PLC0415
    from fenceline.sending import Letter, send, whoever  # noqa: PLC0415
    from schemas.message import to_builtins  # noqa: PLC0415

    logs.configure(logging.WARNING)
    by = by or whoever()

    async def enrol() -> Any:
        vault = vault_of(settings())
        read = [(path, read_picture(path)) for path in pictures]
        async with pool_of(settings()) as pool:
            enroller = Enroller(settings(), vault, pool, by=by, replace=replace, force=force)
            return await enroller.take(subject_id, read, order_id, until)

    try:
        said, change = asyncio.run(enrol())
    except (Unable, Unusable, NoMasterKey, Damaged) as error:
        raise click.ClickException(str(error)) from error
    for one in said:
        click.echo(msgspec.json.encode(one).decode())
    if change is not None:
        if not no_topic:
            send(settings().broker, [Letter("enrolments", subject_id, change.enrolment_id, change)])
        click.echo(msgspec.json.encode({"event": "enrolled", **to_builtins(change)}).decode())
    if not all(one["ok"] for one in said):
        sys.exit(3)
