"""Each way out against a real far side: what arrives there, and what is made of its answers."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import http_ece
import pytest
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from agents.channels.apprise_push import ApprisePush
from agents.channels.channel import Channel, Parcel
from agents.channels.email import BadSmtpUrl, Email
from agents.channels.setup import channels_of
from agents.channels.web_push import WebPush
from agents.channels.webhook import Webhook, signature
from fenceline.embedded import free_port
from fenceline.settings import BadSetting, Settings
from schemas.notification import ChannelName, Text
from tests.support.far_side import Reply, far_side

NOW = datetime.now(UTC)
SECRET = "shared"


def parcel(channel: ChannelName, address: str, **fields: Any) -> Parcel:
    text = Text(
        language="zh-CN",
        title="【紧急】设备被拆动",
        body="设备被拆动，案件2026-0412，02:57起。\n先致电，再到场。",
        short="设备被拆动 #9VZVXS",
        link="https://desk.example/a/0f1a2b3c",
        mark="9VZVXS",
    )
    known: dict[str, Any] = {
        "notification_id": "n1",
        "subject_id": "s1",
        "attempt_id": "t1",
        "message_id": "3fb1e2a4-0000-5000-8000-000000000001",
        "channel": channel,
        "address": address,
        "text": text,
        "urgent": True,
        "at": NOW,
        "since": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(hours=1),
    }
    return Parcel(**{**known, **fields})


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def padded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Browser:
    """The receiving side of Web Push: a key pair, a secret, and a push service's address."""

    def __init__(self, endpoint: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        keys = {"p256dh": unpadded(point), "auth": unpadded(self.auth)}
        self.subscription = json.dumps({"endpoint": endpoint, "expirationTime": None, "keys": keys})

    def opened(self, body: bytes) -> dict[str, Any]:
        """What the page's service worker would get."""
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        found: dict[str, Any] = json.loads(plain)
        return found


@pytest.fixture(scope="module")
def vapid() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def raw_key(key: ec.EllipticCurvePrivateKey) -> str:
    return unpadded(key.private_numbers().private_value.to_bytes(32, "big"))


async def test_a_push_can_be_read_by_the_browser_and_by_nobody_on_the_way(vapid: ec.EllipticCurvePrivateKey) -> None:
    """The body is encrypted for the browser (RFC 8291), and the claim is signed by our key (RFC 8292)."""
    async with far_side() as service:
        service.always = Reply(201, b"", {"Location": f"{service.url}/m/1"})
        browser = Browser(f"{service.url}/push/abc")
        channel = WebPush(raw_key(vapid), "mailto:duty@example.cn")
        answer = await channel.send(parcel("web_push", browser.subscription))
        await channel.close()
        assert (answer.outcome, answer.provider_id) == ("accepted", f"{service.url}/m/1")
        (got,) = service.got
        assert "拆动".encode() not in got.body
        assert browser.opened(got.body) == {
            "title": "【紧急】设备被拆动",
            "body": "设备被拆动，案件2026-0412，02:57起。\n先致电，再到场。",
            "link": "https://desk.example/a/0f1a2b3c",
            "lang": "zh-CN",
            "urgent": True,
            "tag": "n1",
        }
        assert got.headers["Content-Encoding"] == "aes128gcm"
        assert got.headers["Urgency"] == "high"
        assert got.headers["Topic"] == "3fb1e2a4000050008000000000000001"
        assert 0 < int(got.headers["TTL"]) <= 3600, "of an hour from when the tests began"
        _is_signed_by(vapid, got.headers["Authorization"], service.url)


def _is_signed_by(key: ec.EllipticCurvePrivateKey, authorization: str, audience: str) -> None:
    parts = dict(part.strip().split("=", 1) for part in authorization.removeprefix("vapid ").split(","))
    head, claims, signed = parts["t"].split(".")
    numbers = padded(signed)
    der = utils.encode_dss_signature(int.from_bytes(numbers[:32], "big"), int.from_bytes(numbers[32:], "big"))
    key.public_key().verify(der, f"{head}.{claims}".encode(), ec.ECDSA(SHA256()))
    assert json.loads(padded(claims))["aud"] == audience
    assert json.loads(padded(claims))["sub"] == "mailto:duty@example.cn"


@pytest.mark.parametrize(
    ("reply", "outcome", "retry_after_s"),
    [
        (Reply(410), "refused", None),
        (Reply(404), "refused", None),
        (Reply(429, headers={"Retry-After": "17"}), "busy", 17.0),
        (Reply(500), "unknown", None),
        (Reply(413), "refused", None),
        (Reply(201, hang_s=0.8), "unknown", None),
    ],
)
async def test_a_push_services_answers(
    vapid: ec.EllipticCurvePrivateKey, reply: Reply, outcome: str, retry_after_s: float | None
) -> None:
    async with far_side() as service:
        service.always = reply
        channel = WebPush(raw_key(vapid), "mailto:duty@example.cn", timeout_s=0.4)
        answer = await channel.send(parcel("web_push", Browser(service.url).subscription))
        await channel.close()
        assert (answer.outcome, answer.retry_after_s) == (outcome, retry_after_s)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "{}",
        "not json",
        '{"endpoint":"ftp://x","keys":{"p256dh":"a","auth":"b"}}',
        '{"endpoint":"http://127.0.0.1:1/","keys":{"p256dh":"AAAA","auth":"AAAA"}}',
    ],
)
async def test_what_is_no_push_subscription_is_refused(vapid: ec.EllipticCurvePrivateKey, address: str) -> None:
    channel = WebPush(raw_key(vapid), "mailto:duty@example.cn")
    answer = await channel.send(parcel("web_push", address))
    await channel.close()
    assert answer.outcome == "refused"


