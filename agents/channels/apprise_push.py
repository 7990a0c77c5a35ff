"""Chat and phone services by the library that knows them (apprise): WeCom and DingTalk bots, ntfy, FCM, and any other.

The address is the service's URL as apprise writes it (``wecombot://KEY``, ``dingtalk://TOKEN``, ``ntfys://host/topic``,
``fcm://...``), or for the first three just the key, the token, the topic on ntfy.sh.

Apprise tells only yes or no, and takes any HTTP 200 for a yes, even where the body says that a bot was refused. So the
answers are looked at on their way: the plugin's `requests` is one that remembers what came back.
"""

import asyncio
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import apprise
import msgspec
import requests

from agents.channels.channel import Answer, Parcel, seconds_in, shortened, unasked
from schemas.notification import ChannelName, Outcome

SCHEMES: dict[str, tuple[str, ...]] = {
    "wecom": ("wecombot",),
    "dingtalk": ("dingtalk",),
    "ntfy": ("ntfys", "ntfy"),
    "fcm": ("fcm",),
    "apprise": (),
}
"""The URL schemes of each channel; the first is what a bare key is taken for. apprise: any."""

BUSY_CODES = frozenset({45009, 130101, 90018, 660026})
"""`errcode`s for too many messages a minute: WeCom's 45009, DingTalk's 130101, 90018 and 660026."""


class _Seen:
    """What came back, or why nothing did."""

    answer: requests.Response | None = None
    error: requests.RequestException | None = None


_seen: ContextVar[_Seen | None] = ContextVar("seen", default=None)


class _Watching:
    """`requests`, as a plugin of apprise uses it, with an eye on what comes back."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._watched(found) if name in ("post", "put", "get", "request") else found

    @staticmethod
    def _watched(call: Any) -> Any:
        def watched(*given: Any, **named: Any) -> Any:
            seen = _seen.get() or _Seen()
            try:
                seen.answer = call(*given, **named)
            except requests.RequestException as error:
                seen.error = error
                raise
            return seen.answer

        return watched


class ApprisePush:
    """A `Channel` for five kinds of address."""

    names: tuple[ChannelName, ...] = ("wecom", "dingtalk", "ntfy", "fcm", "apprise")

    def __init__(self, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s

    async def send(self, parcel: Parcel) -> Answer:
        """Hand it to the service."""
        plugin = self._plugin(parcel)
        if plugin is None:
            return Answer(outcome="refused", reason=f"not an address of {parcel.channel} that apprise knows")
        seen = _Seen()
        said = await asyncio.to_thread(_notify, plugin, parcel, seen)
        return _judged(said, seen)

    def _plugin(self, parcel: Parcel) -> Any:
        """The service behind the address; None where it is none, or another channel's."""
        schemes = SCHEMES[parcel.channel]
        url = parcel.address
        if "://" not in url and schemes:
            url = f"{schemes[0]}://{url}"
        if schemes and url.partition("://")[0] not in schemes:
            return None
        plugin = apprise.Apprise.instantiate(url)
        if plugin is None:
            return None
        plugin.request_rate_per_sec = 0  # how much is sent is limited elsewhere, for all workers together
        plugin.socket_connect_timeout = plugin.socket_read_timeout = self._timeout_s
        module: Any = sys.modules[type(plugin).__module__]
        if getattr(module, "requests", None) is requests:
            module.requests = _Watching(requests)
        return plugin

    async def find(self, parcel: Parcel) -> Answer | None:
        """These services are not asked."""
        return None

    async def check(self, parcel: Parcel, provider_id: str) -> Answer:
        """These services are not asked."""
        return unasked()

    async def close(self) -> None:
        """Nothing is kept open."""


def _notify(plugin: Any, parcel: Parcel, seen: _Seen) -> bool:
    text = parcel.text
    _seen.set(seen)
    kind = apprise.NotifyType.WARNING if parcel.urgent else apprise.NotifyType.INFO
    body = "\n".join(part for part in (text.body, text.link) if part)
    try:
        return bool(plugin.notify(body=body, title=text.title, notify_type=kind))
    except (TypeError, ValueError):  # a plugin that stumbles over an answer it did not expect
        return False


def _judged(said: bool, seen: _Seen) -> Answer:
    if seen.error is not None:
        connected = not isinstance(seen.error, requests.exceptions.ConnectTimeout | requests.exceptions.ConnectionError)
        name = type(seen.error).__name__
        if connected or isinstance(seen.error, requests.exceptions.ReadTimeout):
            return Answer(outcome="unknown", reason=f"the service did not answer: {name}")
        return Answer(outcome="unreachable", reason=f"the service cannot be reached: {name}")
    if seen.answer is None:
        reason = "" if said else "apprise could not send it"
        return Answer(outcome="accepted" if said else "refused", reason=reason)
    return _by_answer(seen.answer, said)


def _by_answer(answer: requests.Response, said: bool) -> Answer:
    status = answer.status_code
    wait_s = seconds_in(answer.headers.get("retry-after"), datetime.now(UTC))
    code, words = _refusal_in(answer.content)
    outcome: Outcome = "refused"
    if status < 300 and not code:
        return Answer(outcome="accepted" if said else "refused", reason="" if said else "apprise says no")
    if status in (429, 503) or code in BUSY_CODES:
        outcome = "busy"
    elif status >= 500 or status == 408:
        outcome = "unknown"
    return Answer(
        outcome=outcome,
        code=str(code or status),
        reason=shortened(words or f"the service answered {status}"),
        retry_after_s=wait_s,
    )


def _refusal_in(body: bytes) -> tuple[int, str]:
    """WeCom and DingTalk answer 200 and say in the body that they refuse: the code, and their words."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0, ""
    code = found.get("errcode", 0)
    return (code, str(found.get("errmsg", ""))) if isinstance(code, int) else (0, "")
