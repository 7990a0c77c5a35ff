"""Which pictures did a person send in with check-ins? For officers and supervisors of the person's own agency, each
look entered on the audit. They lie encrypted in the object store; where they lie follows from person, day and check-in.
"""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

import structlog
from aiokafka.errors import KafkaError
from litestar import Response, get
from litestar.params import Parameter

from agents.objectstore import Damaged, Gone, NoMasterKey, Vault, vault_of
from agents.reader import LogReader
from console.callers import OFFICERS, Call, Caller, let_in, services_of_call
from console.problems import Problem, away, broker_away, forbidden, unknown
from console.readings import enter
from console.services import Services
from fenceline.history import records
from gateway.frames import partition_of
from pipeline.identity.headers import header_of
from schemas.checkin import Checkin, CheckinResult
from schemas.message import Invalid, Message, Moment, decode
from schemas.topics import CHECKIN_RESULTS, CHECKINS

log = structlog.get_logger()

MOST = 100
_MEDIA = {"jpeg": "image/jpeg", "png": "image/png", "mp4": "video/mp4", "webm": "video/webm"}
Place = Annotated[int, Parameter(ge=0, le=15)]
Day = Annotated[str, Parameter(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class PictureOfCheckin(Message, frozen=True, kw_only=True, omit_defaults=False):
    """A still or clip that a person sent in, what became of the check-in, and where to fetch it."""

    checkin_id: str
    at: Moment
    kind: str
    state: str
    url: str


class Pictures(Message, frozen=True, kw_only=True, omit_defaults=False):
    """A person's pictures, the latest first."""

    pictures: list[PictureOfCheckin]


@get("/api/v1/subjects/{subject_id:str}/pictures", summary="Pictures of check-ins", tags=["people"])
async def pictures(request: Call, subject_id: str) -> Pictures:
    """Those that are still kept."""
    caller, services = await let_in(request, OFFICERS), services_of_call(request)
    await _own(services, caller, subject_id)
    await enter(services, caller, "pictures", subject_id)
    async with services.heavy:
        try:
            return Pictures(pictures=await _found(services, subject_id))
        except (KafkaError, OSError) as error:
            raise broker_away() from error


@get(
    "/api/v1/subjects/{subject_id:str}/pictures/{day:str}/{checkin_id:str}/{place:int}",
    summary="One picture",
    tags=["people"],
    media_type="image/jpeg",
)
async def picture(request: Call, subject_id: str, day: Day, checkin_id: str, place: Place) -> Response[bytes]:
    """The still or clip as it was sent in."""
    caller, services = await let_in(request, OFFICERS), services_of_call(request)
    await _own(services, caller, subject_id)
    if not checkin_id.replace("-", "").isalnum():
        raise unknown("picture", checkin_id)
    await enter(services, caller, "picture", subject_id, checkin_id=checkin_id, place=place)
    try:
        vault = vault_of(services.settings)
        raw = await asyncio.to_thread(_opened, vault, subject_id, day, checkin_id, place)
    except NoMasterKey as error:
        raise away("no_master_key", "this console has no master key, so it cannot open pictures") from error
    except Gone as error:
        raise unknown("picture", checkin_id) from error
    except Damaged as error:
        log.warning("picture_damaged", checkin_id=checkin_id)
        raise Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "damaged", "the picture was changed, and is not shown"
        ) from error
    except OSError as error:
        raise away("object_store_away", "the object store does not answer") from error
    return Response(raw, media_type=_MEDIA[header_of(raw).kind])


async def _own(services: Services, caller: Caller, subject_id: str) -> None:
    """Nothing, if the person is of the caller's own agency; a task about them is not enough to see their face."""
    if await services.reader.subject_agency(subject_id) != caller.agency:
        raise forbidden("other_agency", "pictures are for the person's own agency")


def _opened(vault: Vault, subject_id: str, day: str, checkin_id: str, place: int) -> bytes:
    return vault.get(subject_id, vault.picture_ref(subject_id, day, checkin_id, place))


async def _found(services: Services, subject_id: str) -> list[PictureOfCheckin]:
    broker = services.settings.broker
    since = services.now() - timedelta(days=services.settings.checkin_picture_days)
    async with LogReader(broker) as reader:
        only = {partition_of(subject_id, len(await reader.partitions_of(CHECKINS.name)))}
    sent: dict[str, Checkin] = {}
    states: dict[str, str] = {}
    wanted = subject_id.encode()
    for topic, kind in ((CHECKINS.name, Checkin), (CHECKIN_RESULTS.name, CheckinResult)):
        async for chunk in records(broker, topic, since, only):
            for record in chunk:
                if record.key != wanted:
                    continue
                try:
                    told = decode(record.value, kind)
                except Invalid:
                    continue
                if isinstance(told, Checkin):
                    sent[told.checkin_id] = told
                elif isinstance(told, CheckinResult):
                    states[told.checkin_id] = told.state
    latest = sorted(sent.values(), key=lambda one: one.received_at, reverse=True)[:MOST]
    return [
        PictureOfCheckin(
            checkin_id=one.checkin_id,
            at=one.received_at,
            kind=shown.kind,
            state=states.get(one.checkin_id, ""),
            url=f"/api/v1/subjects/{subject_id}/pictures/{str(one.challenged_at)[:10]}/{one.checkin_id}/{place}",
        )
        for one in latest
        for place, shown in enumerate(one.pictures)
    ]


ROUTES = [pictures, picture]