class Inbox:
    """What a mail server took; `refuse`: what it says to a recipient instead."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 queued as 4711"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, str]]:
    box = Inbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box, f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


async def test_a_mail_arrives_as_it_was_written_and_a_repeat_has_the_same_id(inbox: tuple[Inbox, str]) -> None:
    box, url = inbox
    channel = Email(url, "Fenceline <duty@example.cn>")
    answers = [await channel.send(parcel("email", "officer@example.cn")) for _ in range(2)]
    assert [one.outcome for one in answers] == ["accepted", "accepted"]
    first, second = box.mails
    assert first["Subject"] == "【紧急】设备被拆动"
    assert first["To"] == "officer@example.cn"
    assert first["Message-ID"] == second["Message-ID"] == "<3fb1e2a4-0000-5000-8000-000000000001@example.cn>"
    assert first["Auto-Submitted"] == "auto-generated"
    text = first.get_content()
    assert "先致电，再到场。" in text
    assert "https://desk.example/a/0f1a2b3c" in text


@pytest.mark.parametrize(("said", "outcome"), [("450 4.2.0 greylisted", "busy"), ("550 5.1.1 no such user", "refused")])
async def test_a_mail_servers_refusals(inbox: tuple[Inbox, str], said: str, outcome: str) -> None:
    box, url = inbox
    box.refuse["officer@example.cn"] = said
    answer = await Email(url, "duty@example.cn").send(parcel("email", "officer@example.cn"))
    assert (answer.outcome, answer.code) == (outcome, said[:3])


async def test_a_mail_server_that_is_away_is_unreachable() -> None:
    answer = await Email(f"smtp://127.0.0.1:{free_port()}", "d@example.cn").send(parcel("email", "o@example.cn"))
    assert answer.outcome == "unreachable"


async def test_an_address_with_a_line_break_cannot_add_a_header() -> None:
    answer = await Email("smtp://127.0.0.1:9", "d@example.cn").send(
        parcel("email", "o@example.cn\nBcc: all@example.cn")
    )
    assert answer.outcome == "refused"


def test_a_mail_servers_url_is_checked() -> None:
    with pytest.raises(BadSmtpUrl, match="smtp://user:password"):
        Email("http://mail.example", "d@example.cn")


async def test_a_webhook_is_signed_and_carries_the_same_key_each_time() -> None:
    async with far_side() as receiver:
        channel = Webhook(SECRET, clock=lambda: 1_800_000_000.0)
        answers = [await channel.send(parcel("webhook", f"{receiver.url}/in")) for _ in range(2)]
        await channel.close()
        assert [one.outcome for one in answers] == ["accepted", "accepted"]
        first, second = receiver.got
        stamp, mac = (part.split("=", 1)[1] for part in first.headers["Fenceline-Signature"].split(","))
        expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + first.body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(mac, expected)
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
        assert json.loads(first.body)["title"] == "【紧急】设备被拆动"
        assert signature("another", int(stamp), first.body) != first.headers["Fenceline-Signature"]


@pytest.mark.parametrize(
    ("status", "outcome"), [(204, "accepted"), (409, "accepted"), (429, "busy"), (500, "unknown"), (400, "refused")]
)
async def test_a_webhook_receivers_answers(status: int, outcome: str) -> None:
    async with far_side() as receiver:
        receiver.always = Reply(status, headers={"Retry-After": "3"})
        channel = Webhook(SECRET)
        answer = await channel.send(parcel("webhook", receiver.url))
        await channel.close()
        assert answer.outcome == outcome
        assert answer.found is (status == 409)


async def test_ntfy_gets_title_and_text() -> None:
    async with far_side() as server:
        host = urlsplit(server.url).netloc
        answer = await ApprisePush().send(parcel("ntfy", f"ntfy://{host}/duty-room"))
        assert answer.outcome == "accepted"
        sent = json.loads(server.got[0].body)
        assert sent["topic"] == "duty-room"
        assert sent["title"] == "【紧急】设备被拆动"
        assert "先致电" in sent["message"]


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429, headers={"Retry-After": "9"}), "busy"),
        (Reply(500), "unknown"),
        (Reply(403), "refused"),
        (Reply(200, hang_s=0.8), "unknown"),
    ],
)
async def test_a_services_answers(reply: Reply, outcome: str) -> None:
    async with far_side() as server:
        server.always = reply
        host = urlsplit(server.url).netloc
        answer = await ApprisePush(timeout_s=0.4).send(parcel("ntfy", f"ntfy://{host}/duty-room"))
        assert answer.outcome == outcome
        assert answer.retry_after_s == (9.0 if outcome == "busy" else None)


@pytest.mark.parametrize(
    ("channel", "key", "host"),
    [("wecom", "abcdef", "qyapi.weixin.qq.com"), ("dingtalk", "abcdef123456", "oapi.dingtalk.com")],
)
@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"errcode": 0, "errmsg": "ok"}, "accepted"),
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, "busy"),
        ({"errcode": 93000, "errmsg": "invalid webhook url"}, "refused"),
    ],
)
async def test_bots_that_refuse_with_200_are_not_believed(
    channel: ChannelName, key: str, host: str, body: dict[str, Any], outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WeCom and DingTalk answer 200 and put the refusal into the body. The request goes to a local far side."""
    import requests  # noqa: PLC0415

    async with far_side() as server:
        server.always = Reply(200, json.dumps(body).encode())
        real = requests.Session.send

        def send(session: Any, request: Any, **options: Any) -> Any:
            assert urlsplit(request.url).hostname == host
            request.url = request.url.replace(f"https://{host}", server.url)
            return real(session, request, **options)

        monkeypatch.setattr(requests.Session, "send", send)
        answer = await ApprisePush().send(parcel(channel, key))
        assert answer.outcome == outcome
        assert key in server.got[0].path or key in str(dict(parse_qsl(urlsplit(server.got[0].path).query)))
        assert "先致电" in json.dumps(json.loads(server.got[0].body), ensure_ascii=False)


