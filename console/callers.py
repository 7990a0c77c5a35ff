"""Who asks, and may they? A bearer token, or a session's cookie with the page's own word for it on every change."""

from collections.abc import Collection
from hmac import compare_digest
from typing import Any, NamedTuple

from litestar import Request
from litestar.datastructures import State

from console.problems import away, denied, forbidden, signed_out
from console.services import Services
from console.sessions import Session, token_of
from gateway.access import account_of
from gateway.tokens import shown_in
from pipeline.credentials import Denied
from schemas.credential import Credential, Role

Call = Request[Any, Any, State]

COOKIE = "fl_session"
CSRF = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

OFFICERS: tuple[Role, ...] = ("officer", "supervisor")
DESK: tuple[Role, ...] = ("officer", "supervisor", "agency")
ANALYSTS: tuple[Role, ...] = (*DESK, "analyst")
PERSON: tuple[Role, ...] = ("subject",)
ANYONE: tuple[Role, ...] = (*ANALYSTS, *PERSON)


class Caller(NamedTuple):
    """Who asks. `session`: of a browser; `token`: what was shown, or what the session began with."""

    credential: Credential
    session: Session | None
    secret: str
    token: str

    @property
    def principal(self) -> str:
        """Who it is."""
        return self.credential.principal

    @property
    def role(self) -> Role:
        """As what."""
        return self.credential.role

    @property
    def agency(self) -> str:
        """Whose."""
        return self.credential.agency

    @property
    def scope(self) -> str | None:
        """The agency whose people this caller may see; None: all of them (an analyst without an agency)."""
        return None if self.role == "analyst" and not self.agency else self.agency


def services_of_call(request: Call) -> Services:
    """The services behind `request`."""
    services = request.app.state["services"]
    assert isinstance(services, Services)  # noqa: S101  # put there by `create_app`
    return services


async def let_in(request: Call, roles: Collection[Role], *, use: bool = True) -> Caller:
    """Who makes `request`, which is for `roles`. `use`: it keeps an idle session alive.

    Raises:
        Refused: 401, 403 or 503.
        RedisError: Redis is away.
    """
    services = services_of_call(request)
    if not services.ready:
        raise away("starting", "the console is starting or ending")
    caller = await _caller(request, services, use)
    account_of(request).facts["token_id"] = caller.credential.token_id
    if caller.role not in roles:
        raise forbidden("no_authority", f"this is not for a {caller.role}, but for: {', '.join(roles)}")
    if caller.role not in ("analyst", "subject") and not caller.agency:
        raise forbidden("no_authority", "the token names no agency; have one issued with --agency")
    return caller


async def _caller(request: Call, services: Services, use: bool) -> Caller:
    shown = shown_in(request.headers)
    try:
        if shown.token:
            return Caller(services.keyring.check(shown.token, services.now()), None, "", shown.token)
        secret = request.cookies.get(COOKIE, "")
        session = await services.sessions.find(secret, services.now(), use=use) if secret else None
        if session is None:
            raise signed_out()
        credential = _behind(session, services)
    except Denied as why:
        raise denied(why) from why
    if request.method not in _SAFE and not compare_digest(
        request.headers.get(CSRF, "").encode(), session.csrf.encode()
    ):
        raise forbidden("csrf", "a change needs the header X-CSRF-Token with the word that GET /api/v1/me gives")
    return Caller(credential, session, secret, token_of(session, secret))


def _behind(session: Session, services: Services) -> Credential:
    try:
        return services.keyring.holding(session.token_id, services.now())
    except Denied as why:
        raise signed_out(detail=f"the session has ended: {why}") from why
