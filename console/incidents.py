"""Why was an incident raised? The sentence and the picture of `fenceline explain`, for the desk."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

from aiokafka.errors import KafkaError
from litestar import Response, get

from console.callers import DESK, Call, let_in, services_of_call
from console.problems import Problem, broker_away
from console.readings import enter
from fenceline.history import find_track
from fenceline.telling import in_wgs84, told
from pipeline.explain.drawing import drawing
from pipeline.explain.sentences import sentence
from schemas.fix import Fix
from schemas.incident import Incident
from schemas.reference import Fence, Subject

AROUND = timedelta(minutes=30)
_DRAWING = asyncio.Lock()
"""matplotlib's settings are of the whole process: one picture at a time."""


class _Known(NamedTuple):
    incident: Incident
    subject: Subject
    fence: Fence | None


async def _known(request: Call, subject_id: str, incident_id: str, what: str) -> _Known:
    caller, services = await let_in(request, DESK), services_of_call(request)
    found = await services.reader.incident(caller.scope, subject_id, incident_id)
    await enter(services, caller, what, subject_id, incident_id=incident_id)
    return _Known(*found)


_PATH = "/api/v1/subjects/{subject_id:str}/incidents/{incident_id:str}"


@get(_PATH, summary="Why was it raised?", tags=["people"])
async def incident(request: Call, subject_id: str, incident_id: str) -> dict[str, Any]:
    """The incident, a sentence in English and in Chinese, and what there is to draw."""
    return told(*await _known(request, subject_id, incident_id, "incident"))


@get(f"{_PATH}/picture.png", summary="Its picture", tags=["people"], media_type="image/png")
async def picture_png(request: Call, subject_id: str, incident_id: str) -> Response[bytes]:
    """As `fenceline explain --png` draws it."""
    return await _picture(request, subject_id, incident_id, "png", "image/png")


@get(f"{_PATH}/picture.svg", summary="Its picture, as lines", tags=["people"], media_type="image/svg+xml")
async def picture_svg(request: Call, subject_id: str, incident_id: str) -> Response[bytes]:
    """The same as SVG."""
    return await _picture(request, subject_id, incident_id, "svg", "image/svg+xml")


async def _picture(
    request: Call, subject_id: str, incident_id: str, kind: Literal["png", "svg"], media_type: str
) -> Response[bytes]:
    known, services = await _known(request, subject_id, incident_id, "picture"), services_of_call(request)
    async with services.heavy:
        track: list[Fix] = []
        if known.incident.device_id:
            at = known.incident.occurred_at
            try:
                track = await find_track(services.settings.broker, known.incident.device_id, at - AROUND, at + AROUND)
            except (KafkaError, OSError) as error:
                raise broker_away() from error
        async with _DRAWING:
            drawn = await asyncio.to_thread(_draw, known, track, kind)
    if drawn is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown_picture", "the incident names no place: there is nothing to draw")
    return Response(drawn, media_type=media_type)


def _draw(known: _Known, track: list[Fix], kind: Literal["png", "svg"]) -> bytes | None:
    from fenceline.pictures import picture  # noqa: PLC0415  # matplotlib takes a second to import

    shown = drawing(known.incident, known.fence, in_wgs84(track))
    return None if shown is None else picture(shown, sentence(known.incident, "en", known.subject), kind)


ROUTES = [incident, picture_png, picture_svg]
