"""How do commands tell of an incident? The sentences, what there is to draw, and a file with the picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from fences.datum import to_wgs84
from pipeline.explain.drawing import drawing
from pipeline.explain.sentences import sentence
from pipeline.explain.words import LANGUAGES
from schemas.fix import Fix
from schemas.incident import Incident
from schemas.message import to_builtins
from schemas.reference import Fence, Subject
from schemas.times import Instant, parse


def parse_time(ctx: click.Context, param: click.Parameter, value: str | None) -> Instant | None:  # noqa: ARG001
    """A click callback: an RFC 3339 time.

    Raises:
        click.BadParameter: it is none.
    """
    if value is None:
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a time such as 2026-11-23T09:30:00Z: {error}") from error


def told(
    incident: Incident, subject: Subject | None = None, fence: Fence | None = None, track: Sequence[Fix] = ()
) -> dict[str, Any]:
    """Sentences by language, the incident, and what there is to draw, as plain values."""
    said: dict[str, Any] = {"incident_id": incident.incident_id}
    said |= {language: sentence(incident, language, subject) for language in LANGUAGES}
    shown = drawing(incident, fence, in_wgs84(track))
    return said | {"incident": to_builtins(incident), "drawing": None if shown is None else to_builtins(shown)}


def write_picture(
    path: Path, incident: Incident, subject: Subject | None, fence: Fence | None, track: Sequence[Fix]
) -> bool:
    """Draw `incident` into `path`; False, and no file, when it names no place."""
    from fenceline.pictures import picture  # noqa: PLC0415  # matplotlib takes a second to import

    shown = drawing(incident, fence, in_wgs84(track))
    if shown is None:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(shown, sentence(incident, "en", subject)))
    return True


def in_wgs84(track: Sequence[Fix]) -> list[Fix]:
    """The track with every position in WGS 84."""
    found = list(track)
    for datum in {fix.datum for fix in track} - {"wgs84"}:
        places = [place for place, fix in enumerate(track) if fix.datum == datum]
        lat, lon = to_wgs84(
            np.array([track[place].lat for place in places]), np.array([track[place].lon for place in places]), datum
        )
        for place, north, east in zip(places, lat.tolist(), lon.tolist(), strict=True):
            found[place] = msgspec.structs.replace(track[place], lat=north, lon=east, datum="wgs84")
    return found
