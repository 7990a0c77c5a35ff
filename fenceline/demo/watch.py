"""What the demo reads and prints: breaches as they stand on their topic, and one person's story to its end."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from fenceline.demo.chapters import Chapters
from fenceline.demo.office import Office
from fenceline.demo.story import Story
from fenceline.twilio_standin import TwilioStandIn
from pipeline.explain.sentences import sentence
from schemas.alert import Alert
from schemas.fix import decode_fixes
from schemas.incident import Incident
from schemas.message import decode
from schemas.notification import Notification
from schemas.score import Score
from schemas.task import Task
from schemas.topics import ALERTS, FIXES, INCIDENTS, NOTIFICATIONS, SCORES, TASKS

Say = Callable[[str], None]

REJECTED = f"{FIXES.name}.rejected"
LOOK_S = 0.1


class Watch:
    """A reader like any analyst, and the people on duty, who act on what they read."""

    def __init__(self, broker: str, story: Story, chapters: Chapters, office: Office, say: Say) -> None:
        self._broker = broker
        self._story = story
        self._chapters = chapters
        self._office = office
        self._say = say
        self._acts: asyncio.TaskGroup | None = None

    async def read(self) -> None:
        """Read all topics of interest from their beginning until cancelled."""
        topics = (FIXES, INCIDENTS, ALERTS, NOTIFICATIONS, SCORES, TASKS)
        consumer = AIOKafkaConsumer(
            REJECTED, *(one.name for one in topics), bootstrap_servers=self._broker, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            async with asyncio.TaskGroup() as self._acts:
                async for message in consumer:
                    self._seen(message)
        finally:
            await consumer.stop()

    async def look_at(self, twilio: TwilioStandIn) -> None:
        """Tell of each SMS that Twilio's stand-in accepts, until cancelled."""
        seen = 0
        while True:
            for message in twilio.messages[seen:]:
                self.tell(self._chapters.sms_seen(message.to, message.body))
            seen = len(twilio.messages)
            await asyncio.sleep(LOOK_S)

    def tell(self, line: str | None) -> None:
        """Print a line of the story, if there is one."""
        if line is not None:
            self._say(f"{datetime.now(UTC):%H:%M:%S}    case {self._chapters.case_ref}: {line}")

    def _seen(self, message: Any) -> None:
        if message.topic == FIXES.name:
            for fix in decode_fixes(message.value):
                self._story.fix_seen(fix)
        elif message.topic == INCIDENTS.name:
            self._incident_seen(decode(message.value, Incident), message.timestamp / 1000)
        elif message.topic == ALERTS.name:
            alert = decode(message.value, Alert)
            self._story.alert_seen(alert)
            self.tell(self._chapters.alert_seen(alert))
            self._act(self._office.alert_seen(alert))
        elif message.topic == NOTIFICATIONS.name:
            notification = decode(message.value, Notification)
            self._story.message_seen(notification)
            self.tell(self._chapters.message_seen(notification))
        elif message.topic == SCORES.name:
            self.tell(self._chapters.score_seen(decode(message.value, Score)))
        elif message.topic == TASKS.name:
            task = decode(message.value, Task)
            self.tell(self._chapters.task_seen(task))
            self._act(self._office.task_seen(task))
        else:
            self._story.rejected += 1
            self._say(f"{datetime.now(UTC):%H:%M:%S}  refused: {msgspec.json.decode(message.value)['reason']}")

    def _incident_seen(self, incident: Incident, written_at_s: float) -> None:
        if self._story.incident_seen(incident, written_at_s):
            delay_s = (incident.detected_at - incident.occurred_at).total_seconds()
            self._say(f"{datetime.now(UTC):%H:%M:%S}  {sentence(incident)} Settled {delay_s:.0f} s after it happened.")

    def _act(self, act: Any) -> None:
        assert self._acts is not None  # noqa: S101  # open while anything is read
        self._acts.create_task(act)
