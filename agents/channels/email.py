"""E-mail over SMTP. A repeat has the same Message-ID, by which mail systems and readers know it."""

from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib

from agents.channels.channel import Answer, Parcel, shortened, unasked
from schemas.notification import ChannelName


class BadSmtpUrl(ValueError):
    """The address of the mail server cannot be used; says what it should look like."""


class Email:
    """A `Channel`. `url`: ``smtp://user:password@host:587`` (with STARTTLS where the server offers it),
    ``smtps://host`` for TLS from the start; `sender`: the address in From.

    Raises:
        BadSmtpUrl: the URL is of another form.
    """

    names: tuple[ChannelName, ...] = ("email",)

    def __init__(self, url: str, sender: str, timeout_s: float = 20.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise BadSmtpUrl("write it like smtp://user:password@mail.example:587, or smtps://mail.example")
        self._sender = sender
        self._domain = sender.rpartition("@")[2].rstrip(">") or "localhost"
        self._server = {
            "hostname": parts.hostname,
            "port": parts.port or (465 if parts.scheme == "smtps" else 25),
            "use_tls": parts.scheme == "smtps",
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "timeout": timeout_s,
        }

    async def send(self, parcel: Parcel) -> Answer:
        """Hand it to the mail server."""
        try:
            mail = self._mail(parcel)
        except ValueError as error:
            return Answer(outcome="refused", reason=f"no e-mail address: {shortened(error)}")
        try:
            _, said = await aiosmtplib.send(mail, **self._server)  # type: ignore[arg-type]
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPConnectTimeoutError) as error:
            return Answer(outcome="unreachable", reason=f"the mail server cannot be reached: {type(error).__name__}")
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            return _by_code(first.code, first.message)
        except aiosmtplib.SMTPResponseException as error:
            return _by_code(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Answer(outcome="unknown", reason=f"the mail server broke off: {type(error).__name__}")
        return Answer(outcome="accepted", provider_id=shortened(said))

    def _mail(self, parcel: Parcel) -> EmailMessage:
        text = parcel.text
        mail = EmailMessage()
        mail["From"] = self._sender
        mail["To"] = parcel.address
        mail["Subject"] = text.title
        mail["Date"] = format_datetime(parcel.at)
        mail["Message-ID"] = f"<{parcel.message_id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["Content-Language"] = text.language
        if parcel.urgent:
            mail["Importance"] = "high"
        mail.set_content("\n\n".join(part for part in (text.body, text.link, f"#{text.mark}") if part) + "\n")
        return mail

    async def find(self, parcel: Parcel) -> Answer | None:
        """A mail server tells nothing; a repeat has the same Message-ID."""
        return None

    async def check(self, parcel: Parcel, provider_id: str) -> Answer:
        """A mail server tells nothing."""
        return unasked()

    async def close(self) -> None:
        """Nothing: each message has its own connection."""


def _by_code(code: int, message: str) -> Answer:
    """4xx: later (greylisting, a full box); 5xx: never. Source: RFC 5321, 4.2.1."""
    outcome = "busy" if 400 <= code < 500 else "refused"
    return Answer(outcome=outcome, code=str(code), reason=shortened(f"mail server: {message}"))  # type: ignore[arg-type]
