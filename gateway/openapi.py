"""What does the API description say of bodies that handlers read themselves? Schemas from the types on the topics."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import Operation, Parameter, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.openapi.spec.media_type import OpenAPIMediaType

from schemas.fix import Fix


def _fix_schema() -> dict[str, Any]:
    (schema,), parts = msgspec.json.schema_components([Fix], ref_template="#/{name}")
    found: dict[str, Any] = parts[schema["$ref"].removeprefix("#/")]
    return found


def _schema(raw: dict[str, Any]) -> Schema:
    """A part of JSON Schema as Litestar's own type, as far as a fix needs it."""
    return Schema(
        type=OpenAPIType(raw["type"]) if "type" in raw else None,
        description=raw.get("description"),
        properties={name: _schema(part) for name, part in raw["properties"].items()} if "properties" in raw else None,
        required=raw.get("required"),
        any_of=[_schema(part) for part in raw["anyOf"]] if "anyOf" in raw else None,
        items=_schema(raw["items"]) if isinstance(raw.get("items"), dict) else None,
        enum=raw.get("enum"),
        format=raw.get("format"),
        minimum=raw.get("minimum"),
        maximum=raw.get("maximum"),
        min_length=raw.get("minLength"),
        max_length=raw.get("maxLength"),
    )


def _object(**fields: str) -> Schema:
    return Schema(
        type=OpenAPIType.OBJECT, properties={name: Schema(type=OpenAPIType(kind)) for name, kind in fields.items()}
    )


def _body(**by_media_type: Schema) -> RequestBody:
    names = {"json": "application/json", "ndjson": "application/x-ndjson", "form": "application/x-www-form-urlencoded"}
    return RequestBody(content={names[name]: OpenAPIMediaType(schema=of) for name, of in by_media_type.items()})


@dataclass
class FixesOperation(Operation):
    """POST /v1/fixes."""

    def __post_init__(self) -> None:
        one = _schema(_fix_schema())
        self.request_body = _body(
            json=Schema(one_of=[one, Schema(type=OpenAPIType.ARRAY, items=one)]), ndjson=Schema(type=OpenAPIType.STRING)
        )


@dataclass
class OwnTracksOperation(Operation):
    """POST /owntracks."""

    def __post_init__(self) -> None:
        self.request_body = _body(json=_object(_type="string", lat="number", lon="number", tst="integer", acc="number"))


@dataclass
class OsmAndOperation(Operation):
    """GET or POST /osmand."""

    def __post_init__(self) -> None:
        named = {"id": "string", "timestamp": "string", "lat": "number", "lon": "number", "token": "string"}
        self.parameters = [
            *(self.parameters or []),
            *(
                Parameter(name=name, param_in="query", schema=Schema(type=OpenAPIType(kind)))
                for name, kind in named.items()
            ),
        ]
        self.request_body = _body(form=_object(**named), json=_object(device_id="string", location="object"))


@dataclass
class CheckinOperation(Operation):
    """POST /v1/checkins."""

    def __post_init__(self) -> None:
        form = _object(nonce="string", fix="string", subject_id="string")
        assert form.properties is not None  # noqa: S101  # made in the line above
        picture = Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")
        form.properties["picture"] = Schema(type=OpenAPIType.ARRAY, items=picture)
        form.required = ["nonce", "picture"]
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)})