@pytest.mark.parametrize(
    ("channel", "address"), [("ntfy", "mailto://a:b@c.d"), ("wecom", "dingtalk://x"), ("fcm", "x")]
)
async def test_an_address_of_another_kind_is_refused(channel: ChannelName, address: str) -> None:
    answer = await ApprisePush().send(parcel(channel, address))
    assert answer.outcome == "refused"


@pytest.mark.parametrize("channel", [Webhook(SECRET), ApprisePush(), Email("smtp://h", "a@b.c")])
async def test_far_sides_that_cannot_be_asked_say_so(channel: Channel) -> None:
    one = parcel(channel.names[0], "x")
    assert await channel.find(one) is None
    assert (await channel.check(one, "p")).outcome == "unknown"


async def test_channels_are_set_up_from_settings_and_half_a_setting_is_refused(
    vapid: ec.EllipticCurvePrivateKey,
) -> None:
    full = Settings(
        twilio_account_sid="AC1",
        twilio_auth_token="t",
        twilio_from="+1",
        vapid_private_key=raw_key(vapid),
        smtp_url="smtp://h",
        webhook_secret="s",
    )
    channels = channels_of(full)
    assert set(channels) == {
        *("sms", "web_push", "email", "webhook"), *("wecom", "dingtalk", "ntfy", "fcm", "apprise")
    }  # fmt: skip
    for channel in set(channels.values()):
        await channel.close()
    assert "sms" not in channels_of(Settings())
    for wrong in (
        Settings(twilio_account_sid="AC1"),
        Settings(vapid_private_key="nonsense"),
        Settings(smtp_url="mail.example"),
    ):
        with pytest.raises(BadSetting, match="FENCELINE_"):
            channels_of(wrong)
