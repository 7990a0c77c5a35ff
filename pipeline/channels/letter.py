"""What is there to say? The facts of an alert, a task, a check-in or a score, and the words for one person."""

from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.channels.contacts import Contacts, Person
from pipeline.channels.policy import Detail, NotifyRules, Phrases
from pipeline.channels.texts import local_time, mark_of, phrase, written, zone_of
from schemas.alert import Alert, Area, Notice
from schemas.checkin import CheckinCall
from schemas.notification import Language, Text
from schemas.score import Score
from schemas.task import Task

REFERENCE_CHARS = 8
"""So much of an id stands in a link: short enough for a text message, and still one in four thousand million."""


class Writer(NamedTuple):
    """For whom is written, when, and with what known."""

    contacts: Contacts
    rules: NotifyRules
    person: Person
    notification_id: str
    now: datetime
    detail: Detail

    @property
    def language(self) -> Language:
        """The recipient's language, as far as there are texts in it."""
        return "en" if (self.person.language or self.rules.language) == "en" else "zh-CN"

    @property
    def phrases(self) -> Phrases:
        """The texts in that language."""
        return self.rules.texts[self.language]

    @property
    def zone(self) -> ZoneInfo:
        """The recipient's time zone."""
        return zone_of(self.person.time_zone, self.rules.time_zone)

    def time(self, at: datetime | None) -> str:
        """A moment by the recipient's clock."""
        return "" if at is None else local_time(at, self.now, self.zone, self.phrases)

    def link(self, kind: str, about: str) -> str:
        """The page about it, if there is a desk."""
        base = self.rules.desk_url.rstrip("/")
        return f"{base}/{kind}/{about[:REFERENCE_CHARS]}" if base and about else ""

    def write(self, wording: str, facts: dict[str, Any], link: str) -> Text:
        """The text in all its lengths."""
        mark = mark_of(self.notification_id, 0)
        return written(getattr(self.phrases, wording), facts, self.language, link, mark)


def of_alert(alert: Alert, notice: Notice, writer: Writer) -> Text:
    """What is said of an alert: to the wearer what to do, to others what happened to whom."""
    words = writer.phrases
    since = writer.time(alert.first_occurred_at)
    if notice.audience == "subject":
        saying = phrase(words.wearer, alert.rule)
        return writer.write("told", {"saying": saying, "since": since}, writer.link("me", alert.alert_id))
    facts = {
        "urgent": words.urgent if notice.urgent else "",
        "event": words.events.get(alert.event, ""),
        "what": phrase(words.rules, "outage" if alert.area else alert.rule),
        "case": writer.contacts.case_of(alert.subject_id),
        "people": alert.area.subjects if alert.area else 0,
        "near": _near(alert.area),
        "fence": _fence(alert, writer.detail),
        "since": since,
        "count": alert.count,
        "todo": phrase(words.todo, "outage" if alert.area else alert.rule),
        "ended": writer.time(alert.ended_at),
    }
    return writer.write("alert", facts, writer.link("a", alert.alert_id))


def of_task(task: Task, notice: Notice, writer: Writer) -> Text:
    """What is said of a task."""
    words = writer.phrases
    facts = {
        "urgent": words.urgent if notice.urgent else "",
        "event": phrase(words.task_events, task.event),
        "what": task.title if task.title and writer.detail == "names" else phrase(words.tasks, task.kind),
        "case": writer.contacts.case_of(task.subject_id),
        "due": writer.time(task.due_at),
        "reason": task.reason if writer.detail == "names" else "",
    }
    return writer.write("task", facts, writer.link("t", task.task_id))


def of_call(call: CheckinCall, writer: Writer) -> Text:
    """What the person is told of a check-in that is due: from when to when."""
    saying = phrase(writer.phrases.wearer, f"checkin_{call.event}")
    since = f"{writer.time(call.opens_at)}–{writer.time(call.closes_at)}"
    return writer.write("told", {"saying": saying, "since": since}, writer.link("me", "checkin"))


def of_score(score: Score, writer: Writer) -> Text:
    """What the person is told of a new colour."""
    colour = phrase(writer.phrases.colours, score.colour)
    return writer.write("score", {"points": score.points, "colour": colour}, writer.link("me", "score"))


def _fence(alert: Alert, detail: Detail) -> str:
    """A fence's name may be an address; by reference only its id is told."""
    return (alert.fence_name or alert.fence_id) if detail == "names" else alert.fence_id


def _near(area: Area | None) -> str:
    """The middle of an area, to a tenth of a degree: about which town it is, and no more."""
    if area is None or area.south is None or area.north is None or area.west is None or area.east is None:
        return ""
    return f"{(area.south + area.north) / 2:.1f}, {(area.west + area.east) / 2:.1f}"
