"""Leaves and outages, judged by a running worker on the embedded broker."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.agent import agents_named
from schemas.message import encode
from schemas.outage import AreaPulse, Outage, Pulse
from schemas.reference import Leave
from schemas.times import instant
from schemas.topics import INCIDENTS, LEAVE_CHANGES, OUTAGES, PULSES
from tests.support.workers import WorkerProcess, follow, make_topics, send_all


@pytest.fixture
def worker(broker: str, tmp_path: Path) -> Iterator[WorkerProcess]:
    make_topics(broker, agents_named())
    worker = WorkerProcess(
        broker, tmp_path, ["-m", "fenceline", "worker", "--agents", "watch,outage", "--health-port"],
        worker_session_timeout_s="6",
    )  # fmt: skip
    worker.start()
    worker.wait_ready()
    yield worker
    worker.kill()


async def test_a_leave_starts_and_ends_by_the_clock_and_an_outage_is_known_at_once(
    broker: str, worker: WorkerProcess
) -> None:
    now = instant(datetime.now(UTC))
    leave = Leave(
        leave_id="l-1", subject_id="s-1", starts_at=now + timedelta(seconds=2), ends_at=now + timedelta(seconds=4),
        state="approved",
    )  # fmt: skip
    minute = int(now.timestamp() // 60)
    areas = (AreaPulse(area="carrier:460-00", devices=4, quiet={minute: 4}),)
    pulses = [Pulse(source=f"locate/{n}", at=now, areas=areas) for n in range(2)]
    await send_all(
        broker,
        [
            (LEAVE_CHANGES.name, leave.subject_id, encode(leave)),
            *((PULSES.name, pulse.source, encode(pulse)) for pulse in pulses),
        ],
    )

    def enough(found: Any) -> bool:
        return len(found[INCIDENTS.name]) >= 2 and len(found[OUTAGES.name]) >= 1

    found = await follow(broker, [INCIDENTS.name, OUTAGES.name], enough, within_s=90)
    incidents = [json.loads(raw.value) for raw in found[INCIDENTS.name]]
    assert [(i["type"], i["occurred_at"]) for i in incidents] == [
        ("leave.started", str(leave.starts_at)),
        ("leave.ended", str(leave.ends_at)),
    ]
    outage = json.loads(found[OUTAGES.name][0].value)
    assert (outage["area"], outage["quiet"], outage["devices"]) == ("carrier:460-00", 8, 8)
    assert found[OUTAGES.name][0].key.decode() == outage["outage_id"]
    assert set(outage) <= set(Outage.__struct_fields__)
