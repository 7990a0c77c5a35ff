"""How does a browser sign in and out, and who does it say it is? `/api/v1/session` and `/api/v1/me`."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.datastructures import Cookie

from console import links
from console.callers import ANYONE, COOKIE, Call, Caller, let_in, services_of_call
from console.problems import Problem, away, denied, forbidden, invalid, signed_out
from console.services import Services
from gateway.access import account_of
from pipeline.credentials import Denied
from schemas.message import Id, Message, Moment
from schemas.times import Instant


class SignIn(msgspec.Struct, kw_only=True):
    """A token, or the code of a sign-in link; one of the two."""

    token: str = ""
    link: str = ""


class PageSettings(Message, frozen=True, kw_only=True, omit_defaults=False):
    """What pages must know. `tiles`: the base map's URL template, empty for none; `checkins`: where check-ins go;
    `agencies`: to whom work may be handed over."""

    tiles: str = ""
    attribution: str = ""
    checkins: str = "/v1/checkins"
    agencies: tuple[str, ...] = ()


class Me(Message, frozen=True, kw_only=True):
    """Who is signed in. `csrf`, `expires_at`, `idle_s`: of a browser's session."""

    principal: Id
    role: str
    agency: str = ""
    subject_id: str = ""
    csrf: str = ""
    expires_at: Moment | None = None
    idle_s: float | None = None
    settings: PageSettings | None = None


@post("/api/v1/session", status_code=200, summary="Sign in", tags=["session"])
async def begin_session(request: Call, data: SignIn) -> Response[Me]:
    """With a token, or with the code of a link, which is used up by it."""
    services = services_of_call(request)
    if not services.ready:
        raise away("starting", "the console is starting or ending")
    if bool(data.token) == bool(data.link):
        raise invalid("give a token or the code of a link", "$.token")
    try:
        token = data.token.strip() or await _token_of_link(services, data.link)
        credential = services.keyring.check(token, services.now())
    except Denied as why:
        raise await _failed(request, services, denied(why)) from why
    except Problem as why:
        raise await _failed(request, services, why) from why
    account_of(request).facts["token_id"] = credential.token_id
    if credential.role not in ANYONE:
        raise forbidden("no_authority", f"there is nothing here for a {credential.role}")
    if data.link and not await links.use_up(services.store, data.link):
        raise signed_out("unknown", "the link was used already; have a new one made")
    secret, session = await services.sessions.begin(token, credential.token_id, services.now())
    return Response(me_of(Caller(credential, session, secret, token), services), cookies=[_cookie(services, secret)])


async def _failed(request: Call, services: Services, why: Problem) -> Problem:
    """What a sign-in that failed is told. One that holds is never made to wait: many may come from one address."""
    wait_s = await services.attempts.failed(request.client.host if request.client else "")
    if not wait_s:
        return why
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many_attempts", "too many failed sign-ins", retry_after_s=wait_s)


async def _token_of_link(services: Services, code: str) -> str:
    token = await links.token_behind(services.store, code)
    if token is None:
        raise signed_out("unknown", "the link was used, is over, or never was; have a new one made")
    return token


@delete("/api/v1/session", status_code=204, summary="Sign out", tags=["session"])
async def end_session(request: Call) -> Response[None]:
    """The session ends at once, in every tab."""
    services = services_of_call(request)
    caller = await let_in(request, ANYONE)
    if caller.session is not None:
        await services.sessions.end(caller.secret)
    gone = _cookie(services, "")
    gone.max_age = 0
    return Response(None, status_code=204, cookies=[gone], headers={"clear-site-data": '"cache"'})


@get("/api/v1/me", summary="Who am I?", tags=["session"])
async def me(request: Call) -> Me:
    """Who is signed in, and what the pages must know."""
    return me_of(await let_in(request, ANYONE), services_of_call(request))


def me_of(caller: Caller, services: Services) -> Me:
    """What a page is told of its session."""
    settings, session = services.settings, caller.session
    of_session: dict[str, Any] = {}
    if session is not None:
        of_session = {
            "csrf": session.csrf,
            "expires_at": _earlier(session.ends_at, caller.credential.expires_at),
            "idle_s": services.sessions.idle_s,
        }
    return Me(
        principal=caller.principal,
        role=caller.role,
        agency=caller.agency,
        subject_id=caller.principal if caller.role == "subject" else "",
        settings=PageSettings(
            tiles=settings.console_base_map,
            attribution=settings.console_attribution,
            agencies=tuple(one for part in settings.console_agencies.split(",") if (one := part.strip())),
        ),
        **of_session,
    )


def _earlier(one: Any, other: Any) -> Instant:
    earlier: Instant = one if other is None else min(one, other)
    return earlier


def _cookie(services: Services, secret: str) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=secret,
        path="/",
        httponly=True,
        samesite="strict",
        secure=services.settings.console_secure_cookies,
        max_age=int(services.settings.console_session_h * 3600),
    )


ROUTES = [begin_session, end_session, me]
