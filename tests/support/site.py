"""A gateway as operators run it, over the embedded broker and Redis, for tests that speak to it from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from fenceline.embedded import embedded_broker, embedded_redis, free_port, stop
from gateway.keystore import KeyStore
from pipeline.credentials import digest, token_text
from schemas.credential import Credential, Role
from schemas.times import instant
from schemas.topics import TOPICS

PARTITIONS = 4
NOON = "2026-11-23T12:00:00.000Z"


class Got(NamedTuple):
    """A record as it lies on a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: Any
    headers: dict[str, bytes]


def until(done: Any, deadline_s: float = 60.0, what: str = "it") -> Any:
    """What `done()` gives once it gives something true."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        found = done()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not happen within {deadline_s:g} s")


async def _create_topics(broker: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions or PARTITIONS, 1, topic_configs=topic.config())
                for topic in TOPICS.values()
            ]
        )
    finally:
        await admin.close()


async def _read(broker: str, topic: str, quiet_s: float) -> list[Got]:
    options = {"bootstrap_servers": broker, "group_id": None, "auto_offset_reset": "earliest"}
    consumer = AIOKafkaConsumer(topic, fetch_max_wait_ms=100, **options)
    await consumer.start()
    found: list[Got] = []
    try:
        last = time.monotonic()
        while time.monotonic() < last + quiet_s:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                last = time.monotonic()
                found += [
                    Got(
                        one.partition,
                        one.offset,
                        one.key,
                        json.loads(one.value) if one.value else None,
                        dict(one.headers),
                    )
                    for one in records
                ]
    finally:
        await consumer.stop()
    return found


async def _write(broker: str, credential: Credential) -> None:
    async with KeyStore(broker) as store:
        await store.write(credential)


@dataclass
class Site:
    """The running gateway and what it stands on. `broker_pid`: to stop and continue the broker."""

    broker: str
    redis_url: str
    url: str
    log: Path
    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    tokens: dict[str, Credential] = field(default_factory=dict)

    def issue(self, *device_ids: str, role: Role = "device", **options: Any) -> str:
        """A token for `device_ids`, known to the gateway when this returns."""
        token_id, secret = token_hex(5), token_hex(16)
        credential = Credential(
            **{
                "token_id": token_id,
                "principal": device_ids[0] if device_ids else "someone",
                "role": role,
                "device_ids": device_ids,
                "secret_sha256": digest(secret),
                "created_at": instant(datetime.now(UTC)),
                "fixes_per_s": 1e6,
                "burst_fixes": 1e6,
            }
            | options
        )
        token = token_text(token_id, secret)
        self.tokens[token] = credential
        asyncio.run(_write(self.broker, credential))
        until(lambda: "token_unknown" not in self.post("/v1/fixes", [], token=token).text, what="learning a token")
        return token

    def change(self, token: str, **changes: Any) -> None:
        """Write the credential of `token` anew with `changes`."""
        fields = {name: getattr(self.tokens[token], name) for name in Credential.__struct_fields__}
        self.tokens[token] = Credential(**fields | changes)
        asyncio.run(_write(self.broker, self.tokens[token]))

    def post(self, path: str, body: Any, token: str = "", **options: Any) -> httpx.Response:
        """POST `body` (bytes as they are, else as JSON) with a bearer token."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, headers=headers | options.pop("headers", {}), **options)

    def read(self, topic: str, quiet_s: float = 0.25) -> list[Got]:
        """All records of `topic`, once no new one has come for `quiet_s`."""
        return asyncio.run(_read(self.broker, topic, quiet_s))

    def fixes(self, device_id: str | None = None) -> list[dict[str, Any]]:
        """All fixes on the topic, out of their frames, in order per partition."""
        every = [fix for got in self.read("fixes") for fix in got.value]
        return [fix for fix in every if device_id in (None, fix["device_id"])]

    def rejected(self, device_or_principal: str | None = None) -> list[dict[str, Any]]:
        """All rejections on the topic, or those from one sender."""
        every = [got.value for got in self.read("fixes.rejected")]
        if device_or_principal is None:
            return every
        wanted = b64encode(device_or_principal.encode()).decode()
        return [one for one in every if one.get("key") == wanted or one.get("device_id") == device_or_principal]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over the series that have `labels`."""
        total = 0.0
        for line in self.client.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(f'{key}="{label}"' in series for key, label in labels.items()):
                total += float(value)
        return total

    @property
    def broker_pid(self) -> int:
        """The embedded broker's process."""
        return pid_of(self.broker)

    @contextmanager
    def broker_paused(self) -> Iterator[None]:
        """The broker stopped, so that it answers nothing, for as long as the block runs."""
        with paused(self.broker):
            yield


def pid_of(broker: str) -> int:
    """The process of the embedded broker at that address."""
    wanted = f"tcp://{broker}".encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if wanted in entry.read_bytes().split(b"\0"):
                return int(entry.parent.name)
        except OSError:
            continue
    raise AssertionError("the broker's process is not to be found")


@contextmanager
def paused(broker: str) -> Iterator[None]:
    """The embedded broker stopped (SIGSTOP), so that it answers nothing, for as long as the block runs."""
    pid = pid_of(broker)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def running_site(
    folder: Path,
    settings: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    broker_at: str | None = None,
) -> Iterator[Site]:
    """A broker, a Redis and a gateway that is ready.

    `settings`: FENCELINE_ variables without the prefix. `broker_at`: a broker that runs already, else an embedded one.
    """
    standing = embedded_broker() if broker_at is None else nullcontext(broker_at)
    with standing as broker, embedded_redis() as redis_url:
        asyncio.run(_create_topics(broker))
        port = free_port()
        given = {"BROKER": broker, "REDIS_URL": redis_url, **(settings or {})}
        log = folder / "gateway.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "fenceline", "gateway", "--port", str(port), *arguments],
                stderr=sink,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **{f"FENCELINE_{name}": value for name, value in given.items()}},
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30.0) as client:
                site = Site(broker, redis_url, str(client.base_url).rstrip("/"), log, process, client)
                until(lambda: _ready(site), 120.0, "the gateway's readiness")
                yield site
        finally:
            stop(process, patience_s=25.0)


def _ready(site: Site) -> bool:
    assert site.process.poll() is None, site.log.read_text()[-3000:]
    try:
        return site.client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def fix(device_id: str, **fields: Any) -> dict[str, Any]:
    """A good fix of `device_id` as JSON would carry it."""
    return {"device_id": device_id, "fix_time": NOON, "lat": 31.2304, "lon": 121.4737, "accuracy_m": 8.0} | fields
