"""`fenceline explain`: why an incident was raised, in words and in a picture."""

import asyncio
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import click
from aiokafka.errors import KafkaError

from fenceline.history import find_fence, find_incident, find_subject, find_track
from fenceline.settings import settings
from fenceline.telling import parse_time, told, write_picture
from schemas.fix import Fix
from schemas.incident import Incident
from schemas.reference import Fence, Subject

FOUND, NOT_FOUND, NO_BROKER = 0, 1, 3
AROUND = timedelta(minutes=30)


class _Known(NamedTuple):
    incident: Incident
    subject: Subject | None
    fence: Fence | None
    track: list[Fix]


@click.command("explain")
@click.argument("incident_id")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object: sentences, incident, and what there is to draw."
)
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Draw it into this file.")
@click.option("--from", "since", callback=parse_time, help="Look from this time on (RFC 3339); default: everywhere.")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def command(incident_id: str, as_json: bool, png: Path | None, since: datetime | None, broker: str | None) -> None:
    """Say in one sentence, in English and in Chinese, why INCIDENT_ID was raised: what, who, where, how far, since
    when, how sure and on what grounds. Reads the topic `incidents`.

    \b
    Exit code: 0 found, 1 there is no such incident, 3 no broker.
    """
    broker = broker or settings().broker
    try:
        known = asyncio.run(_known(broker, incident_id, since, png is not None))
    except (KafkaError, OSError) as error:
        click.echo(f"the broker at {broker} does not answer: {error or type(error).__name__}", err=True)
        sys.exit(NO_BROKER)
    if known is None:
        click.echo(f"no incident {incident_id} on the topic incidents at {broker}", err=True)
        sys.exit(NOT_FOUND)
    said = told(known.incident, known.subject, known.fence, known.track)
    if as_json:
        click.echo(json.dumps(said, ensure_ascii=False))
    else:
        click.echo(said["en"])
        click.echo(said["zh-CN"])
    if png is not None and not write_picture(png, known.incident, known.subject, known.fence, known.track):
        click.echo("no picture: the incident names no place", err=True)


async def _known(broker: str, incident_id: str, since: datetime | None, with_track: bool) -> _Known | None:
    incident = await find_incident(broker, incident_id, since)
    if incident is None:
        return None
    subject = await find_subject(broker, incident.subject_id)
    fence = await find_fence(broker, incident.fence_id, incident.fence_version) if incident.fence_id else None
    track: list[Fix] = []
    if with_track and incident.device_id:
        at = incident.occurred_at
        track = await find_track(broker, incident.device_id, at - AROUND, at + AROUND)
    return _Known(incident, subject, fence, track)
