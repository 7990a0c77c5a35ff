"""How does a face check-in come in? A challenge is asked for, answered with pictures and a fix, and its result asked.

    POST /v1/checkins/challenges     a nonce, movements to make before the camera, and until when
    POST /v1/checkins                multipart: nonce, fix, one or more files `picture`
    GET  /v1/checkins/{checkin_id}   what became of it

A person's token (role subject) speaks for that person; a service's names one in `subject_id`. Pictures go encrypted
into the object store, each person's with a key of its own; on the topic are reference and SHA-256. Nothing of a picture
is looked at here but its first bytes.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler

from gateway.access import account_of
from gateway.challenges import Challenge, Challenges
from gateway.forms import Part, Room, read_form
from gateway.openapi import CheckinOperation
from gateway.problems import Refused, bad
from gateway.publisher import away
from gateway.results import Results
from gateway.services import Services
from gateway.tokens import admitted, shown_in, unauthorized
from pipeline.credentials import Denied, only_device
from pipeline.identity.headers import header_of
from schemas.checkin import Checkin, Picture, Place
from schemas.credential import Credential, Role
from schemas.message import Id, Invalid, Message, decode, encode, to_builtins
from schemas.times import instant
from schemas.topics import CHECKINS

log = structlog.get_logger()

CHECKERS: frozenset[Role] = frozenset({"subject", "service"})
MOST_PICTURES = 8
ROOM_BYTES = 256 * 1024 * 1024
FACT_BYTES = 4 * 1024


class Keep(Protocol):
    """Where pictures go. Its methods block, and raise OSError while the store is away."""

    def has_key(self, subject_id: str) -> bool:
        """Whether anything can be kept for this person, which is so from enrolment on."""

    def picture_ref(self, subject_id: str, day: str, checkin_id: str, place: int) -> str:
        """Where a picture is to lie."""

    def put(self, subject_id: str, ref: str, body: bytes) -> None:
        """Encrypt and keep it; LookupError: the person has no key (any more)."""


class Whose(Message, frozen=True, kw_only=True):
    """The body of a request for a challenge; a service names the person."""

    subject_id: Id | None = None


class Still(NamedTuple):
    """A still or clip as it came: what it claims to be, its SHA-256, its bytes."""

    kind: Any
    sha256: str
    body: bytes


class Desk:
    """What the three routes share. `keep` None: no master key, so check-ins cannot be taken."""

    def __init__(self, services: Services, keep: Keep | None) -> None:
        settings = services.settings
        self._services = services
        self._keep = keep
        self.challenges = Challenges(
            settings.redis_url, settings.checkin_challenge_s, settings.checkin_picture_days * 86400
        )
        self.results = Results(settings.broker)
        self.room = Room(ROOM_BYTES)

    async def run(self) -> None:
        """Follow results for as long as the gateway runs."""
        try:
            await self.results.follow(self._services)
        finally:
            await self.challenges.close()

    async def let_in(self, request: Request[Any, Any, State]) -> Credential:
        """Who asks.

        Raises:
            Refused: 401, 403, 429 or 503.
        """
        services = self._services
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
        wait_s = (retry_at - self._services.now()).total_seconds() if retry_at is not None else 0.0
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
        services = self._services
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


def checkin_routes(desk: Desk) -> list[ControllerRouterHandler]:
    """The routes over `desk`."""
    services = desk._services

    @post("/v1/checkins/challenges", status_code=201, summary="Ask for a challenge")
    async def post_challenge(request: Request[Any, Any, State]) -> Response[bytes]:
        """A nonce that is good once and for a few minutes, and the movements to make before the camera, in order."""
        credential = await desk.let_in(request)
        subject_id = _subject(credential, await _told(request))
        await desk.keep_of(subject_id)
        desk.not_too_soon(subject_id)
        challenge = await desk.challenges.issue(subject_id, services.now())
        account_of(request).facts["checkin_id"] = challenge.checkin_id
        answer = to_builtins(challenge)
        return _json({name: answer[name] for name in ("nonce", "prompts", "expires_at")}, HTTPStatus.CREATED)

    @post("/v1/checkins", status_code=202, operation_class=CheckinOperation, summary="Check in")
    async def post_checkin(request: Request[Any, Any, State]) -> Response[bytes]:
        """Answer a challenge. 202: taken; what became of it is at /v1/checkins/{checkin_id} within seconds."""
        credential = await desk.let_in(request)
        limits = services.settings
        async with desk.room.taken() as share:
            parts = await read_form(request, share, limits.checkin_max_bytes, limits.checkin_challenge_s)
            texts = {part.name: part.body for part in parts if not part.is_file}
            subject_id = _subject(credential, _text(texts, "subject_id") or None)
            challenge = await desk.challenges.asked(_nonce(texts), subject_id)
            account_of(request).facts["checkin_id"] = challenge.checkin_id
            keep = await desk.keep_of(subject_id)
            place = _place(texts.get("fix", b""))
            stills = await asyncio.to_thread(_stills, parts)
            now = services.now()
            is_new = await desk.challenges.use(challenge, [one.sha256 for one in stills], texts.get("fix", b""), now)
            if is_new or desk.results.of(challenge.checkin_id) is None:  # else it has been looked at already
                checkin = Checkin(
                    checkin_id=challenge.checkin_id,
                    subject_id=subject_id,
                    nonce=challenge.nonce,
                    prompts=challenge.prompts,
                    challenged_at=challenge.challenged_at,
                    received_at=instant(min(now, challenge.expires_at)),
                    pictures=await desk.store(keep, challenge, stills),
                    place=place,
                    tracker_id=only_device(credential) or "",
                    sent_by=credential.principal,
                )
                await desk.send(checkin)
        account_of(request).facts |= {"pictures": len(stills), "again": not is_new}
        return _json({"checkin_id": challenge.checkin_id}, HTTPStatus.ACCEPTED)

    @get("/v1/checkins/{checkin_id:str}", summary="What became of a check-in")
    async def get_checkin(request: Request[Any, Any, State], checkin_id: str) -> Response[bytes]:
        """200 with the result; 202 while it is looked at; 404 when it is not known, or another's."""
        credential = await desk.let_in(request)
        result = desk.results.of(checkin_id)
        subject_id = result.subject_id if result is not None else await desk.challenges.whose(checkin_id)
        if not subject_id or (credential.role == "subject" and credential.principal != subject_id):
            raise Refused(HTTPStatus.NOT_FOUND, "unknown_checkin", "there is no such check-in of yours")
        if result is None:
            return _json({"checkin_id": checkin_id}, HTTPStatus.ACCEPTED)
        return Response(encode(result), status_code=HTTPStatus.OK, media_type="application/json")

    return [post_challenge, post_checkin, get_checkin]


