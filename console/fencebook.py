"""Fences: those in force, their versions, and how one is drawn, drawn anew, or withdrawn.

A fence is judged here, where whoever drew it can still mend it: what a worker would refuse is refused with findings.
What is accepted goes to the topic `fences` as its next version. Who did it stands on `commands`, and so on the audit,
before the fence is written; the result follows as for any command.
"""

from hashlib import sha256
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import delete, get, post, put

from console.bodies import read_body
from console.callers import ANALYSTS, OFFICERS, Call, Caller, let_in, services_of_call
from console.commanding import command_id_of, may_give
from console.problems import Problem, forbidden, invalid, unknown, unusable
from console.readings import enter
from console.services import Services
from fences.kml import is_kml, read_kml
from fences.lint import Finding, lint, read_features
from gateway.access import account_of
from pipeline.answers import answer
from pipeline.readmodel.answers import FenceVersions
from schemas.alert import AREA_PREFIX
from schemas.command import PutFence, WithdrawFence
from schemas.message import Invalid, Message, decode, encode
from schemas.reference import Fence
from schemas.times import instant
from schemas.topics import COMMAND_RESULTS, COMMANDS, FENCES

LARGEST_FENCE = 512 * 1024
MOST_FEATURES = 2_000
_SPLIT = "split the file, or have an operator load it with `fenceline load fences`"
_SIMPLER = "draw it with fewer corners"


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, or looks wrong."""

    findings: list[Finding]


class LeftOutOf(msgspec.Struct, frozen=True, kw_only=True):
    """What in a file cannot be a fence, and why."""

    name: str
    why: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """The shapes in a file as drafts: nothing is kept yet."""

    features: list[dict[str, Any]]
    left_out: list[LeftOutOf]


class Kept(Message, frozen=True, kw_only=True, omit_defaults=False):
    """A fence as it was kept."""

    fence_id: str
    version: int
    findings: list[Finding]


@get("/api/v1/fences", summary="Fences in force", tags=["fences"])
async def fences(request: Call) -> dict[str, Any]:
    """A FeatureCollection in WGS 84."""
    caller, services = await let_in(request, ANALYSTS), services_of_call(request)
    await enter(services, caller, "fences")  # whose home is where
    return await services.reader.fences(caller.scope)


@get("/api/v1/fences/{fence_id:str}/versions", summary="How a fence was drawn", tags=["fences"])
async def versions(request: Call, fence_id: str) -> FenceVersions:
    """The latest first, as stored."""
    caller, services = await let_in(request, ANALYSTS), services_of_call(request)
    found = await services.reader.fence_versions(caller.scope, fence_id)
    await enter(services, caller, "fence.versions", fence_id=fence_id)
    return found


@post("/api/v1/fences/lint", status_code=200, summary="What is wrong with it?", tags=["fences"])
async def check(request: Call) -> Findings:
    """Of a Feature or a FeatureCollection; nothing is kept."""
    await let_in(request, ANALYSTS)
    raw = await read_body(request, _most(services_of_call(request)), _SPLIT)
    return Findings(findings=lint(_features(raw)))


@post("/api/v1/fences/import", status_code=200, summary="Shapes from a file", tags=["fences"])
async def take_in(request: Call) -> Imported:
    """Of a GeoJSON or KML file; nothing is kept, each shape is a draft that still lacks its rule."""
    await let_in(request, ANALYSTS)
    raw = await read_body(request, _most(services_of_call(request)), _SPLIT)
    if not raw.strip():
        raise invalid("the file is empty")
    try:
        return _from_kml(raw) if is_kml(raw) else _from_geojson(_features(raw))
    except Invalid as why:
        raise invalid(why.reason, why.field, "GeoJSON or KML is wanted") from why


@put("/api/v1/fences/{fence_id:str}", status_code=200, summary="Draw a fence", tags=["fences"])
async def keep(request: Call, fence_id: str) -> Kept:
    """Its next version. `If-Match`: the version that it is to follow."""
    caller, services = await let_in(request, OFFICERS), services_of_call(request)
    may_give(caller, "fence.put")
    draft = draft_of(await read_body(request, LARGEST_FENCE, _SIMPLER), fence_id, caller)
    findings = lint([encode(draft)])
    if any(one.severity == "error" for one in findings):
        wrong = next(one for one in findings if one.severity == "error")
        raise unusable(wrong.what, field=wrong.field, hint=wrong.mend, findings=msgspec.to_builtins(findings))
    command_id, again = command_id_of(request, caller)
    async with services.shelf.writing:
        known = services.shelf.latest(fence_id)
        if known is not None and known.properties.agency != caller.agency:
            raise forbidden("other_agency", f"{fence_id} belongs to {known.properties.agency}")
        done = again and await services.reader.result(command_id) is not None
        for edition in reversed(services.shelf.editions(fence_id) if done else services.shelf.editions(fence_id)[-1:]):
            if edition.fence is not None and _numbered(draft, edition.fence.properties.version) == edition.fence:
                # sent again, or drawn as it is already
                return Kept(fence_id=fence_id, version=edition.fence.properties.version, findings=findings)
        _match(request, fence_id, known)
        version = services.shelf.highest(fence_id) + 1
        fence = _numbered(draft, version)
        command = PutFence(
            **_who(services, caller, command_id),
            fence_id=fence_id,
            version=version,
            sha256=sha256(encode(fence)).hexdigest(),
        )
        await _give(request, services, command, fence_id, fence)
    return Kept(fence_id=fence_id, version=version, findings=findings)


@delete("/api/v1/fences/{fence_id:str}", status_code=204, summary="Withdraw a fence", tags=["fences"])
async def withdraw(request: Call, fence_id: str) -> None:
    """It no longer holds; its versions stay readable."""
    caller, services = await let_in(request, OFFICERS), services_of_call(request)
    may_give(caller, "fence.withdraw")
    command_id, again = command_id_of(request, caller)
    if again and await services.reader.result(command_id) is not None:
        return  # sent again; the fence may have been drawn anew since
    async with services.shelf.writing:
        known = services.shelf.latest(fence_id)
        if known is None:
            if services.shelf.highest(fence_id):
                return  # withdrawn already
            raise unknown("fence", fence_id)
        if known.properties.agency != caller.agency:
            raise forbidden("other_agency", f"{fence_id} belongs to {known.properties.agency}")
        _match(request, fence_id, known)
        command = WithdrawFence(**_who(services, caller, command_id), fence_id=fence_id)
        await _give(request, services, command, fence_id, None)


def draft_of(raw: bytes, fence_id: str, caller: Caller) -> Fence:
    """The Feature in a body; without an agency of its own it is the caller's. `fence_id`: as the path names it.

    Raises:
        Refused: 400 not a Feature of a fence; 403 another agency's.
    """
    try:
        told = decode(raw, dict[str, Any])
        properties = told.get("properties")
        if isinstance(properties, dict):
            told["properties"] = {
                "agency": caller.agency or "default",
                "fence_id": fence_id,
                **properties,
                "version": 1,
            }
        fence = decode(encode(told), Fence)
    except Invalid as why:
        raise invalid(why.reason, why.field) from why
    if fence_id and fence.properties.fence_id != fence_id:
        raise invalid(f"the address names {fence_id!r}", "$.properties.fence_id")
    if caller.agency and fence.properties.agency != caller.agency:
        raise forbidden("other_agency", f"a fence of {fence.properties.agency} is drawn by {fence.properties.agency}")
    return fence


def _numbered(fence: Fence, version: int) -> Fence:
    return msgspec.structs.replace(fence, properties=msgspec.structs.replace(fence.properties, version=version))


def _match(request: Call, fence_id: str, known: Fence | None) -> None:
    wanted = request.headers.get("if-match", "").strip().removeprefix("W/").strip('"')
    version = 0 if known is None else known.properties.version
    if wanted in ("", "*") or wanted == str(version):
        return
    detail = f"{fence_id} is at version {version} by now" if version else f"{fence_id} was withdrawn"
    raise Problem(HTTPStatus.CONFLICT, "wrong_state", detail, hint="look at it again", state=str(version), holder="")


def _who(services: Services, caller: Caller, command_id: str) -> dict[str, Any]:
    return {
        "command_id": command_id,
        "subject_id": f"{AREA_PREFIX}{caller.agency}",
        "by": caller.principal,
        "role": caller.role,
        "agency": caller.agency,
        "at": instant(services.now()),
    }


async def _give(
    request: Call, services: Services, command: PutFence | WithdrawFence, fence_id: str, fence: Fence | None
) -> None:
    kind = str(command.__struct_config__.tag)
    account_of(request).facts |= {"command_id": command.command_id, "kind": kind}
    await services.pen.write(COMMANDS.name, command.subject_id, command, command.command_id, kind)
    await services.pen.write(FENCES.name, fence_id, fence, command.command_id, "Fence", by=command.by)
    services.shelf.learn(fence_id, fence, services.now())
    result = answer(command, "done", effect=fence_id).message
    await services.pen.write(COMMAND_RESULTS.name, command.subject_id, result, result.result_id)


def _most(services: Services) -> int:
    return services.settings.console_max_import_bytes


def _features(raw: bytes) -> list[bytes]:
    try:
        features = read_features(raw)
    except Invalid as why:
        raise invalid(why.reason, why.field) from why
    if len(features) > MOST_FEATURES:
        raise invalid(f"{len(features)} fences; at most {MOST_FEATURES} at once", hint=_SPLIT)
    return features


def _from_kml(raw: bytes) -> Imported:
    shapes = read_kml(raw)
    return Imported(
        features=shapes.features, left_out=[LeftOutOf(name=one.name, why=one.why) for one in shapes.left_out]
    )


_KINDS = ("Polygon", "MultiPolygon", "LineString", "Point")


def _from_geojson(features: list[bytes]) -> Imported:
    good: list[dict[str, Any]] = []
    left_out: list[LeftOutOf] = []
    for number, raw in enumerate(features):
        told = decode(raw, dict[str, Any])
        geometry, properties = told.get("geometry"), told.get("properties")
        name = str(properties.get("name", "")) if isinstance(properties, dict) else ""
        if isinstance(geometry, dict) and geometry.get("type") in _KINDS and geometry.get("coordinates"):
            kept = properties if isinstance(properties, dict) else {}
            good.append({"type": "Feature", "geometry": geometry, "properties": kept})
        else:
            kind = geometry.get("type") if isinstance(geometry, dict) else None
            why = f"its geometry is {kind or 'missing'}; a fence is one of {', '.join(_KINDS)}"
            left_out.append(LeftOutOf(name=name or f"#{number + 1}", why=why))
    return Imported(features=good, left_out=left_out)


ROUTES = [fences, versions, check, take_in, keep, withdraw]
