"""`fenceline link`: a link that signs somebody in, once."""

import asyncio
import logging
from typing import Literal, get_args

import click

from fenceline import logs
from fenceline.settings import Settings, settings

LinkRole = Literal["officer", "supervisor", "agency", "analyst", "subject"]


@click.command()
@click.option("--role", type=click.Choice(get_args(LinkRole)), default="officer", show_default=True)
@click.option("--principal", required=True, metavar="NAME", help="Who it is; for a subject: the subject_id.")
@click.option("--agency", default="", help="Whose officer it is.")
@click.option("--device", "device_ids", multiple=True, metavar="ID", help="A device that the person reports for.")
@click.option("--url", default="", help="Where the console answers; default: FENCELINE_CONSOLE_URL.")
def command(role: LinkRole, principal: str, agency: str, device_ids: tuple[str, ...], url: str) -> None:
    """Print a link that signs NAME in, once, within 15 minutes. Send it to nobody else.

    \b
    fenceline link --role officer --principal chen --agency justice
    fenceline link --role subject --principal s-17
    """
    chosen = settings()
    url = url or chosen.console_url
    if not url:
        raise click.UsageError("where does the console answer? Give --url, or set FENCELINE_CONSOLE_URL")
    if role in ("officer", "supervisor", "agency") and not agency:
        raise click.UsageError(f"of whose {role} is it? Give --agency")
    logs.configure(logging.WARNING)
    click.echo(asyncio.run(_made(chosen, role, principal, agency, device_ids, url)))


async def _made(
    chosen: Settings, role: LinkRole, principal: str, agency: str, device_ids: tuple[str, ...], url: str
) -> str:
    import redis.asyncio as redis  # noqa: PLC0415  # --help need not wait for it
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    from console.links import make_link  # noqa: PLC0415

    try:
        return await make_link(chosen, role, principal, agency, url, device_ids)
    except redis.RedisError as error:
        raise click.ClickException(
            f"Redis did not answer ({type(error).__name__}); is FENCELINE_REDIS_URL right?"
        ) from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise click.ClickException(
            f"the broker at {chosen.broker} did not answer ({type(error).__name__}); is FENCELINE_BROKER right?"
        ) from error
