"""How do pages reach the browser? As they are written, from memory, compressed, with a tag that says what is new."""

import gzip
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple
from urllib.parse import urlsplit

from litestar import Response, get
from litestar.datastructures import State

from console.callers import Call
from console.problems import Problem
from fenceline.settings import Settings

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}
_AS_THEY_ARE = frozenset({"png", "woff2"})
ROOT = {"/desk": "index.html", "/me": "me.html", "/sw.js": "sw.js", "/manifest.webmanifest": "manifest.webmanifest"}


class Asset(NamedTuple):
    """A file as it is sent; `packed`: its gzip, empty where that gains nothing."""

    kind: str
    tag: str
    plain: bytes
    packed: bytes


def read_assets() -> dict[str, Asset]:
    """All files of `console/static`, by their path in it."""
    return dict(_under(files("console") / "static", ""))


def _under(folder: Traversable, path: str) -> list[tuple[str, Asset]]:
    found = []
    for one in folder.iterdir():
        if one.is_dir():
            found += _under(one, f"{path}{one.name}/")
        elif (ending := one.name.rpartition(".")[2]) in TYPES:
            plain = one.read_bytes()
            packed = b"" if ending in _AS_THEY_ARE else gzip.compress(plain, mtime=0)
            found.append((path + one.name, Asset(TYPES[ending], f'"{sha256(plain).hexdigest()[:32]}"', plain, packed)))
    return found


def page_headers(settings: Settings) -> dict[str, str]:
    """What every page says of what may run in it."""
    tiles = urlsplit(settings.console_base_map)
    origin = f" {tiles.scheme}://{tiles.netloc.replace('{s}', '*')}" if tiles.netloc else ""
    policy = (
        f"default-src 'self'; img-src 'self' data: blob:{origin}; connect-src 'self'{origin}; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=()",
    }
    if settings.console_secure_cookies:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers


def sent(asset: Asset, asked: Mapping[str, str], headers: dict[str, str]) -> Response[bytes]:
    """The answer with `asset`, or 304 when the browser has it."""
    said = {**headers, "etag": asset.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if asset.tag in asked.get("if-none-match", "").replace("W/", "").split(", "):
        return Response(b"", status_code=304, headers=said)
    body = asset.plain
    if asset.packed and "gzip" in asked.get("accept-encoding", ""):
        body, said["content-encoding"] = asset.packed, "gzip"
    return Response(body, media_type=asset.kind, headers=said)


def _asset(request: Call, state: State, name: str) -> Response[bytes]:
    asset = state["assets"].get(name)
    if asset is None:
        raise Problem(HTTPStatus.NOT_FOUND, "not_found", "there is no such page")
    return sent(asset, request.headers, state["page_headers"])


@get(list(ROOT), include_in_schema=False)
async def page(request: Call, state: State) -> Response[bytes]:
    """The two pages, and what must lie at the root."""
    return _asset(request, state, ROOT[request.url.path])


@get("/static/{name:path}", include_in_schema=False)
async def static(request: Call, state: State, name: str) -> Response[bytes]:
    """Anything else that pages are made of."""
    return _asset(request, state, str(name).lstrip("/"))


@get("/", include_in_schema=False)
async def root() -> Response[None]:
    """To the desk."""
    return Response(None, status_code=302, headers={"location": "/desk"})


ROUTES = [page, static, root]
