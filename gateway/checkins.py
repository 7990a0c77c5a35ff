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
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler

from gateway.access import account_of
from gateway.forms import Part, read_form
from gateway.openapi import CheckinOperation
from gateway.problems import Refused, bad
from gateway.reception import Reception, Still
from pipeline.credentials import only_device
from pipeline.identity.headers import header_of
from schemas.checkin import Checkin, Place
from schemas.credential import Credential
from schemas.message import Id, Invalid, Message, decode, encode, to_builtins
from schemas.times import instant

MOST_PICTURES = 8
FACT_BYTES = 4 * 1024


class Whose(Message, frozen=True, kw_only=True):
    """The body of a request for a challenge; a service names the person."""

    subject_id: Id | None = None


def checkin_routes(reception: Reception) -> list[ControllerRouterHandler]:
    """The routes over `reception`."""
    services = reception.services

    @post("/v1/checkins/challenges", status_code=201, summary="Ask for a challenge")
    async def post_challenge(request: Request[Any, Any, State]) -> Response[bytes]:
        """A nonce that is good once and for a few minutes, and the movements to make before the camera, in order."""
        credential = await reception.let_in(request)
        subject_id = _subject(credential, await _told(request))
        await reception.keep_of(subject_id)
        reception.not_too_soon(subject_id)
        challenge = await reception.challenges.issue(subject_id, services.now())
        account_of(request).facts["checkin_id"] = challenge.checkin_id
        answer = to_builtins(challenge)
        return _json({name: answer[name] for name in ("nonce", "prompts", "expires_at")}, HTTPStatus.CREATED)

    @post("/v1/checkins", status_code=202, operation_class=CheckinOperation, summary="Check in")
    async def post_checkin(request: Request[Any, Any, State]) -> Response[bytes]:
        """Answer a challenge. 202: taken; what became of it is at /v1/checkins/{checkin_id} within seconds."""
        credential = await reception.let_in(request)
        limits = services.settings
        async with reception.room.taken() as share:
            parts = await read_form(request, share, limits.checkin_max_bytes, limits.checkin_challenge_s)
            texts = {part.name: part.body for part in parts if not part.is_file}
            subject_id = _subject(credential, _text(texts, "subject_id") or None)
            challenge = await reception.challenges.asked(_nonce(texts), subject_id)
            account_of(request).facts["checkin_id"] = challenge.checkin_id
            keep = await reception.keep_of(subject_id)
            place = _place(texts.get("fix", b""))
            stills = await asyncio.to_thread(_stills, parts)
            now = services.now()
            is_new = await reception.challenges.use(
                challenge, [one.sha256 for one in stills], texts.get("fix", b""), now
            )
            if is_new or reception.results.of(challenge.checkin_id) is None:  # else it has been looked at already
                checkin = Checkin(
                    checkin_id=challenge.checkin_id,
                    subject_id=subject_id,
                    nonce=challenge.nonce,
                    prompts=challenge.prompts,
                    challenged_at=challenge.challenged_at,
                    received_at=instant(min(now, challenge.expires_at)),
                    pictures=await reception.store(keep, challenge, stills),
                    place=place,
                    tracker_id=only_device(credential) or "",
                    sent_by=credential.principal,
                )
                await reception.send(checkin)
        account_of(request).facts |= {"pictures": len(stills), "again": not is_new}
        return _json({"checkin_id": challenge.checkin_id}, HTTPStatus.ACCEPTED)

    @get("/v1/checkins/{checkin_id:str}", summary="What became of a check-in")
    async def get_checkin(request: Request[Any, Any, State], checkin_id: str) -> Response[bytes]:
        """200 with the result; 202 while it is looked at; 404 when it is not known, or another's."""
        credential = await reception.let_in(request)
        result = reception.results.of(checkin_id)
        subject_id = result.subject_id if result is not None else await reception.challenges.whose(checkin_id)
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


def _json(value: Any, status: HTTPStatus) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=int(status), media_type="application/json")
