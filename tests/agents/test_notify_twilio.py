"""Twilio on its bad days: every message ends delivered or dead with a reason, and none is sent twice."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from agents.channels.twilio_sms import TwilioSms
from agents.delivery import Delivery
from fenceline.twilio_standin import Fault, TwilioStandIn, serve
from schemas.notification import Report
from schemas.times import instant
from tests.support.mailroom import OFFICER, Mailroom, Notebook, alert, receiving_calls

MINUTES = 60.0
HOURS = 3600.0


@asynccontextmanager
async def mailroom(*, callbacks: bool = True, addresses: dict[str, str] | None = None) -> AsyncIterator[Mailroom]:
    twilio = TwilioStandIn(callback_delay_s=0.0)
    runner = await serve(twilio)
    room: Mailroom
    async with receiving_calls(lambda: room, twilio.auth_token) as url:
        channel = TwilioSms(
            twilio.account_sid,
            twilio.auth_token,
            "+15005550006",
            callback_url=url if callbacks else "",
            base_url=twilio.base_url,
            timeout_s=0.4,
        )
        room = Mailroom({"sms": channel}, addresses, twilio)
        try:
            yield room
        finally:
            await channel.close()
            await runner.cleanup()


def twilio_of(room: Mailroom) -> TwilioStandIn:
    assert room.twilio is not None
    return room.twilio


async def test_a_message_goes_out_and_its_receipt_comes_back() -> None:
    """Planned, sending, sent, delivered; the text is what Twilio got; the callbacks were taken."""
    async with mailroom() as room:
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(1)
        assert room.states() == ["planned", "sending", "sent", "delivered"]
        (message,) = twilio_of(room).messages
        assert room.last.text is not None
        assert (message.to, message.body) == (OFFICER, room.last.text.short)
        assert message.called_back == [("sending", 204), ("sent", 204), ("delivered", 204)]
        assert room.last.receipt
        assert room.last.provider_id == message.sid
        assert "2026-0412" in message.body
        assert "s1" not in message.body


async def test_errors_500_are_tried_again() -> None:
    """Two errors, then it is taken: one message, and each wait follows from the attempt's id."""
    async with mailroom() as room:
        twilio_of(room).misbehave(Fault(status=500), Fault(status=503))
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(10 * MINUTES)
        assert room.states()[-1] == "delivered"
        assert room.states().count("failed") == 2
        assert len(twilio_of(room).messages) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, stored=True),
        Fault(drop=True, stored=True),
        Fault(delay_s=0.8, stored=True),
        Fault(status=500, stored=True, callback_first=True),
    ],
    ids=["error 500", "connection dropped", "timeout", "called back, then 500"],
)
@pytest.mark.parametrize("callbacks", [True, False], ids=["callbacks", "no callbacks"])
async def test_what_was_taken_without_an_answer_is_not_sent_again(fault: Fault, callbacks: bool) -> None:
    """Twilio has the message although it did not say so: it is found by its mark, or its callback tells."""
    async with mailroom(callbacks=callbacks) as room:
        twilio_of(room).misbehave(fault)
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(10 * MINUTES)
        assert room.states()[-1] == "delivered"
        assert len(twilio_of(room).messages) == 1
        assert room.last.provider_id == twilio_of(room).messages[0].sid


@pytest.mark.parametrize("fault", [Fault(drop=True), Fault(delay_s=0.8, stored=False)], ids=["dropped", "timeout"])
async def test_what_was_not_taken_is_sent_again(fault: Fault) -> None:
    """No answer, and Twilio when asked knows nothing of it: it goes out once more, and arrives once."""
    async with mailroom() as room:
        twilio_of(room).misbehave(fault)
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(10 * MINUTES)
        assert room.states()[-1] == "delivered"
        assert len(twilio_of(room).messages) == 1
        assert ("GET", 200) in twilio_of(room).requests


async def test_retry_after_is_obeyed() -> None:
    """Twilio asks for 37 s: the next attempt is no sooner."""
    async with mailroom() as room:
        twilio_of(room).misbehave(Fault(status=429, retry_after_s=37))
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(10 * MINUTES)
        assert room.states()[-1] == "delivered"
        first, second = room.attempts
        assert second[0] - first[0] >= 37
        assert len(twilio_of(room).messages) == 1


async def test_down_for_five_minutes() -> None:
    """Nothing answers for 300 s (of the time that is moved by hand, real seconds are few): it arrives afterwards."""
    async with mailroom() as room:
        twilio = twilio_of(room)
        twilio.is_down = True
        room.meanwhile = lambda seconds: setattr(twilio, "is_down", seconds < 300)
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(30 * MINUTES)
        assert room.states()[-1] == "delivered"
        assert room.attempts[-1][0] >= 300
        assert len(twilio.messages) == 1
        assert 3 <= len(room.attempts) <= 25


async def test_the_callback_comes_before_the_answer() -> None:
    """Delivered is known before the request is answered: the answer takes nothing back."""
    async with mailroom() as room:
        twilio_of(room).misbehave(Fault(callback_first=True))
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(10 * MINUTES)
        assert room.states()[-1] == "delivered"
        assert room.last.receipt
        assert len(twilio_of(room).messages) == 1


async def test_receipts_in_the_wrong_order_take_nothing_back() -> None:
    async with mailroom() as room:
        twilio_of(room).misbehave(Fault(statuses=("delivered", "sending", "sent", "queued")))
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(10 * MINUTES)
        assert room.states() == ["planned", "sending", "sent", "delivered"]


