"""The doctor names what is missing and what mends it, and finds nothing where nothing is."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from agents import faces
from agents.agent import agents_named
from agents.faces import MissingWeights
from agents.objectstore import new_master_key
from agents.topics import create_topics
from fenceline import diagnosis
from fenceline.cli import main
from fenceline.comparing import deepface_home
from fenceline.embedded import embedded_broker, embedded_redis, free_port
from fenceline.settings import Settings, settings

Found = dict[str, tuple[str, str]]


def looked(**given: str) -> tuple[int, Found]:
    """Exit code; verdict and mend of each check."""
    environ = {f"FENCELINE_{name.upper()}": value for name, value in given.items()}
    result = CliRunner().invoke(main, ["doctor", "--json"], env=environ)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(line["what"] for line in lines)
    return result.exit_code, {line["check"]: (line["verdict"], line["mend"]) for line in lines}


def test_with_nothing_there_each_thing_is_named_with_what_mends_it(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    code, found = looked(
        broker=nowhere, redis_url=f"redis://{nowhere}/0", data_dir=str(tmp_path), twilio_from="+1", face_model="Facenet"
    )
    assert code == 1
    bad = {name for name, (verdict, _) in found.items() if verdict == "bad"}
    assert bad == {"broker", "redis", "face model", "sms"}
    assert all(found[name][1] for name in bad)
    assert found["master key"][0] == "warning"
    assert "--fetch-models" in found["face model"][1]


def test_of_a_whole_installation_it_says_that_it_is_well(tmp_path: Path) -> None:
    with embedded_broker() as broker, embedded_redis() as url:
        given = {"broker": broker, "redis_url": url, "data_dir": str(tmp_path), "master_key": new_master_key()}
        given |= {"smtp_url": "smtp://localhost"}
        store = redis.from_url(url)
        store.config_set("maxmemory-policy", "allkeys-lru")
        code, found = looked(**given)
        assert (code, found["topics"]) == (1, ("bad", "fenceline topics create"))
        assert found["redis memory"][0] == "bad"
        store.config_set("maxmemory-policy", "noeviction")
        asyncio.run(create_topics(Settings(broker=broker, partitions=4), agents_named()))
        settings.cache_clear()
        code, found = looked(**given)
        found.pop("ports")  # whatever else runs on this machine
        assert {verdict for verdict, _ in found.values()} == {"good"}
        assert code == 0


def test_a_port_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(diagnosis, "PORTS", {port: "gateway"})
        (found,) = asyncio.run(diagnosis._ports(Settings()))
    assert (found.verdict, str(port) in found.what) == ("warning", True)
    assert found.mend.startswith("fenceline gateway --port")


def test_weights_are_looked_for_where_faces_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes: list[str] = []

    def told(model: str, home: str, *, fetch: bool) -> None:
        homes.append(home)
        raise MissingWeights(model)

    monkeypatch.setattr(faces, "Examiner", told)
    given = Settings(data_dir=str(tmp_path), face_model="Facenet")
    assert diagnosis.face_model(given, fetch=True).verdict == "bad"
    assert homes == [deepface_home(given)]
