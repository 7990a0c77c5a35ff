"""In which words? Templates (Jinja, sandboxed) filled with what, who, where, since when and what to do."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.channels.policy import NotifyRules, Phrases, Wording
from schemas.ids import event_id
from schemas.message import Invalid
from schemas.notification import Language, Text

_ENVIRONMENT = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, cache_size=0)
_MARK_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LONGEST = {"title": 120, "body": 1200, "short": 600}

EXAMPLE: dict[str, Any] = {
    "urgent": "!",
    "event": "",
    "what": "x",
    "case": "c",
    "people": 0,
    "near": "",
    "fence": "f",
    "since": "12:00",
    "count": 2,
    "todo": "t",
    "ended": "",
    "saying": "s",
    "due": "",
    "reason": "",
    "colour": "red",
    "points": 1,
    "link": "",
    "mark": "AAAAAA",
}
"""All that a template may name; see `docs/notifications.md`."""


@lru_cache(maxsize=512)
def _template(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def check_texts(rules: NotifyRules) -> None:
    """Nothing, if all templates can be filled.

    Raises:
        Invalid: and which cannot.
    """
    for language, phrases in rules.texts.items():
        for kind in ("alert", "told", "task", "score"):
            for part in ("title", "short", "body"):
                try:
                    _template(getattr(getattr(phrases, kind), part)).render(EXAMPLE)
                except TemplateError as error:
                    where = f"$.texts.{language}.{kind}.{part}"
                    raise Invalid(f"the template cannot be filled: {error.message}", where) from error
        for name in ("when", "when_other_day"):
            datetime(2026, 11, 23).strftime(getattr(phrases, name))


def mark_of(notification_id: str, round_: int) -> str:
    """Six characters by which a message is found again among those to one person."""
    number = int(event_id("mark", notification_id, round_).replace("-", ""), 16)
    return "".join(_MARK_ALPHABET[(number >> (5 * place)) & 31] for place in range(6))


def marked_anew(text: Text, notification_id: str, round_: int) -> Text:
    """The same text under the mark of another round."""
    mark = mark_of(notification_id, round_)
    return msgspec.structs.replace(text, mark=mark, short=text.short.replace(f"#{text.mark}", f"#{mark}"))


def written(wording: Wording, facts: Mapping[str, Any], language: Language, link: str, mark: str) -> Text:
    """`wording` filled with `facts`; longer than any channel takes is cut."""
    known = {**EXAMPLE, **dict.fromkeys(EXAMPLE, ""), "count": 1, "people": 0, **facts, "link": link, "mark": mark}
    title, body, short = (
        _cut(_one_line(_template(source).render(known), part), _LONGEST[part])
        for source, part in ((wording.title, "title"), (wording.body, "body"), (wording.short, "short"))
    )
    return Text(language=language, title=title, body=body, short=short, link=link, mark=mark)


def _one_line(text: str, part: str) -> str:
    """No line breaks where they could make a second header of a title, or a second message of a text."""
    return text.strip() if part == "body" else " ".join(text.split())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def phrase(entries: Mapping[str, str], name: str) -> str:
    """The entry for `name`, else the one for what is not listed."""
    return entries.get(name, entries.get("other", name))


def local_time(at: datetime, now: datetime, zone: ZoneInfo, phrases: Phrases) -> str:
    """`at` by the recipient's clock; with the day where it is not today's."""
    there, today = at.astimezone(zone), now.astimezone(zone)
    form = phrases.when if there.date() == today.date() else phrases.when_other_day
    return there.strftime(form)


def zone_of(name: str, default: str) -> ZoneInfo:
    """The time zone of that name, else the default."""
    try:
        return ZoneInfo(name or default)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(default)
