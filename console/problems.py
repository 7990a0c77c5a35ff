"""How does the console say no? Problems (RFC 9457) as the gateway's, with the words that `docs/api.md` lists."""

from http import HTTPStatus
from typing import Any

from gateway.problems import Refused
from pipeline.credentials import Denied

AGAIN_S = 2


class Problem(Refused):
    """A request of the console that is not served. A 401 asks for no password box of the browser's own."""

    def headers(self) -> dict[str, str]:
        """What the answer's head must say beside the status."""
        headers = super().headers()
        if self.status is HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = 'Bearer realm="fenceline"'
        return headers


def signed_out(error: str = "no_session", detail: str = "there is no session, or it has ended; sign in") -> Problem:
    """401."""
    return Problem(HTTPStatus.UNAUTHORIZED, error, detail)


def denied(why: Denied) -> Problem:
    """401: the token that was shown does not hold."""
    return signed_out("unknown" if why.reason == "malformed" else why.reason, str(why))


def forbidden(error: str, detail: str) -> Problem:
    """403."""
    return Problem(HTTPStatus.FORBIDDEN, error, detail)


def unknown(what: str, name: str) -> Problem:
    """404: no such `what` (alert, task, subject ...), or none that may be told of."""
    return Problem(HTTPStatus.NOT_FOUND, f"unknown_{what}", f"no {what.replace('_', ' ')} {name[:128]!r}")


def invalid(detail: str, field: str = "$", hint: str = "", **further: Any) -> Problem:
    """400: what is wrong, and where."""
    return Problem(HTTPStatus.BAD_REQUEST, "invalid", detail, field=field, hint=hint, **further)


def unusable(detail: str, **further: Any) -> Problem:
    """422: understood, and refused by a rule."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unusable", detail, **further)


def too_large(detail: str, hint: str) -> Problem:
    """413."""
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail, hint=hint)


def away(error: str, detail: str) -> Problem:
    """503: `starting`, `broker_away`, `read_model_away` or `gateway_away`."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE, error, detail, hint="keep it and send it again", retry_after_s=AGAIN_S
    )


def broker_away() -> Problem:
    """503: what must be written, or read from a topic, cannot be now."""
    return away("broker_away", "the broker does not answer")


def read_model_away() -> Problem:
    """503: sessions and the read model cannot be asked now."""
    return away("read_model_away", "Redis does not answer")
