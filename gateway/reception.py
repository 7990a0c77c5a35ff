"""What do the routes of check-ins stand on? Who may come in, where pictures go, what became of it."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple, Protocol

import structlog
from aiokafka.errors import KafkaError
from litestar import Request
from litestar.datastructures import State

from gateway.access import account_of
from gateway.challenges import Challenge, Challenges
from gateway.forms import Room
from gateway.problems import Refused
from gateway.publisher import away
from gateway.results import Results
from gateway.services import Services
from gateway.tokens import admitted, shown_in, unauthorized
from pipeline.credentials import Denied
from schemas.checkin import Checkin, Picture
from schemas.credential import Credential, Role
from schemas.message import encode
from schemas.topics import CHECKINS

log = structlog.get_logger()

CHECKERS: frozenset[Role] = frozenset({"subject", "service"})
ROOM_BYTES = 256 * 1024 * 1024


class Keep(Protocol):
    """Where pictures go. Its methods block, and raise OSError while the store is away."""

    def has_key(self, subject_id: str) -> bool:
        """Whether anything can be kept for this person, which is so from enrolment on."""

    def picture_ref(self, subject_id: str, day: str, checkin_id: str, place: int) -> str:
        """Where a picture is to lie."""

    def put(self, subject_id: str, ref: str, body: bytes) -> None:
        """Encrypt and keep it; LookupError: the person has no key (any more)."""


class Still(NamedTuple):
    """A still or clip as it came: what it claims to be, its SHA-256, its bytes."""

    kind: Any
    sha256: str
    body: bytes


class Reception:
    """What the three routes share. `keep` None: no master key, so check-ins cannot be taken."""

    def __init__(self, services: Services, keep: Keep | None) -> None:
        settings = services.settings
        self.services = services
        self._keep = keep
        self.challenges = Challenges(
            settings.redis_url, settings.checkin_challenge_s, settings.checkin_picture_days * 86400
        )
        self.results = Results(settings.broker)
        self.room = Room(ROOM_BYTES)

    async def run(self) -> None:
        """Follow results for as long as the gateway runs."""
        try:
            await self.results.follow(self.services)
        finally:
            await self.challenges.close()

    async def let_in(self, request: Request[Any, Any, State]) -> Credential:
        """Who asks.

        Raises:
            Refused: 401, 403, 429 or 503.
        """
        services = self.services
        if not services.ready:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "the gateway is starting or ending", retry_after_s=2
            )
        try:
            credential = admitted(services.keyring, shown_in(request.headers), CHECKERS, services.now())
        except Denied as denied:
            raise unauthorized(denied) from denied
        account_of(request).facts["token_id"] = credential.token_id
        await services.spend(credential, 1)
        return credential

    async def keep_of(self, subject_id: str) -> Keep:
        """Where this person's pictures go.

        Raises:
            Refused: 409 the person is not enrolled, 503 the store is away or not set up.
        """
        if self._keep is None:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "no_master_key", "check-ins are not set up here; tell your officer"
            )
        try:
            enrolled = await asyncio.to_thread(self._keep.has_key, subject_id)
        except OSError as error:
            raise _store_away(error) from error
        if not enrolled:
            raise _not_enrolled()
        return self._keep

    def not_too_soon(self, subject_id: str) -> None:
        """See that the person need not wait after failures in a row.

        Raises:
            Refused: 429, with the time.
        """
        retry_at = self.results.retry_at(subject_id)
        wait_s = (retry_at - self.services.now()).total_seconds() if retry_at is not None else 0.0
        if wait_s > 0:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_soon",
                "wait a little before you try again",
                retry_after_s=max(1, ceil(wait_s)),
            )

    async def store(self, keep: Keep, challenge: Challenge, stills: Sequence[Still]) -> tuple[Picture, ...]:
        """Keep the pictures.

        Raises:
            Refused: 503, the store is away; 409, the person was forgotten in the meantime.
        """
        day = str(challenge.challenged_at)[:10]
        pictures = []
        for place, still in enumerate(stills):
            ref = keep.picture_ref(challenge.subject_id, day, challenge.checkin_id, place)
            try:
                await asyncio.to_thread(keep.put, challenge.subject_id, ref, still.body)
            except LookupError as error:
                raise _not_enrolled() from error
            except OSError as error:
                raise _store_away(error) from error
            pictures.append(Picture(ref=ref, sha256=still.sha256, kind=still.kind, size_bytes=len(still.body)))
        return tuple(pictures)

    async def send(self, checkin: Checkin) -> None:
        """Write a check-in on its topic; returns when the broker has it.

        Raises:
            Refused: 503, it has not.
        """
        services = self.services
        if services.producer is None:
            raise away("the gateway has not reached the broker yet")
        headers = [("id", checkin.checkin_id.encode()), ("src", b"gateway"), ("type", b"Checkin")]
        try:
            async with asyncio.timeout(services.limits.ack_timeout_s):
                await services.producer.send_and_wait(
                    CHECKINS.name, encode(checkin), key=checkin.subject_id.encode(), headers=headers
                )
        except TimeoutError:
            raise away("the broker did not acknowledge in time") from None
        except KafkaError as error:
            raise away(f"the broker did not take it ({type(error).__name__})") from error


def _not_enrolled() -> Refused:
    detail = "no picture of you has been enrolled yet; your officer does that"
    return Refused(HTTPStatus.CONFLICT, "not_enrolled", detail)


def _store_away(error: OSError) -> Refused:
    log.warning("store_away", error=type(error).__name__)
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "store_away",
        "pictures cannot be kept for the moment",
        hint="send the same again in a little while",
        retry_after_s=3,
    )
