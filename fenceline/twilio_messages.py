"""What Twilio's stand-in keeps of a message, which it takes, and how it lists them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import format_datetime
from secrets import token_hex
from typing import Any, NamedTuple

from pipeline.channels.segments import segments_of

_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_URL = re.compile(r"https?://[^\s/_]+(:\d+)?(/\S*)?", re.ASCII)

LONGEST_BODY = 1600
MOST_OF_PAGE = 1000

RANK = {"queued": 0, "accepted": 0, "sending": 1, "sent": 2, "delivered": 3, "undelivered": 3, "failed": 3}


class NotTaken(NamedTuple):
    """Why a request to send is refused."""

    status: int
    code: int
    message: str


def refusal_of(form: Mapping[str, str]) -> NotTaken | None:
    """Why Twilio would refuse `form`, by its error dictionary, or None."""
    to, body, callback = form.get("To", ""), form.get("Body", ""), form.get("StatusCallback", "")
    table = (
        (not to, 21604, "A 'To' phone number is required."),
        (not form.get("From") and not form.get("MessagingServiceSid"), 21603, "A 'From' phone number is required."),
        (not body and not form.get("MediaUrl"), 21602, "Message body is required."),
        (len(body) > LONGEST_BODY, 21617, "The concatenated message body exceeds the 1600 character limit."),
        (not _E164.fullmatch(to), 21211, f"Invalid 'To' Phone Number: {to[:4]}XXXX"),
        (callback and not _URL.fullmatch(callback), 21609, "The 'StatusCallback' URL is not a valid URL."),
    )
    return next((NotTaken(400, code, message) for wrong, code, message in table if wrong), None)


def _dated(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment)


@dataclass
class StoredMessage:
    """A message that was accepted. `statuses`: all it went through; `called_back`: each with the receiver's answer."""

    account_sid: str
    sid: str
    to: str
    from_: str
    service_sid: str
    body: str
    status_callback: str
    created_at: datetime
    updated_at: datetime
    status: str = "queued"
    error_code: int | None = None
    sent_at: datetime | None = None
    statuses: list[str] = field(default_factory=list)
    called_back: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, account_sid: str, form: Mapping[str, str], now: datetime) -> "StoredMessage":
        """A message from the form that asked for it."""
        return cls(
            account_sid=account_sid,
            sid=f"SM{token_hex(16)}",
            to=form["To"],
            from_=form.get("From", ""),
            service_sid=form.get("MessagingServiceSid", ""),
            body=form.get("Body", ""),
            status_callback=form.get("StatusCallback", ""),
            created_at=now.astimezone(UTC),
            updated_at=now.astimezone(UTC),
        )

    def became(self, status: str, error_code: int | None, now: datetime) -> None:
        """Note a status; whatever order they are told in, the message itself does not go back."""
        self.statuses.append(status)
        if RANK[status] < RANK[self.status]:
            return
        self.status, self.updated_at = status, now
        if status in ("failed", "undelivered"):
            self.error_code = error_code
        if status in ("sent", "delivered") and self.sent_at is None:
            self.sent_at = now

    def resource(self, status: str = "") -> dict[str, Any]:
        """The message as Twilio's JSON shows it."""
        uri = f"/2010-04-01/Accounts/{self.account_sid}/Messages/{self.sid}"
        return {
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": _dated(self.created_at),
            "date_sent": _dated(self.sent_at),
            "date_updated": _dated(self.updated_at),
            "direction": "outbound-api",
            "error_code": self.error_code,
            "error_message": None,
            "from": self.from_ or None,
            "messaging_service_sid": self.service_sid or None,
            "num_media": "0",
            "num_segments": str(segments_of(self.body).parts),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": status or self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


def listed(messages: Iterable[StoredMessage], query: Mapping[str, str]) -> list[StoredMessage]:
    """Those that `query` asks for (To, From, DateSent, DateSent<, DateSent>), the newest first.

    A message that was not sent yet has no date, and does not match a query for one.
    """
    found = list(messages)
    for name, of in (("To", "to"), ("From", "from_")):
        if query.get(name):
            found = [one for one in found if getattr(one, of) == query[name]]
    for name in ("DateSent", "DateSent<", "DateSent>"):
        if query.get(name):
            day = date.fromisoformat(query[name][:10])
            found = [one for one in found if one.sent_at is not None and _matches(one.sent_at.date(), name, day)]
    return sorted(found, key=lambda one: one.created_at, reverse=True)


def _matches(sent: date, name: str, day: date) -> bool:
    if name.endswith("<"):
        return sent <= day
    return sent >= day if name.endswith(">") else sent == day


def page_of(found: Sequence[StoredMessage], query: Mapping[str, str], account_sid: str) -> dict[str, Any]:
    """One page of a list, with Twilio's way of naming the others."""
    size = min(int(query.get("PageSize", 50)), MOST_OF_PAGE)
    page = int(query.get("Page", 0))
    begin = page * size
    shown = found[begin : begin + size]
    rest = "".join(f"&{name}={value}" for name, value in query.items() if name not in ("Page", "PageSize", "PageToken"))
    uri = f"/2010-04-01/Accounts/{account_sid}/Messages.json?PageSize={size}{rest.replace('+', '%2B')}"
    more = begin + size < len(found)
    return {
        "end": begin + max(len(shown) - 1, 0),
        "first_page_uri": f"{uri}&Page=0",
        "messages": [one.resource() for one in shown],
        "next_page_uri": f"{uri}&Page={page + 1}&PageToken=PA{shown[-1].sid}" if more else None,
        "page": page,
        "page_size": size,
        "previous_page_uri": f"{uri}&Page={page - 1}" if page else None,
        "start": begin,
        "uri": f"{uri}&Page={page}",
    }
