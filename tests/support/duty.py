"""A duty desk as operators run it, and all behind it: broker, Redis, worker, projector, gateway, console."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import redis

from agents.agent import agents_named
from agents.objectstore import new_master_key
from fenceline.embedded import embedded_broker, embedded_redis
from fenceline.settings import Settings, read_settings
from pipeline.credentials import digest, token_text
from schemas.credential import Credential, Role
from schemas.incident import Incident
from schemas.message import encode
from schemas.reference import Subject
from schemas.times import instant
from tests.support import homes, office
from tests.support.postal import Part
from tests.support.workers import PARTITIONS, make_topics, read_all, send_all, wait_for

AGENTS = "locate,score,alert,area,coordinate,audit"
PATIENCE_S = 180.0
NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = {"s0": "a", "s1": "a", "s2": "b", "s3": "a", "s4": "a"}
"""Who is whose."""
STAFF: Mapping[str, tuple[Role, str]] = {
    "chen": ("officer", "a"),
    "li": ("supervisor", "a"),
    "wang": ("officer", "b"),
    "ana": ("analyst", "a"),
    "s0": ("subject", ""),
    "s4": ("subject", ""),
    "feed": ("device", ""),
}


class Client(httpx.Client):
    """A browser, as far as the API can tell: cookies, and the word for changes. `me`: what it was told of itself."""

    me: Any = None

    def sign_in(self, **how: str) -> httpx.Response:
        answer = self.post("/api/v1/session", json=how)
        if answer.status_code == 200:
            self.me = answer.json()
            self.headers["x-csrf-token"] = self.me["csrf"]
        return answer


@dataclass
class House:
    """All that runs. `tokens`: by principal."""

    settings: Settings
    url: str
    parts: Mapping[str, Part]
    store: "redis.Redis"
    tokens: dict[str, str] = field(default_factory=dict)
    opened: list[httpx.Client] = field(default_factory=list)

    @property
    def broker(self) -> str:
        """Where the broker is."""
        return self.settings.broker

    def bearer(self, principal: str) -> httpx.Client:
        """A program with the token of `principal`."""
        headers = {"authorization": f"Bearer {self.tokens[principal]}"}
        self.opened.append(httpx.Client(base_url=self.url, timeout=60, headers=headers))
        return self.opened[-1]

    def browser(self, principal: str = "") -> Client:
        """A browser, signed in as `principal` if one is named."""
        client = Client(base_url=self.url, timeout=60)
        self.opened.append(client)
        if principal:
            assert client.sign_in(token=self.tokens[principal]).status_code == 200
        return client

    def forgive(self) -> None:
        """Forget failed sign-ins: all tests come from one address."""
        self.store.delete("fenceline:signin:127.0.0.1")

    def send(self, *records: tuple[str, str, bytes | None]) -> None:
        """Write (topic, key, value)s."""
        asyncio.run(send_all(self.broker, records))

    def values(self, topic: str) -> list[Any]:
        """All values of a topic."""
        found = asyncio.run(read_all(self.broker, topic))
        return [json.loads(raw.value) for raw in found if raw.value]


def eventually(ask: Callable[[], Any]) -> Any:
    """The first true thing that `ask` gives."""
    return wait_for(ask, PATIENCE_S)


def happened(name: str, kind: str, subject_id: str, **fields: Any) -> tuple[str, str, bytes]:
    """An incident of now, made by hand."""
    one = office.incident(name, 0, kind, subject_id=subject_id, agency=PEOPLE[subject_id])
    said = {"occurred_at": instant(NOW), "detected_at": instant(NOW), **fields}
    return "incidents", subject_id, encode(Incident(**{**{f: getattr(one, f) for f in one.__struct_fields__}, **said}))


def report(number: int, second: int, away_m: float) -> tuple[str, str, bytes]:
    """A fix of person `number`, so far north of home."""
    lat, lon = homes.home(number)
    at = instant(NOW - timedelta(seconds=600 - second))
    fix = {"device_id": f"d{number}", "fix_time": str(at), "lat": lat + away_m / homes.METRES_PER_DEGREE, "lon": lon}
    return "fixes", f"d{number}", json.dumps({**fix, "accuracy_m": 8.0, "battery_pct": 71}).encode()


def _token(principal: str, role: Role, agency: str) -> tuple[str, Credential]:
    token_id, secret = token_hex(5), token_hex(16)
    credential = Credential(
        token_id=token_id,
        principal=principal,
        role=role,
        agency=agency,
        device_ids=("d0",) if role == "device" else (),
        secret_sha256=digest(secret),
        created_at=instant(NOW),
    )
    return token_text(token_id, secret), credential


@contextmanager
def running_house(folder: Path) -> Iterator[House]:
    """Everything, ready: people of two agencies, and those who look after them."""
    global NOW  # noqa: PLW0603  # when this begins, not when tests were collected a quarter of an hour before
    NOW = datetime.now(UTC).replace(microsecond=0)
    with embedded_broker() as broker, embedded_redis() as redis_url:
        make_topics(broker, agents_named(AGENTS.split(",")))
        asyncio.run(homes.introduce(broker, len(PEOPLE), PARTITIONS))
        tokens = {name: _token(name, *what) for name, what in STAFF.items()}
        subjects = [Subject(subject_id=name, agency=agency, case_ref=f"C-{name}") for name, agency in PEOPLE.items()]
        records: list[tuple[str, str, bytes | None]] = [
            *(("subjects", one.subject_id, encode(one)) for one in subjects),
            *(("credentials", one.token_id, encode(one)) for _, one in tokens.values()),
        ]
        asyncio.run(send_all(broker, records))
        environ = {
            "broker": broker,
            "redis_url": redis_url,
            "partitions": str(PARTITIONS),
            "data_dir": str(folder),
            "worker_session_timeout_s": "6",
            "master_key": new_master_key(),
            "console_secure_cookies": "false",
        }
        parts = {
            "worker": Part(folder, ("worker", "--agents", AGENTS), environ),
            "project": Part(folder, ("project",), environ),
            "gateway": Part(folder, ("gateway",), environ),
        }
        try:
            for part in parts.values():
                part.start()
            environ["console_gateway"] = parts["gateway"].url
            parts["console"] = Part(folder, ("console",), environ).start()
            for part in parts.values():
                part.ready()
            settings = read_settings({f"FENCELINE_{name.upper()}": value for name, value in environ.items()})
            secrets = {name: token for name, (token, _) in tokens.items()}
            house = House(settings, parts["console"].url, parts, redis.from_url(redis_url), secrets)
            yield house
            for one in (*house.opened, house.store):
                one.close()
        finally:
            for part in parts.values():
                if part.port:
                    part.stop()
