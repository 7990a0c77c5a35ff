"""How is a request refused? As a problem (RFC 9457) that says what is wrong, where, and how to mend it."""

from http import HTTPStatus
from typing import Any

import msgspec

from schemas.message import Invalid

MEDIA_TYPE = "application/problem+json"

HINTS = {
    "lat": "latitude in WGS 84 degrees, -90 to 90",
    "lon": "longitude in WGS 84 degrees, -180 to 180",
    "latitude": "latitude in WGS 84 degrees, -90 to 90",
    "longitude": "longitude in WGS 84 degrees, -180 to 180",
    "fix_time": "RFC 3339 with an offset, such as 2026-11-23T09:30:00.000Z",
    "received_at": "leave it out; the gateway sets it",
    "timestamp": "epoch seconds or milliseconds, or RFC 3339 such as 2026-11-23T09:30:00.000Z",
    "tst": "epoch seconds of the fix",
    "device_id": "the id of the device that the token covers, 1 to 128 characters",
    "datum": "wgs84, gcj02 or bd09",
    "_type": "send OwnTracks' JSON unencrypted; positions are _type location",
    "topic": "publish to owntracks/<user>/<device>",
    "nonce": "ask for one: POST /v1/checkins/challenges",
    "picture": "a JPEG or PNG still, or an MP4 or WebM clip, as the camera made it",
    "subject_id": "the id of the person who checks in",
    "fix": 'JSON such as {"lat": 31.2304, "lon": 121.4737, "accuracy_m": 8, "fix_time": "2026-11-23T12:00:00Z"}',
    "Content-Encoding": "send the body plain, or with Content-Encoding: gzip",
}
_HINT_OF_ALL = "see the fields of a fix at /schema, or docs/gateway.md"


def hint_of(why: Invalid) -> str:
    """How to mend what `why` says, by the field it names."""
    name = why.field.rpartition(".")[2].partition("[")[0]
    if name in HINTS:
        return HINTS[name]
    for known in ("device_id", "fix_time", "lat", "lon"):
        if f"`{known}`" in why.reason:
            return HINTS[known]
    return _HINT_OF_ALL


class Refused(Exception):
    """A request that is not served. Unless the status is 2xx the device keeps what it has.

    `error`: a short name for programs and the metric; `detail`: the same for people; `further`: members that only
    some problems have.
    """

    def __init__(
        self,
        status: HTTPStatus,
        error: str,
        detail: str,
        *,
        field: str = "",
        hint: str = "",
        retry_after_s: int | None = None,
        rejected: list[dict[str, Any]] | None = None,
        **further: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error
        self.detail = detail
        self.field = field
        self.hint = hint
        self.retry_after_s = retry_after_s
        self.rejected = rejected
        self.further = further

    def headers(self) -> dict[str, str]:
        """What the answer's head must say beside the status."""
        headers: dict[str, str] = {}
        if self.retry_after_s is not None:
            headers["retry-after"] = str(self.retry_after_s)
        if self.status is HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = 'Basic realm="fenceline", charset="UTF-8"'
        return headers

    def body(self, request_id: str) -> bytes:
        """The problem as JSON."""
        problem: dict[str, Any] = {
            "type": f"urn:fenceline:problem:{self.error}",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "error": self.error,
            "request_id": request_id,
        }
        optional = {"field": self.field, "hint": self.hint, "rejected": self.rejected, **self.further}
        return msgspec.json.encode(problem | {name: value for name, value in optional.items() if value})


def bad(why: Invalid, status: HTTPStatus = HTTPStatus.BAD_REQUEST, error: str = "invalid") -> Refused:
    """The refusal of input for the reason `why`."""
    return Refused(status, error, why.reason, field=why.field, hint=hint_of(why))
