"""How do OwnTracks messages come in over MQTT? Subscribed with QoS 1, acknowledged only when the broker has them.

The MQTT broker checks passwords and lets a user publish only under ``owntracks/<user>/``; here the user must be the
id, or the principal, of a credential that covers the device in ``owntracks/<user>/<device>``. So a revoked credential
ends MQTT as it ends HTTP.

A message is acknowledged (PUBACK) once its fix is on `fixes`, or its bytes are on `fixes.rejected`. While Kafka is away
nothing is acknowledged: the MQTT broker keeps what follows for the session, which outlives the connection.
"""

import asyncio
import ssl
from collections.abc import Sequence
from itertools import repeat
from socket import gethostname
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import aiomqtt
import msgspec
import structlog

from gateway.bodies import Reading, Unusable
from gateway.metrics import Name
from gateway.owntracks import device_in_topic, fix_of
from gateway.problems import Refused
from gateway.services import Services
from schemas.message import Invalid

log = structlog.get_logger()

PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
BATCH = 200


class BadUrl(ValueError):
    """An MQTT URL that cannot be used; says why."""


class _Client(aiomqtt.Client):
    """aiomqtt, which acknowledges at once, told to leave the acknowledging to us.

    paho underneath can; aiomqtt has no public way to it, hence the protected attribute. A test with a real broker
    holds this.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._client.manual_ack_set(True)

    def acknowledge(self, message: aiomqtt.Message) -> None:
        """Send the PUBACK of `message`."""
        self._client.ack(message.mid, message.qos)

    def waiting(self, most: int) -> list[aiomqtt.Message]:
        """Up to `most` messages that have arrived already."""
        return [self._queue.get_nowait() for _ in repeat(None, min(most, self._queue.qsize()))]


class MqttSource:
    """Follows OwnTracks' topics on one MQTT broker. `options`: for `aiomqtt.Client`; `topics`: the filter."""

    def __init__(self, services: Services, options: dict[str, Any], topics: str) -> None:
        self._services = services
        self._options = options
        self._topics = topics

    async def run(self) -> None:
        """Follow until cancelled; a lost connection is taken up again after a growing pause."""
        await self._services.opened.wait()
        pause_s = PAUSE_S
        while True:
            try:
                async with _Client(**self._options) as client:
                    await client.subscribe(self._topics, qos=1)
                    log.info("mqtt_connected", topics=self._topics)
                    self._services.metrics.set(Name.MQTT_CONNECTED, 1)
                    pause_s = PAUSE_S
                    async for message in client.messages:
                        await self._take(client, [message, *client.waiting(BATCH - 1)])
            except aiomqtt.MqttError as error:
                log.warning("mqtt_lost", error=str(error), again_s=pause_s)
            self._services.metrics.set(Name.MQTT_CONNECTED, 0)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _take(self, client: _Client, messages: Sequence[aiomqtt.Message]) -> None:
        """Take in `messages`, side by side; returns when all are acknowledged."""
        open_ones = list(messages)
        while open_ones:
            fates = await asyncio.gather(*map(self._one, open_ones), return_exceptions=True)
            left: list[aiomqtt.Message] = []
            for message, fate in zip(open_ones, fates, strict=True):
                if isinstance(fate, Refused):
                    left.append(message)
                elif isinstance(fate, BaseException):
                    raise fate
                else:
                    client.acknowledge(message)
            if left:
                log.warning("mqtt_held_back", messages=len(left))
                await asyncio.sleep(PAUSE_S)
            open_ones = left

    async def _one(self, message: aiomqtt.Message) -> None:
        """Take in one message.

        Raises:
            Refused: 503, the broker does not have it; to be tried again.
        """
        services = self._services
        topic = str(message.topic)
        source = f"mqtt:{topic}"[:200]
        payload = message.payload if isinstance(message.payload, bytes) else bytes(message.payload or b"")
        user = ""
        try:
            user, device_id = device_in_topic(topic)
            credential = services.keyring.vouched(user, device_id, services.now())
            if credential is None:
                raise Invalid(f"no credential of {user!r} covers device {device_id!r}", "$.topic")
            if not payload:
                return  # a retained message taken back
            fix = fix_of(_parsed(payload, services.limits.body_bytes), device_id)
            if fix is None:
                services.metrics.count(Name.IGNORED, kind="owntracks")
                return
            await self._spend(credential, device_id)
        except Invalid as why:
            await services.intake.keep(Unusable(0, payload, why), user, source)
            return
        await services.intake.take(Reading([fix], [0], [], payload), credential, source)

    async def _spend(self, credential: Any, device_id: str) -> None:
        try:
            await self._services.spend(credential, 1)
        except Refused as refused:
            # MQTT has no "later": holding it back would hold back every other device
            raise Invalid(f"device {device_id!r}: {refused.detail}") from refused


def _parsed(payload: bytes, limit_bytes: int) -> Any:
    if len(payload) > limit_bytes:
        raise Invalid(f"the message is larger than {limit_bytes} bytes")
    try:
        return msgspec.json.decode(payload)
    except RecursionError as error:
        raise Invalid("JSON is nested too deeply") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(str(error)) from error


def mqtt_source(url: str, services: Services) -> MqttSource:
    """The source that `url` names: ``mqtt://user:password@host:1883?topics=owntracks/%2B/%2B&client_id=NAME``.

    ``mqtts`` for TLS. The client id names the session that the MQTT broker keeps, so it must stay the same.

    Raises:
        BadUrl: another scheme, or no host.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise BadUrl("an MQTT URL reads mqtt://[user:password@]host[:port], or mqtts:// for TLS")
    query = parse_qs(parts.query)
    secure = parts.scheme == "mqtts"
    options: dict[str, Any] = {
        "hostname": parts.hostname,
        "port": parts.port or (8883 if secure else 1883),
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "identifier": query.get("client_id", [f"fenceline-{gethostname()}"])[0],
        "clean_session": False,
        "tls_context": ssl.create_default_context() if secure else None,
    }
    return MqttSource(services, options, query.get("topics", ["owntracks/+/+"])[0])
