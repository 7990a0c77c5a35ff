"""docker-compose.yml says only what the program understands, and holds no password of its own."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fenceline.cli import COMMANDS
from fenceline.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
OURS = {
    name: service for name, service in COMPOSE["services"].items() if service.get("image", "").startswith("fenceline")
}


def test_there_is_a_broker_a_redis_workers_and_a_gateway() -> None:
    assert {"kafka", "redis", "topics", "worker", "gateway"} <= COMPOSE["services"].keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_part_is_a_command_of_the_program_with_settings_it_knows(name: str) -> None:
    service = OURS[name]
    assert service["command"][0] in COMMANDS
    for variable in service["environment"]:
        assert variable.removeprefix("FENCELINE_").lower() in Settings.__struct_fields__


def test_secrets_come_from_outside_and_must_be_given() -> None:
    for line in TEXT.splitlines():
        if re.search(r"PASSWORD|MASTER_KEY|REDISCLI_AUTH", line) and not line.lstrip().startswith("#"):
            assert ":?" in line, f"a secret without a source: {line}"
    given = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    assert all(value == "" for value in given.values())
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == set(given)


def test_what_keeps_data_has_a_volume_and_what_serves_is_watched() -> None:
    for name in ("kafka", "redis"):
        assert COMPOSE["services"][name]["volumes"]
    for name in ("kafka", "redis", "gateway", "worker", "project", "console", "notifier"):
        assert COMPOSE["services"][name]["healthcheck"]["test"]


def test_the_image_holds_every_package_and_no_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for package in ("schemas", "fences", "pipeline", "agents", "gateway", "console", "fenceline"):
        assert f"COPY {package} {package}" in dockerfile
    assert re.search(r"^USER (?!root)", dockerfile, re.MULTILINE)
