"""By which rules is somebody told? Channels, retries, rates and texts, read from YAML."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.rulebook import read_rules
from schemas.alert import Audience
from schemas.message import Invalid
from schemas.notification import ChannelName, Language

Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)]
Detail = Literal["reference", "names"]


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often, how soon and for how long it is tried; times in seconds."""

    tries: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    first_s: Seconds = 4.0
    most_s: Seconds = 240.0
    longest_wait_s: Seconds = 60.0
    give_up_s: Seconds = 14400.0
    give_up_urgent_s: Seconds = 7200.0


class Receipts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a far side that owes a receipt is asked for it, counted from when it took the message."""

    ask_after_s: tuple[Seconds, ...] = (30.0, 120.0, 600.0, 1800.0, 7200.0)


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token bucket: `burst` at once after a pause, then `per_minute`."""

    per_minute: Annotated[float, msgspec.Meta(gt=0)]
    burst: Annotated[float, msgspec.Meta(ge=1)]


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one person, and all together, are sent. Urgent messages to a person have a bucket of their own."""

    person: Rate = Rate(per_minute=6, burst=4)
    urgent_person: Rate = Rate(per_minute=20, burst=10)
    total: Rate = Rate(per_minute=1200, burst=60)


class Wording(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The templates of one kind of message (Jinja, sandboxed)."""

    title: str
    short: str
    body: str


class Phrases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All texts of one language. `rules`, `todo`, `wearer`, `tasks`, `task_events` have an entry `other`."""

    when: str
    when_other_day: str
    urgent: str
    rules: dict[str, str]
    todo: dict[str, str]
    events: dict[str, str]
    wearer: dict[str, str]
    tasks: dict[str, str]
    task_events: dict[str, str]
    colours: dict[str, str]
    alert: Wording
    told: Wording
    task: Wording
    score: Wording


class NotifyRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the rules; the YAML file beside this module says what each word does."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    time_zone: str = "Asia/Shanghai"
    language: Language = "zh-CN"
    desk_url: str = ""
    order: dict[Audience, tuple[ChannelName, ...]]
    detail: dict[ChannelName, Detail] = {}
    retry: Retry = Retry()
    receipts: Receipts = Receipts()
    rates: Rates = Rates()
    colour_changes: bool = True
    keep_closed_s: Seconds = 172800.0
    texts: dict[Language, Phrases]


WITH_OTHER = ("rules", "todo", "wearer", "tasks", "task_events")


def check_notify_rules(rules: NotifyRules) -> None:
    """Nothing, if the rules make sense.

    Raises:
        Invalid: and which word is wrong.
    """
    try:
        ZoneInfo(rules.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"no time zone {rules.time_zone!r}; write one like Asia/Shanghai", "$.time_zone") from error
    for audience in ("subject", "officer", "supervisor", "agency"):
        if not rules.order.get(audience):
            raise Invalid("name at least one channel", f"$.order.{audience}")
    for language in ("en", "zh-CN"):
        if language not in rules.texts:
            raise Invalid("texts of this language are missing", f"$.texts.{language}")
    for language, phrases in rules.texts.items():
        for name in WITH_OTHER:
            if "other" not in getattr(phrases, name):
                raise Invalid("an entry `other` is needed, for what is not listed", f"$.texts.{language}.{name}")


def read_notify_rules(text: str) -> NotifyRules:
    """The rules in a YAML `text`.

    Raises:
        Invalid: and which word is wrong.
    """
    from pipeline.channels.texts import check_texts  # noqa: PLC0415  # texts are of these rules

    rules = read_rules(text, NotifyRules)
    check_notify_rules(rules)
    check_texts(rules)
    return rules
