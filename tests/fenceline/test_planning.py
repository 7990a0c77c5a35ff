"""Random check-ins can be audited: the hash of the seed stands in the plan; when it is told, anybody draws anew."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.objectstore import Vault
from fenceline.entries import read_entries
from fenceline.loading import load, plans_there
from fenceline.planning import StillRuns, audit, reveal
from pipeline.identity.plan import Slot, slots
from schemas.checkin import CheckinCall
from schemas.message import Invalid, encode
from schemas.plan import CheckinPlan
from schemas.times import instant
from tests.support.workers import make_topics, send_all


def _ago(**span: float) -> str:
    return str(instant(datetime.now(UTC) - timedelta(**span)))


def _entry(**fields: Any) -> bytes:
    sampling = {"per_day": 2, "hours": [{"start": "08:00", "end": "20:00"}]}
    plan = {"plan_id": "p", "subject_id": "s", "time_zone": "Asia/Shanghai", "starts_at": _ago(days=5)}
    return msgspec.json.encode(plan | {"fixed": [{"at": "12:00"}], "sampling": sampling} | fields)


def _call(slot: Slot) -> tuple[str, str, bytes]:
    call = CheckinCall(
        call_id=f"c-{slot.slot_id}",
        slot_id=slot.slot_id,
        subject_id="s",
        plan_id="p",
        event="called",
        at=slot.opens_at,
        opens_at=slot.opens_at,
        closes_at=slot.closes_at,
    )
    return "checkin-calls", "s", encode(call)


async def _load(broker: str, vault: Vault, **fields: Any) -> CheckinPlan:
    good, bad = read_entries(_entry(**fields), "plans")
    assert not bad, bad
    await load("plans", good, broker, vault.seal_seed)
    return (await plans_there(broker))["s"]


def test_the_seed_is_drawn_once_sealed_told_at_the_end_and_audited(broker: str, tmp_path: Path) -> None:
    make_topics(broker, ())
    asyncio.run(_run(broker, Vault(str(tmp_path), bytes(32))))


async def _run(broker: str, vault: Vault) -> None:
    plan = await _load(broker, vault)
    again = await _load(broker, vault, tracker_id="b-1")
    assert plan.sampling is not None
    assert again.sampling == plan.sampling, "nobody draws again until the times please them"
    assert not plan.sampling.seed
    with pytest.raises(StillRuns):
        await reveal(broker, "s", vault)
    with pytest.raises(Invalid, match="not published"):
        await audit(broker, "s")

    plan = await _load(broker, vault, ends_at=_ago(minutes=1))
    assert plan.ends_at is not None
    seed = vault.open_seed("p", plan.sampling.sealed)  # type: ignore[union-attr]
    every = slots(plan, seed, plan.starts_at, plan.ends_at)
    await send_all(broker, [_call(slot) for slot in every])
    told = await reveal(broker, "s", vault)
    assert told["seed"] == seed.hex()
    *lines, sums = await audit(broker, "s")
    drawn = [slot for slot in every if slot.kind == "random"]
    assert len(drawn) >= 8
    assert [line["slot_id"] for line in lines] == [slot.slot_id for slot in drawn]
    assert (sums["drawn"], sums["called"], sums["fair"]) == (len(drawn), len(drawn), True)

    made_up = msgspec.structs.replace(drawn[0], slot_id="made-up")
    await send_all(broker, [_call(made_up)])
    *lines, sums = await audit(broker, "s")
    assert (sums["not_drawn"], sums["fair"]) == (1, False)
    assert [line["slot_id"] for line in lines if not line["drawn"]] == ["made-up"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"time_zone": "Mars/Base"}, "$.time_zone"),
        ({"fixed": [{"at": "25:00"}]}, "$.fixed[0].at"),
        ({"sampling": None, "fixed": []}, "$"),
        ({"sampling": {"hours": [{"start": "08:00", "end": "20:00"}], "seed_sha256": "1" * 64}}, "$.sampling.seed"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_not_loaded(fields: dict[str, Any], field: str) -> None:
    good, bad = read_entries(_entry(**fields), "plans")
    assert not good
    assert field in (bad[0].why.field or "$")
