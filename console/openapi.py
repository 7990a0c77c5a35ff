"""What does the API description say that types of answers do not? Who is let in, bodies read by hand, refusals."""

from typing import Any

from litestar import Litestar

PROBLEM = {
    "description": "Not served: a problem as RFC 9457 has it; `error` is its short name for programs.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "error", "request_id"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "error": {"type": "string"},
                    "request_id": {"type": "string"},
                    "field": {"type": "string"},
                    "hint": {"type": "string"},
                    "holder": {"type": "string"},
                    "state": {"type": "string"},
                },
            }
        }
    },
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "the same key is the same command, also after a lost connection",
    "schema": {"type": "string", "maxLength": 64},
}
MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "the version that the change is to follow",
    "schema": {"type": "string"},
}
SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "of `fenceline token issue`"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "fl_session",
        "description": "of POST /api/v1/session; a change needs the header X-CSRF-Token too",
    },
}
_FEATURE = {"application/geo+json": {"schema": {"$ref": "#/components/schemas/Fence"}}}
_FILE = {
    "application/geo+json": {"schema": {"type": "object"}},
    "application/vnd.google-earth.kml+xml": {"schema": {"type": "string"}},
}
_FORM = {"multipart/form-data": {"schema": {"type": "object"}}}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("/api/v1/fences/{fence_id}", "put"): _FEATURE,
    ("/api/v1/fences/what-if", "post"): _FEATURE,
    ("/api/v1/fences/lint", "post"): {"application/geo+json": {"schema": {"type": "object"}}},
    ("/api/v1/fences/import", "post"): _FILE,
    ("/v1/checkins", "post"): _FORM,
}
_CHANGES = frozenset({"post", "put", "delete"})
_NO_COMMANDS = frozenset({"/api/v1/session", "/api/v1/fences/what-if", "/api/v1/fences/lint", "/api/v1/fences/import"})


def described(app: Litestar) -> dict[str, Any]:
    """The OpenAPI 3.1 document of `app`, as plain values."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    document["components"] = {**document.get("components", {}), "securitySchemes": SCHEMES}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    operation["responses"]["default"] = PROBLEM
    if (path, method) != ("/api/v1/session", "post"):
        operation["security"] = [{name: []} for name in SCHEMES]
    parameters = operation.setdefault("parameters", [])
    if method in _CHANGES and path not in _NO_COMMANDS and path.startswith("/api/"):
        parameters.append(KEY)
        if path.startswith("/api/v1/fences/"):
            parameters.append(MATCH)
    if (path, method) in BODIES:
        operation["requestBody"] = {"required": True, "content": BODIES[path, method]}