async def test_an_undelivered_message_without_another_channel_is_dead_with_twilios_code() -> None:
    async with mailroom() as room:
        twilio_of(room).misbehave(Fault(statuses=("sent", "undelivered"), error_code=30003))
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(10 * MINUTES)
        assert room.states()[-1] == "dead"
        assert "30003" in room.last.reason
        assert room.dead == [room.last]


async def test_a_number_that_is_none_is_dead_at_once_and_goes_out_when_sent_anew() -> None:
    """21211 will not change by waiting. With a new number a person sends it anew, under a new mark."""
    async with mailroom(addresses={"sms": "12"}) as room:
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(1)
        assert room.states() == ["planned", "sending", "dead"]
        assert "21211" in room.last.reason
        gone = room.dead[0]
        room.reach("o1", {"sms": OFFICER})
        again = Report(
            report_id="r1",
            subject_id="s1",
            notification_id=gone.notification_id,
            outcome="resend",
            at=instant(room.now),
            by="boss",
            notification=gone,
        )
        room.tell("notification-reports", again)
        room.tell("notification-reports", again)
        await room.pass_time(1)
        assert room.states()[3:] == ["planned", "sending", "sent", "delivered"]
        assert room.last.by == "boss"
        (message,) = twilio_of(room).messages
        assert gone.text is not None
        assert f"#{gone.text.mark}" not in message.body


async def test_lost_callbacks_are_asked_for() -> None:
    """Nobody calls back: Twilio is asked after half a minute, and tells."""
    async with mailroom(callbacks=False) as room:
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(5)
        assert room.states() == ["planned", "sending", "sent"]
        await room.pass_time(60)
        assert room.states()[3:] == ["checking", "delivered"]


async def test_a_message_that_never_arrives_is_dead_after_the_last_question() -> None:
    async with mailroom(callbacks=False) as room:
        twilio_of(room).misbehave(Fault(statuses=("sent",)))
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(3 * HOURS)
        assert room.states()[-1] == "dead"
        assert "no receipt" in room.last.reason
        assert len(twilio_of(room).messages) == 1


async def test_away_for_too_long_is_dead_with_the_reason() -> None:
    async with mailroom() as room:
        twilio_of(room).is_down = True
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(3 * HOURS)
        assert room.states()[-1] == "dead"
        assert room.last.reason.startswith("given up: sms: ")


@pytest.mark.parametrize("notes_kept", [True, False], ids=["notes kept", "notes lost"])
@pytest.mark.parametrize("crash", ["before the note", "before sending", "after sending"])
async def test_a_crash_between_intent_and_report_sends_once(crash: str, notes_kept: bool) -> None:
    """Whoever takes over finds the intent without a report, and asks before it sends."""
    async with mailroom() as room:
        room.tell("alerts", alert(now=room.now))
        intent = room.last
        assert intent.state == "sending"
        if crash == "before sending":
            await room.notebook.begin(intent.attempt_id)
        elif crash == "after sending":
            first = Delivery(room.channels, room.known, Notebook(), patience_s=0, now=lambda: room.now)
            await first.attempt(intent)
            await room.notebook.begin(intent.attempt_id)
        if not notes_kept:
            room.notebook.notes.clear()
        report = await room.delivery.attempt(intent, in_doubt=True)
        assert report.outcome in ("accepted", "delivered")
        assert report.found is (crash == "after sending")
        assert len(twilio_of(room).messages) == 1
        assert (await room.delivery.attempt(intent, in_doubt=True)) == report


async def test_a_wrong_account_waits_for_the_operator() -> None:
    """401 says nothing about the message: it waits, and goes when the account is right."""
    async with mailroom() as room:
        twilio = twilio_of(room)
        right, twilio.auth_token = twilio.auth_token, "another"
        room.meanwhile = lambda seconds: setattr(twilio, "auth_token", right if seconds > 400 else "another")
        room.tell("alerts", alert(now=room.now))
        await room.pass_time(HOURS)
        assert room.states()[-1] == "delivered"
        assert len(twilio.messages) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_in_any_weather_each_ends_once(seed: int) -> None:
    """Forty messages through faults drawn at random: each is delivered or dead with a reason, none taken twice."""
    rng = Random(seed)
    async with mailroom() as room:
        twilio = twilio_of(room)
        weather = [
            Fault(),
            Fault(status=500),
            Fault(status=500, stored=True),
            Fault(status=429, retry_after_s=rng.uniform(0, 30)),
            Fault(drop=True, stored=True),
            Fault(drop=True),
            Fault(callback_first=True),
            Fault(statuses=("delivered", "sent")),
            Fault(statuses=("sent", "undelivered"), error_code=30005),
            Fault(status=503, stored=True, callback_first=True, statuses=("sent",)),
            Fault(status=400, code=21610),
        ]
        twilio.misbehave(*(rng.choice(weather) for _ in range(150)))
        for number in range(40):
            room.tell("alerts", alert(f"a{number}", now=room.now))
            await room.pass_time(rng.uniform(0, 20))
        await room.pass_time(4 * HOURS)
        last = {one.notification_id: one for one in room.records}
        assert len(last) == 40
        assert {one.state for one in last.values()} <= {"delivered", "dead"}
        assert all(one.reason for one in last.values() if one.state == "dead")
        marks = Counter(message.body.rpartition("#")[2] for message in twilio.messages)
        assert marks
        assert set(marks.values()) == {1}
        delivered = {one.text.mark for one in last.values() if one.state == "delivered" and one.text}
        assert delivered <= marks.keys()
