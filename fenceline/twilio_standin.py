"""A local stand-in for Twilio's messages: its REST shapes, its signed status callbacks, and its bad days.

For the demo and for tests; it sends nothing to anybody. It answers what Twilio answers for
``/2010-04-01/Accounts/{AccountSid}/Messages.json`` (create, list, fetch, delete), with Basic authentication, Twilio's
error bodies, and a callback for each status, signed as published: base64(HMAC-SHA1(auth token, URL + sorted form
parameters)).

    with running_standin() as twilio:                       # in a thread, on a free port
        twilio.misbehave(Fault(status=500), Fault(status=429, retry_after_s=2))
        ...
        twilio.messages                                     # what was accepted, in order

Shapes after Twilio's public reference of the Message resource, its error dictionary and its webhook security page.
"""

import asyncio
import base64
import hashlib
import hmac
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

import aiohttp
from aiohttp import web

from fenceline.twilio_messages import NotTaken, StoredMessage, listed, page_of, refusal_of

PREFIX = "/2010-04-01/Accounts/{account}"
ERRORS = "https://www.twilio.com/docs/errors/"

DELIVERED = ("sending", "sent", "delivered")


@dataclass(frozen=True)
class Fault:
    """How one request to send goes wrong, or differs.

    `status`: answer this instead (500, 429 with `retry_after_s`, 400 with `code` ...). `delay_s`: answer only after so
    long. `drop`: take the connection away without an answer. `stored`: whether the message was accepted all the same.
    `callback_first`: the callbacks come before the answer. `statuses`: what becomes of the message, in the order in
    which callbacks tell it (Twilio does not promise the right one). `error_code`: on failed and undelivered.
    """

    status: int = 0
    code: int = 0
    retry_after_s: float | None = None
    delay_s: float = 0.0
    drop: bool = False
    stored: bool | None = None
    callback_first: bool = False
    statuses: Sequence[str] = DELIVERED
    error_code: int | None = None

    @property
    def stores(self) -> bool:
        """Whether the message is accepted: unless an error is answered, or it was said otherwise."""
        return self.stored if self.stored is not None else not self.status and not self.drop


