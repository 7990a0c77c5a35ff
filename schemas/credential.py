"""Who may speak to the system, and for whom: the credentials on a compacted topic."""

from typing import Annotated, Literal

import msgspec

from schemas.message import Id, Message, Moment

Role = Literal["device", "officer", "supervisor", "agency", "analyst", "subject", "service"]

ANY_DEVICE = "*"
"""In `Credential.device_ids`: every device (a feed that speaks for a whole fleet)."""


class Credential(Message, frozen=True, kw_only=True):
    """A token's other half, on the topic `credentials`, key `token_id`. The secret itself is nowhere.

    The holder shows ``fl_<token_id>_<secret>``; kept is the SHA-256 of the secret. A secret of 256 random bits needs
    no salt and no slow hash: there is nothing to guess.
    """

    token_id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{4,32}$")]
    principal: Annotated[Id, msgspec.Meta(description="who holds it: a device, an officer, a service")]
    role: Role
    device_ids: Annotated[tuple[str, ...], msgspec.Meta(description="devices it may report for; * is every one")] = ()
    agency: str = ""
    secret_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None
    fixes_per_s: Annotated[float, msgspec.Meta(gt=0, description="absent: the gateway's default")] | None = None
    burst_fixes: Annotated[float, msgspec.Meta(ge=1, description="absent: the gateway's default")] | None = None
