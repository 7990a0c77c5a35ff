"""Who is on duty in the demo, and what they do about one person's breach; officers of flesh are impatient."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.alert import Alert
from schemas.command import AcceptTask, AcknowledgeAlert, Command, CreateTask, ResolveAlert
from schemas.ids import event_id
from schemas.reference import Window
from schemas.roster import Roster, Shift
from schemas.task import Task
from schemas.times import instant

OFFICER, SECOND, CHIEF, PATROL = "officer-lin", "officer-zhou", "supervisor-song", "patrol-wu"
JUSTICE, POLICE = "justice-bureau", "police"
NUMBERS: Mapping[str, str] = {
    OFFICER: "+8613800000001",
    SECOND: "+8613800000002",
    CHIEF: "+8613800000003",
    PATROL: "+8613800000004",
}
"""Made up; the messages go to a stand-in on this machine."""

LOOKS_AFTER_S = 2.0
ROUND_THE_CLOCK = (Window(start="00:00", end="24:00"),)


def rosters(pushed: Mapping[str, str]) -> list[Roster]:
    """Who is told of what, round the clock. `pushed`: the push subscription of each who is not reached by SMS."""

    def roster(agency: str, audience: str, *people: str) -> Roster:
        contacts = {one: {"web_push": pushed[one]} if one in pushed else {"sms": NUMBERS[one]} for one in people}
        return Roster(
            roster_id=f"{agency}-{audience}",
            agency=agency,
            audience=audience,  # type: ignore[arg-type]  # one of the three, as below
            shifts=(Shift(name="demo", windows=ROUND_THE_CLOCK, people=people),),
            contacts=contacts,
            languages=dict.fromkeys(people, "en"),
        )

    return [
        roster(JUSTICE, "officer", OFFICER, SECOND),
        roster(JUSTICE, "supervisor", CHIEF),
        roster(POLICE, "officer", PATROL),
    ]


@dataclass(slots=True)
class Office:
    """The people on duty, who look after `subject_id`: `give` puts a command on its topic."""

    subject_id: str
    give: Callable[[Command], Awaitable[None]]
    looks_after_s: float = LOOKS_AFTER_S
    _seen: set[str] = field(default_factory=set)

    async def alert_seen(self, alert: Alert) -> None:
        """An alert changed: it is acknowledged once it reached the officer, and resolved once the person is back."""
        if alert.subject_id != self.subject_id or alert.rule != "breach":
            return
        if alert.event == "delivered" and self._first("acknowledge", alert.alert_id):
            await asyncio.sleep(self.looks_after_s)
            who = self._who("acknowledge", alert.alert_id, OFFICER, JUSTICE)
            await self.give(AcknowledgeAlert(**who, alert_id=alert.alert_id))
            if self._first("visit", self.subject_id):
                await self.give(self._visit(alert))
        if alert.ended_at is not None and alert.state == "acknowledged" and self._first("resolve", alert.alert_id):
            await asyncio.sleep(self.looks_after_s)
            who = self._who("resolve", alert.alert_id, OFFICER, JUSTICE)
            await self.give(ResolveAlert(**who, alert_id=alert.alert_id, outcome="true_breach"))

    async def task_seen(self, task: Task) -> None:
        """What the police are asked for is accepted."""
        if task.subject_id == self.subject_id and task.agency == POLICE and self._first("accept", task.task_id):
            await asyncio.sleep(self.looks_after_s)
            await self.give(AcceptTask(**self._who("accept", task.task_id, PATROL, POLICE), task_id=task.task_id))

    def _visit(self, alert: Alert) -> CreateTask:
        return CreateTask(
            **self._who("visit", alert.alert_id, OFFICER, JUSTICE),
            task_kind="visit",
            to_agency=POLICE,
            title=f"Go and see: {alert.fence_name or alert.fence_id}",
            severity=alert.severity,
            alert_id=alert.alert_id,
        )

    def _first(self, what: str, about: str) -> bool:
        done = f"{what} {about}"
        if done in self._seen:
            return False
        self._seen.add(done)
        return True

    def _who(self, what: str, about: str, by: str, agency: str) -> dict[str, Any]:
        """What every command says; the same act has the same id."""
        return {
            "command_id": event_id("demo", what, about),
            "subject_id": self.subject_id,
            "by": by,
            "role": "officer",
            "agency": agency,
            "at": instant(datetime.now(UTC)),
        }