@dataclass
class TwilioStandIn:
    """The far side. `callback_delay_s`: between the statuses that are called back; `messages`: all that it accepted."""

    account_sid: str = field(default_factory=lambda: f"AC{token_hex(16)}")
    auth_token: str = field(default_factory=lambda: token_hex(16))
    callback_delay_s: float = 0.02
    callbacks: bool = True
    messages: list[StoredMessage] = field(default_factory=list)
    requests: list[tuple[str, int]] = field(default_factory=list)
    base_url: str = ""
    is_down: bool = False
    _faults: deque[Fault] = field(default_factory=deque)
    _always: Fault = field(default_factory=Fault)
    _calling: set[asyncio.Task[None]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    def misbehave(self, *faults: Fault, always: Fault | None = None) -> None:
        """The next requests to send go like `faults`, one each; `always`: all others, from now on."""
        self._faults.extend(faults)
        if always is not None:
            self._always = always

    @property
    def is_calling(self) -> bool:
        """Whether callbacks are still to come."""
        return bool(self._calling)

    def sent_to(self, number: str) -> list[StoredMessage]:
        """What was accepted for one number."""
        return [one for one in self.messages if one.to == number]

    def app(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(middlewares=[self._admit])
        app.add_routes(
            [
                web.post(f"{PREFIX}/Messages.json", self._create),
                web.get(f"{PREFIX}/Messages.json", self._list),
                web.get(f"{PREFIX}/Messages/{{sid}}.json", self._fetch),
                web.delete(f"{PREFIX}/Messages/{{sid}}.json", self._delete),
            ]
        )
        app.cleanup_ctx.append(self._outside)
        return app

    async def _outside(self, _: web.Application) -> Any:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        yield
        for task in list(self._calling):
            task.cancel()
        await asyncio.gather(*self._calling, return_exceptions=True)
        await self._session.close()

    @web.middleware
    async def _admit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.is_down:
            self.requests.append((request.method, 0))
            _cut(request)
            raise ConnectionResetError("down")
        answer = self._unauthorised(request) or await handler(request)
        self.requests.append((request.method, answer.status))
        assert isinstance(answer, web.StreamResponse)  # noqa: S101  # for the type checker
        return answer

    def _unauthorised(self, request: web.Request) -> web.Response | None:
        expected = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(given.encode(), expected.encode()):
            return _error(401, 20003, "Authenticate")
        if request.match_info.get("account", self.account_sid) != self.account_sid:
            return _not_found(request.path)
        return None

    async def _create(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        fault = self._faults.popleft() if self._faults else self._always
        refused = refusal_of(form)
        if refused is not None:
            return _error(refused.status, refused.code, refused.message)
        message = StoredMessage.of(self.account_sid, form, datetime.now(UTC))
        if fault.stores:
            self.messages.append(message)
            calling = asyncio.create_task(self._tell(message, fault))
            self._calling.add(calling)
            calling.add_done_callback(self._calling.discard)
            if fault.callback_first:
                await calling
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.drop:
            _cut(request)
            raise ConnectionResetError("dropped")
        if fault.status:
            retry = {} if fault.retry_after_s is None else {"Retry-After": f"{fault.retry_after_s:g}"}
            code = fault.code or {429: 20429, 503: 20503}.get(fault.status, 20500)
            return _error(fault.status, code, _WORDS.get(fault.status, "Bad Request"), retry)
        return web.json_response(message.resource("queued"), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        found = listed(self.messages, request.query)
        return web.json_response(page_of(found, request.query, self.account_sid))

    async def _fetch(self, request: web.Request) -> web.Response:
        message = self._known(request)
        return _not_found(request.path) if message is None else web.json_response(message.resource())

    async def _delete(self, request: web.Request) -> web.Response:
        message = self._known(request)
        if message is None:
            return _not_found(request.path)
        self.messages.remove(message)
        return web.Response(status=204)

    def _known(self, request: web.Request) -> StoredMessage | None:
        return next((one for one in self.messages if one.sid == request.match_info["sid"]), None)

    async def _tell(self, message: StoredMessage, fault: Fault) -> None:
        """Let the message go its way, and call back for each status."""
        for status in fault.statuses:
            if not fault.callback_first:
                await asyncio.sleep(self.callback_delay_s)
            message.became(status, fault.error_code, datetime.now(UTC))
            if message.status_callback and self.callbacks:
                await self._call_back(message, status)

    async def _call_back(self, message: StoredMessage, status: str) -> None:
        form = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "From": message.from_,
            "To": message.to,
            "MessageSid": message.sid,
            "MessageStatus": status,
            "SmsSid": message.sid,
            "SmsStatus": status,
        }
        if message.error_code is not None and status in ("failed", "undelivered"):
            form["ErrorCode"] = str(message.error_code)
        headers = {
            "X-Twilio-Signature": signature(self.auth_token, message.status_callback, form),
            "I-Twilio-Idempotency-Token": token_hex(16),
            "User-Agent": "TwilioProxy/1.1",
        }
        assert self._session is not None  # noqa: S101  # open while the application runs
        with suppress(
            aiohttp.ClientError, TimeoutError
        ):  # a receiver that is away is the receiver's loss, as with Twilio
            async with self._session.post(message.status_callback, data=form, headers=headers) as answer:
                message.called_back.append((status, answer.status))


_WORDS = {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


def signature(auth_token: str, url: str, form: dict[str, str]) -> str:
    """The value of ``X-Twilio-Signature`` for a form posted to `url`."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"code": code, "message": message, "more_info": f"{ERRORS}{code}", "status": status}
    return web.json_response(body, status=status, headers=headers)


def _not_found(path: str) -> web.Response:
    return _error(404, 20404, f"The requested resource {path} was not found")


async def serve(standin: TwilioStandIn, host: str = "127.0.0.1", port: int = 0) -> web.AppRunner:
    """Serve `standin`; its `base_url` says where. To be ended with `cleanup()` of what is returned."""
    runner = web.AppRunner(standin.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port, shutdown_timeout=0.5)
    await site.start()
    at: int = runner.addresses[0][1]
    standin.base_url = f"http://{host}:{at}"
    return runner


@contextmanager
def running_standin(standin: TwilioStandIn | None = None, port: int = 0) -> Iterator[TwilioStandIn]:
    """A stand-in that answers in a thread of its own while the block runs."""
    standin = standin or TwilioStandIn()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="twilio-standin", daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(serve(standin, port=port), loop).result(20)
    try:
        yield standin
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()


__all__ = ["Fault", "NotTaken", "StoredMessage", "TwilioStandIn", "running_standin", "serve", "signature"]
