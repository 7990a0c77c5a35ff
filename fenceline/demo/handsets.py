"""What stands in for the outside world in the demo: Twilio's service, and the browser of an officer who gets pushes.

Both take what they are sent over HTTP as the real ones do; the push is encrypted for this browser and opened here.
"""

import base64
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import http_ece
import msgspec
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fenceline.twilio_standin import TwilioStandIn, serve

FROM_NUMBER = "+15005550006"
"""Twilio's magic number for tests that always works."""


class Pushed(msgspec.Struct, frozen=True):
    """What a page's service worker gets."""

    title: str
    body: str


@dataclass(frozen=True)
class Handsets:
    """What the system must know of them. `environ`: settings; `subscription`: the browser's."""

    twilio: TwilioStandIn
    environ: dict[str, str]
    subscription: str


@asynccontextmanager
async def handsets(seen: Callable[[Pushed], None]) -> AsyncIterator[Handsets]:
    """Both, answering while the block runs; `seen` is told of each push once it is opened."""
    key, secret = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)

    async def pushed(request: web.Request) -> web.Response:
        plain = http_ece.decrypt(await request.read(), private_key=key, auth_secret=secret, version="aes128gcm")
        seen(msgspec.json.decode(plain, type=Pushed))
        return web.Response(status=201, headers={"Location": f"{request.url}/1"})

    app = web.Application()
    app.add_routes([web.post("/push", pushed)])
    browser = web.AppRunner(app, access_log=None)
    await browser.setup()
    await web.TCPSite(browser, "127.0.0.1", 0, shutdown_timeout=0.5).start()
    twilio = TwilioStandIn()
    service = await serve(twilio)
    try:
        keys = {"p256dh": _text(_point(key)), "auth": _text(secret)}
        endpoint = f"http://127.0.0.1:{browser.addresses[0][1]}/push"
        signer = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32, "big")
        environ = {
            "FENCELINE_TWILIO_ACCOUNT_SID": twilio.account_sid,
            "FENCELINE_TWILIO_AUTH_TOKEN": twilio.auth_token,
            "FENCELINE_TWILIO_FROM": FROM_NUMBER,
            "FENCELINE_TWILIO_BASE_URL": twilio.base_url,
            "FENCELINE_VAPID_PRIVATE_KEY": _text(signer),
        }
        yield Handsets(twilio, environ, json.dumps({"endpoint": endpoint, "keys": keys}))
    finally:
        await service.cleanup()
        await browser.cleanup()


def _point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
