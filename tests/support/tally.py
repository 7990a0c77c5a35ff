"""A small agent for tests of the runtime: counts each device's fixes, and says when ten more have come, or none did.

Run as a program it is a worker of this agent: ``python -m tests.support.tally``.
"""

import asyncio
import logging
import sys
from datetime import datetime, timedelta
from typing import Any

import msgspec
import uvloop

from agents import agent as registry
from agents.agent import Agent
from agents.app import Worker
from fenceline import logs
from fenceline.settings import settings
from pipeline.keyed import KeyedCore
from pipeline.step import Emission, Record, Step, Wake
from schemas.fix import decode_fixes
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import Invalid
from schemas.times import Instant, instant
from schemas.topics import FENCES, FIXES, INCIDENTS

EVERY = 10
QUIET_S = 3.0


class Count(msgspec.Struct, frozen=True):
    fixes: int
    last: Instant
    total_lat: float


class Noted:
    """Knowledge that remembers the keys it was told."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}

    def learn(self, topic: str, key: bytes, value: bytes | None, at: datetime) -> Invalid | None:
        if value is None:
            self.keys.pop(key.decode(), None)
            return None
        try:
            self.keys[key.decode()] = msgspec.json.decode(value)["properties"]["name"]
        except (msgspec.MsgspecError, KeyError, TypeError) as error:
            return Invalid(f"not a named fence: {error!r}")
        return None


def incident(key: str, kind: Any, at: datetime, **evidence: Any) -> Emission:
    emission_id = event_id(kind, key, instant(at), evidence.get("fixes"))
    return Emission(
        INCIDENTS.name,
        key,
        Incident(incident_id=emission_id, type=kind, subject_id=key, occurred_at=at, detected_at=at, evidence=evidence),
        emission_id,
    )


def decide(key: str, state: Count | None, event: Record | Wake, reference: Noted, now: datetime) -> Step[Count]:
    if isinstance(event, Wake):
        assert state is not None
        return Step(state, (incident(key, "device.silent", state.last, fixes=state.fixes),))
    fixes = decode_fixes(event.value)
    count = Count(0, instant(fixes[0].fix_time), 0.0) if state is None else state
    emissions = []
    for fix in fixes:
        if "explode" in fix.alarms:
            raise RuntimeError("a fault in the rule")
        count = Count(count.fixes + 1, instant(fix.fix_time), count.total_lat + fix.lat)
        if count.fixes % EVERY == 0:
            emissions.append(
                incident(
                    key, "passage", fix.fix_time, fixes=count.fixes, total_lat=round(count.total_lat, 6),
                    fence=reference.keys.get("f1", ""),
                )
            )  # fmt: skip
    return Step(count, tuple(emissions), now + timedelta(seconds=QUIET_S))


AGENT = Agent(
    name="tally",
    inputs=(FIXES,),
    outputs=(INCIDENTS,),
    reference=(FENCES,),
    knowledge=Noted,
    core=lambda _, noted: KeyedCore(decide, Count, noted),
)


def main() -> int:
    registry.AGENTS["tally"] = __name__
    logs.configure(logging.INFO)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Worker(settings(), [AGENT], port).run())


if __name__ == "__main__":
    sys.exit(main())
