"""How is a plan's seed told when the plan is over, and how does anybody check the times that were drawn from it?"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.objectstore import Vault
from fenceline.history import records
from fenceline.loading import plans_there
from fenceline.sending import Letter, deliver
from pipeline.identity.plan import Slot, check, slots
from schemas.checkin import CheckinCall
from schemas.ids import event_id
from schemas.message import Invalid, decode
from schemas.plan import CheckinPlan
from schemas.topics import CHECKIN_CALLS, CHECKIN_PLANS


class StillRuns(Exception):
    """The plan is not over: who knows its seed knows when the next check-in comes."""


async def _plan(broker: str, subject_id: str) -> CheckinPlan:
    plan = (await plans_there(broker)).get(subject_id)
    if plan is None:
        raise Invalid(f"there is no plan for {subject_id}")
    if plan.sampling is None:
        raise Invalid(f"the plan of {subject_id} has no random times")
    return plan


async def reveal(broker: str, subject_id: str, vault: Vault) -> dict[str, Any]:
    """Publish the seed of the person's plan; what was published.

    Raises:
        StillRuns: the plan is not over.
        Damaged: the master key is not the one that the seed was sealed with.
        Invalid: there is no such plan.
    """
    plan = await _plan(broker, subject_id)
    assert plan.sampling is not None  # noqa: S101  # seen above
    if plan.ends_at is None or plan.ends_at > datetime.now(UTC):
        raise StillRuns(f"the plan {plan.plan_id} of {subject_id} runs until {plan.ends_at or 'further notice'}")
    seed = plan.sampling.seed or vault.open_seed(plan.plan_id, plan.sampling.sealed).hex()
    opened = msgspec.structs.replace(plan, sampling=msgspec.structs.replace(plan.sampling, seed=seed))
    check(opened)
    await deliver(broker, [Letter(CHECKIN_PLANS.name, subject_id, event_id("seed", plan.plan_id, seed), opened)])
    return {"plan_id": plan.plan_id, "subject_id": subject_id, "seed": seed, "seed_sha256": plan.sampling.seed_sha256}


async def audit(broker: str, subject_id: str) -> list[dict[str, Any]]:
    """A line for each random check-in that was called, or drawn and not called; the last line has the sums.

    Raises:
        Invalid: there is no such plan, its seed is not published, or is not the one whose hash was.
    """
    plan = await _plan(broker, subject_id)
    assert plan.sampling is not None  # noqa: S101  # seen above
    if not plan.sampling.seed:
        raise Invalid("the seed is not published yet; it is when the plan is over (fenceline identity reveal-seed)")
    check(plan)
    until = plan.ends_at or datetime.now(UTC)
    every = slots(plan, bytes.fromhex(plan.sampling.seed), plan.starts_at, until)
    drawn = {slot.slot_id: slot for slot in every if slot.kind == "random"}
    others = {slot.slot_id for slot in every} - drawn.keys()
    called: dict[str, CheckinCall] = {}
    async for chunk in records(broker, CHECKIN_CALLS.name, plan.starts_at):
        for record in chunk:
            if record.key == subject_id.encode():
                call = decode(record.value, CheckinCall)
                if call.event == "called" and call.plan_id == plan.plan_id and call.slot_id not in others:
                    called[call.slot_id] = call
    lines: list[dict[str, Any]] = []
    both: list[Slot | CheckinCall] = [*drawn.values(), *called.values()]
    for opens_at, slot_id in sorted({(one.opens_at, one.slot_id) for one in both}):
        was = {"drawn": slot_id in drawn, "called": slot_id in called}
        lines.append({"slot_id": slot_id, "opens_at": str(opens_at), **was})
    made_up = len(called.keys() - drawn.keys())
    sums = {"drawn": len(drawn), "called": len(called), "not_drawn": made_up, "fair": made_up == 0}
    return [*lines, {"plan_id": plan.plan_id, "seed_sha256": plan.sampling.seed_sha256, **sums}]