async def _told(request: Request[Any, Any, State]) -> str | None:
    """The person that the body of a request for a challenge names."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FACT_BYTES:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "nothing is wanted here but a subject_id")
    try:
        return decode(bytes(body).strip() or b"{}", Whose).subject_id
    except Invalid as why:
        raise bad(why) from why


def _subject(credential: Credential, named: str | None) -> str:
    """Whose check-in it is."""
    if credential.role == "subject":
        if named not in (None, credential.principal):
            raise Refused(
                HTTPStatus.FORBIDDEN, "wrong_subject", "you can check in for yourself only", field="subject_id"
            )
        return credential.principal
    if named is None:
        raise bad(Invalid("a service names the person who checks in", "subject_id"))
    return named


def _text(texts: dict[str, bytes], name: str) -> str:
    try:
        return texts.get(name, b"").decode().strip()[:256]
    except UnicodeDecodeError as error:
        raise bad(Invalid(f"{name} is not UTF-8", name)) from error


def _nonce(texts: dict[str, bytes]) -> str:
    nonce = _text(texts, "nonce")
    if not nonce:
        raise bad(Invalid("the nonce of the challenge is missing", "nonce"))
    return nonce


def _place(raw: bytes) -> Place | None:
    """The fix; None: the person did not, or could not, give one."""
    if not raw.strip():
        return None
    try:
        if len(raw) > FACT_BYTES:
            raise Invalid(f"a fix is no longer than {FACT_BYTES} bytes", "fix")
        return decode(raw, Place)
    except Invalid as why:
        raise bad(Invalid(why.reason, f"fix{why.field.removeprefix('$') if why.field else ''}")) from why


def _stills(parts: Sequence[Part]) -> list[Still]:
    """The pictures, as far as their first bytes tell; the same twice counts once."""
    found: dict[str, Still] = {}
    pictures = [part for part in parts if part.name == "picture"]
    if not pictures:
        raise bad(Invalid("there is no picture: send one or more files named picture", "picture"))
    if len(pictures) > MOST_PICTURES:
        raise bad(Invalid(f"{len(pictures)} pictures; send at most {MOST_PICTURES}", "picture"))
    for place, part in enumerate(pictures):
        try:
            kind = header_of(part.body).kind
        except Invalid as why:
            raise bad(Invalid(f"picture {place + 1}: {why.reason}", f"picture[{place}]")) from why
        digest = sha256(part.body).hexdigest()
        found.setdefault(digest, Still(kind, digest, part.body))
    return list(found.values())


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


def _json(value: Any, status: HTTPStatus) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=int(status), media_type="application/json")
