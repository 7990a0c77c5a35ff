"""Tracks of real people through a running worker: what `replay` says of them, and what brute force says too."""

import asyncio
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from agents.agent import agents_named
from fenceline.embedded import embedded_broker
from gateway.frames import partition_of
from schemas.fix import Fix
from schemas.message import encode
from schemas.topics import ACTIVATIONS, FENCES, FIXES, INCIDENTS
from tests.support.geolife import Episode, episodes, read_tracks, zones
from tests.support.workers import PARTITIONS, WorkerProcess, follow, make_topics

SURE_S, SURE_M = 180.0, 100.0
FRAME = 50
SLACK_S = 30.0


@pytest.fixture(scope="module")
def tracks(real_tracks: Path) -> dict[str, list[Fix]]:
    return read_tracks(real_tracks)


@pytest.fixture(scope="module")
def reference(tracks: dict[str, list[Fix]]) -> dict[str, list[dict[str, Any]]]:
    fences = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [zone.lon, zone.lat]},
            "properties": {
                "fence_id": zone.fence_id,
                "rule": zone.rule,
                "subjects": [f"person-{device}"],
                "datum": "wgs84",
                "buffer_m": zone.radius_m,
                "effective_from": "2008-01-01T00:00:00Z",
            },
        }
        for device, fixes in tracks.items()
        for zone in zones(device, fixes)
    ]
    activations = [
        {
            "activation_id": f"activation-{device}",
            "device_id": device,
            "subject_id": f"person-{device}",
            "order_id": "order",
            "agency": "default",
            "starts_at": "2008-01-01T00:00:00Z",
        }
        for device in tracks
    ]
    return {"fences": fences, "activations": activations}


@pytest.fixture(scope="module")
def by_worker(
    tracks: dict[str, list[Fix]], reference: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """Incidents of a running worker."""
    with embedded_broker() as broker:
        make_topics(broker, agents_named(["locate"]))
        asyncio.run(_send(broker, _reference_records(reference)))
        worker = WorkerProcess(
            broker,
            tmp_path_factory.mktemp("worker"),
            ["-m", "fenceline", "worker", "--agents", "locate", "--health-port"],
        )
        worker.start()
        try:
            worker.wait_ready()
            asyncio.run(_send(broker, _frames(tracks)))
            expected = len(_by_replay(tracks, reference, tmp_path_factory.mktemp("replay")))
            found = asyncio.run(follow(broker, [INCIDENTS.name], lambda got: len(got[INCIDENTS.name]) >= expected, 60))
        finally:
            worker.kill()
    return [json.loads(raw.value) for raw in found[INCIDENTS.name]]


@pytest.fixture(scope="module")
def by_replay(
    tracks: dict[str, list[Fix]], reference: dict[str, list[dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    return _by_replay(tracks, reference, tmp_path_factory.mktemp("replay"))


def _by_replay(
    tracks: dict[str, list[Fix]], reference: dict[str, list[dict[str, Any]]], folder: Path
) -> list[dict[str, Any]]:
    (folder / "fences.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": reference["fences"]}))
    (folder / "subjects.json").write_text(json.dumps(reference["activations"]))
    (folder / "fixes.ndjson").write_bytes(b"\n".join(encode(fix) for fixes in tracks.values() for fix in fixes))
    where = ["--fences", folder / "fences.geojson", "--subjects", folder / "subjects.json", folder / "fixes.ndjson"]
    done = subprocess.run(
        [sys.executable, "-m", "fenceline", "replay", *where],
        check=True,
        capture_output=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _reference_records(reference: dict[str, list[dict[str, Any]]]) -> list[tuple[str, int | None, str, bytes]]:
    fences = [
        (FENCES.name, None, one["properties"]["fence_id"], json.dumps(one).encode()) for one in reference["fences"]
    ]
    activations = [
        (ACTIVATIONS.name, partition_of(one["device_id"], PARTITIONS), one["activation_id"], json.dumps(one).encode())
        for one in reference["activations"]
    ]
    return [*fences, *activations]


def _frames(tracks: dict[str, list[Fix]]) -> list[tuple[str, int | None, str, bytes]]:
    return [
        (FIXES.name, None, device, encode(fixes[begin : begin + FRAME]))
        for device, fixes in tracks.items()
        for begin in range(0, len(fixes), FRAME)
    ]


async def _send(broker: str, records: list[tuple[str, int | None, str, bytes]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker, acks="all")
    await producer.start()
    try:
        for topic, partition, key, value in records:
            await producer.send(topic, value, key=key.encode(), partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


def opened(incidents: list[dict[str, Any]], fence_id: str) -> list[dict[str, Any]]:
    return [one for one in incidents if one["type"] == "breach.opened" and one["fence_id"] == fence_id]


def said(incidents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Incidents about where people were, by id, without the one field that may differ."""
    return {
        one["incident_id"]: {name: value for name, value in one.items() if name != "emitted_at"}
        for one in incidents
        if one["type"].startswith(("breach.", "passage"))
    }


def within(incident: dict[str, Any], episode: Episode) -> bool:
    at = datetime.fromisoformat(incident["occurred_at"])
    return (episode.last_allowed - at).total_seconds() <= SLACK_S and at <= episode.until


def test_the_worker_says_what_replay_says(by_worker: list[dict[str, Any]], by_replay: list[dict[str, Any]]) -> None:
    assert len(said(by_replay)) >= 10
    assert said(by_worker) == said(by_replay)


def test_each_clear_breach_is_found(by_worker: list[dict[str, Any]], tracks: dict[str, list[Fix]]) -> None:
    """Brute force, fix by fix, by geodesics: three minutes on the wrong side, and 100 m deep, must be found."""
    clear = 0
    for device, fixes in tracks.items():
        for zone in zones(device, fixes):
            for episode in episodes(fixes, zone):
                if episode.lasted_s >= SURE_S and episode.deepest_m >= SURE_M:
                    clear += 1
                    found = opened(by_worker, zone.fence_id)
                    assert any(within(one, episode) for one in found), f"{zone} {episode} was missed: {found}"
    assert clear >= 10


def test_no_breach_is_made_up(by_worker: list[dict[str, Any]], tracks: dict[str, list[Fix]]) -> None:
    for device, fixes in tracks.items():
        for zone in zones(device, fixes):
            real = episodes(fixes, zone)
            for one in opened(by_worker, zone.fence_id):
                assert any(within(one, episode) for episode in real), f"{zone}: {one}"
