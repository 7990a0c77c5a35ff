"""The notifier's rule and real channels put together, with time moved by hand: hours pass in a second."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web
from twilio.request_validator import RequestValidator

from agents.channels.channel import Channel
from agents.claims import Claim
from agents.delivery import Delivery
from agents.notify import contacts
from fenceline.twilio_standin import TwilioStandIn
from pipeline.channels.contacts import Contacts
from pipeline.channels.decide import Outbox, decide
from pipeline.channels.receipts import twilio_receipt
from pipeline.keyed import KeyedCore
from pipeline.step import Emission, Record
from schemas.alert import Alert
from schemas.message import convert, encode
from schemas.notification import Notification, Report
from schemas.reference import Subject
from schemas.roster import Roster
from schemas.times import instant

OFFICER = "+8613800000001"
DO = ("sending", "checking")


class Notebook:
    """Notes on attempts, in this process."""

    def __init__(self) -> None:
        self.notes: dict[str, Report | None] = {}

    async def begin(self, attempt_id: str) -> Claim:
        if attempt_id in self.notes:
            return Claim(is_ours=False, report=self.notes[attempt_id])
        self.notes[attempt_id] = None
        return Claim(is_ours=True)

    async def finish(self, attempt_id: str, report: Report) -> None:
        self.notes[attempt_id] = report


def alert(name: str = "a1", *recipients: str, now: datetime, **fields: Any) -> Alert:
    """An alert that tells `recipients` (officers of the justice bureau) about s1."""
    notices = [
        {
            "notice_id": f"{name}/{who}",
            "audience": "officer",
            "recipient": who,
            "agency": "justice",
            "template": "tamper.raised",
            "urgent": True,
        }
        for who in recipients or ("o1",)
    ]
    known = {
        "alert_id": name,
        "change_id": f"{name}/1",
        "seq": 1,
        "event": "raised",
        "state": "open",
        "at": str(instant(now)),
        "subject_id": "s1",
        "agency": "justice",
        "rule": "tamper",
        "severity": "critical",
        "incident_type": "device.tamper",
        "raised_at": str(instant(now)),
        "first_occurred_at": str(instant(now)),
        "last_occurred_at": str(instant(now)),
        "tell": notices,
    }
    return convert({**known, **fields}, Alert)


class Mailroom:
    """One person's messages. `channels`: real ones. `rules`: changes to the rules that come with the program."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        addresses: Mapping[str, str] | None = None,
        twilio: TwilioStandIn | None = None,
        rules: Mapping[str, Any] | None = None,
    ) -> None:
        self.now: datetime = instant(datetime.now(UTC))
        self.began = self.now
        self.twilio = twilio
        self.known: Contacts = contacts()
        if rules:
            default = self.known.rules.at(self.now)
            self.known = Contacts(msgspec.structs.replace(default, **rules))
        self.reach("o1", {"sms": OFFICER} if addresses is None else addresses)
        subject = Subject(subject_id="s1", agency="justice", case_ref="2026-0412", contacts={"sms": "+8613900000009"})
        assert self.known.learn("subjects", b"s1", encode(subject), self.now) is None
        self.core = KeyedCore(decide, Outbox, self.known)
        self.notebook = Notebook()
        self.channels = channels
        self.delivery = Delivery(channels, self.known, self.notebook, patience_s=0.0, now=lambda: self.now)
        self.records: list[Notification] = []
        self.dead: list[Notification] = []
        self.attempts: list[tuple[float, str]] = []
        self.called: asyncio.Queue[Report] = asyncio.Queue()
        self.meanwhile: Callable[[float], None] = lambda _: None
        self._to_do: list[Notification] = []
        self._offsets: dict[str, int] = {}

    def reach(self, who: str, addresses: Mapping[str, str], language: str = "en") -> None:
        """Give somebody addresses."""
        roster = Roster(roster_id=who, agency="justice", contacts={who: dict(addresses)}, languages={who: language})
        assert self.known.learn("rosters", who.encode(), encode(roster), self.now) is None

    @property
    def seconds(self) -> float:
        """How long it has been, by the time that is moved."""
        return (self.now - self.began).total_seconds()

    def tell(self, topic: str, message: Any, key: str = "s1") -> None:
        """A record now."""
        offset = self._offsets[topic] = self._offsets.get(topic, -1) + 1
        self._take(
            self.core.apply([Record(topic, 0, offset, key.encode(), encode(message), self.now.timestamp())], self.now)
        )

    def _take(self, emissions: Sequence[Emission]) -> None:
        for emission in emissions:
            assert emission.topic in ("notifications", "notifications.dead"), emission
            if emission.topic == "notifications.dead":
                self.dead.append(emission.message)
                continue
            self.records.append(emission.message)
            self._to_do = [one for one in self._to_do if one.notification_id != emission.message.notification_id]
            if emission.message.state in DO:
                self._to_do.append(emission.message)

    async def quiet(self) -> None:
        """Let the far side say all that it has to say now."""
        while self.twilio is not None and self.twilio.is_calling:
            await asyncio.sleep(0.005)
        while not self.called.empty():
            self.tell("notification-reports", self.called.get_nowait())

    async def work(self) -> None:
        """Make all attempts that are due now."""
        await self.quiet()
        while self._to_do:
            one = self._to_do.pop(0)
            self.attempts.append((self.seconds, one.channel or ""))
            self.tell("notification-reports", await self.delivery.attempt(one))
            await self.quiet()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, with all that falls due in it."""
        until = self.now + timedelta(seconds=seconds)
        await self.work()
        while (due := self.core.next_wake()) is not None and due <= until:
            self.now = max(self.now, due)
            self.meanwhile(self.seconds)
            self._take(self.core.wake(self.now))
            await self.work()
        self.now = until
        self.meanwhile(self.seconds)

    def states(self, notification_id: str = "") -> list[str]:
        """What a message went through (the only one, unless named)."""
        return [one.state for one in self.records if notification_id in ("", one.notification_id)]

    @property
    def last(self) -> Notification:
        """The latest record."""
        return self.records[-1]


@asynccontextmanager
async def receiving_calls(room_of: Callable[[], Mailroom], auth_token: str) -> AsyncIterator[str]:
    """Twilio's status callbacks, checked by Twilio's own validator; yields the URL for them."""
    validator = RequestValidator(auth_token)

    async def called(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not validator.validate(str(request.url), form, request.headers.get("X-Twilio-Signature", "")):
            return web.Response(status=403)
        room = room_of()
        room.called.put_nowait(twilio_receipt(dict(request.query), form, room.now))
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.post("/v1/callbacks/twilio", called)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.2)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/callbacks/twilio"
    finally:
        await runner.cleanup()
