"""How does a wish become a command, and its judgement an answer? Written to `commands`, awaited for a few seconds.

Who gives it comes from the token, never from the body. With an `Idempotency-Key` the command's id follows from the key
and who used it: sent again it is the same command, and the answer is the judgement that there is.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal
from uuid import uuid4

import msgspec
from litestar import Response

from console.callers import Call, Caller, services_of_call
from console.problems import Problem, forbidden, invalid, unusable
from console.reading.refusals import OtherAgency, Unknown
from console.services import Services
from gateway.access import account_of
from pipeline.authority import MAY, kind_of
from schemas.command import CommandResult, read_command
from schemas.ids import event_id
from schemas.message import Invalid, encode
from schemas.times import instant
from schemas.topics import COMMANDS

WAIT_S = 5.0
KEY_CHARACTERS = 64
GIVEN_S = 86_400
_GIVEN = "fenceline:given:"
_FORBIDDEN = frozenset({"no_authority", "other_agency", "not_owner"})


class Judged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a command. waiting: it is on its topic and not judged yet; the event stream will tell."""

    outcome: Literal["done", "refused", "waiting"]
    command_id: str
    code: str = ""
    reason: str = ""
    effect: str = ""


def command_id_of(request: Call, caller: Caller) -> tuple[str, bool]:
    """The id of the command that `request` gives, and whether it may have been given before.

    Raises:
        Refused: 400, a key that is too long or holds what a header may not.
    """
    key = request.headers.get("idempotency-key", "")
    if not key:
        return str(uuid4()), False
    if len(key) > KEY_CHARACTERS or not key.isascii() or not key.isprintable():
        raise invalid(f"at most {KEY_CHARACTERS} printable characters", "Idempotency-Key", "a UUID does well")
    return event_id("console-command", caller.principal, key), True


def may_give(caller: Caller, kind: str) -> None:
    """Nothing, if the role of `caller` may give commands of `kind`.

    Raises:
        Refused: 403.
    """
    if caller.role not in MAY[kind]:
        raise forbidden("no_authority", f"{kind} is not for a {caller.role}, but for: {', '.join(MAY[kind])}")


async def give(
    request: Call,
    caller: Caller,
    kind: str,
    subject_id: str,
    fields: Mapping[str, Any],
    *,
    about: str = "",
) -> Response[Judged]:
    """Give the command `kind` about `subject_id`; the judgement, or 202 when there is none within `WAIT_S`.

    `fields`: the command's own, those that are None left out. `about`: the alert or task, whose holder a 409 names.

    Raises:
        Refused: 400, 403, 404, 409, 422 or 503, as the command was judged.
    """
    may_give(caller, kind)
    services = services_of_call(request)
    command_id, again = command_id_of(request, caller)
    account_of(request).facts |= {"command_id": command_id, "kind": kind}
    result = await services.reader.result(command_id) if again else None
    if result is None:
        await _write(services, caller, kind, subject_id, command_id, fields, services.now(), again=again)
        result = await services.reader.await_result(command_id, WAIT_S)
    if result is None or result.outcome == "waiting":
        return Response(Judged(outcome="waiting", command_id=command_id), status_code=HTTPStatus.ACCEPTED)
    if result.outcome == "refused":
        raise await _refused(services, caller, result, about)
    return Response(Judged(outcome="done", command_id=command_id, effect=result.effect))


async def _write(
    services: Services,
    caller: Caller,
    kind: str,
    subject_id: str,
    command_id: str,
    fields: Mapping[str, Any],
    at: datetime,
    *,
    again: bool,
) -> None:
    told = {
        **{name: value for name, value in fields.items() if value is not None},
        "kind": kind,
        "command_id": command_id,
        "subject_id": subject_id,
        "by": caller.principal,
        "role": caller.role,
        "agency": caller.agency,
        "at": instant(at),
    }
    try:
        command = read_command(encode(told))
    except Invalid as why:
        raise invalid(why.reason, why.field) from why
    if again and await services.store.exists(_GIVEN + command_id):
        return  # it is on its topic, and its judgement is on the way
    await services.pen.write(COMMANDS.name, subject_id, command, command_id, kind_of(command))
    if again:
        await services.store.set(_GIVEN + command_id, b"1", ex=GIVEN_S)


async def _refused(services: Services, caller: Caller, result: CommandResult, about: str) -> Problem:
    further: dict[str, Any] = {"command_id": result.command_id, "code": result.code}
    if result.code in _FORBIDDEN:
        error = result.code if result.code != "not_owner" else "no_authority"
        return Problem(HTTPStatus.FORBIDDEN, error, result.reason, **further)
    if result.code.startswith("unknown_"):
        return Problem(HTTPStatus.NOT_FOUND, result.code, result.reason, **further)
    if result.code == "wrong_state":
        holder, state = await _holder(services, caller, about)
        return Problem(HTTPStatus.CONFLICT, "wrong_state", result.reason, holder=holder, state=state, **further)
    return unusable(result.reason, **further)


async def _holder(services: Services, caller: Caller, about: str) -> tuple[str, str]:
    if not about:
        return "", ""
    for find, who in ((services.reader.alert, "acknowledged_by"), (services.reader.task, "owner")):
        try:
            found = await find(caller.scope, about)
        except (Unknown, OtherAgency):
            continue
        return str(getattr(found, who)), str(found.state)
    return "", ""
