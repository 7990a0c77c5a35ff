"""Who is sent what now? The notifier's rule, by subject.

In: alerts, tasks and due check-ins with their notices, scores, reports of what became of attempts, and timers.
Out: a record on `notifications` for each step of each message (`pipeline.channels.outbox` has the table), and those
given up on `notifications.dead`. Nothing is sent here: whoever reads ``sending`` on `notifications` does that, and
reports.
"""

from datetime import datetime

import msgspec

from pipeline.channels import outbox
from pipeline.channels.contacts import Contacts, Person
from pipeline.channels.letter import Writer, of_alert, of_call, of_score, of_task
from pipeline.channels.outbox import OPEN, UNDER_WAY, Item
from pipeline.channels.policy import NotifyRules
from pipeline.step import Emission, Record, Step, Wake
from schemas.alert import Alert, Notice
from schemas.checkin import CheckinCall
from schemas.ids import event_id
from schemas.message import Message, decode
from schemas.notification import ChannelName, Notification, Report, Text
from schemas.score import Score
from schemas.task import Task
from schemas.times import instant


class Outbox(Message, frozen=True, kw_only=True):
    """The messages about one person that are under way, or closed but kept for late receipts; the last colour told."""

    items: dict[str, Item] = {}
    colour: str = ""


class _Turn:
    """The outbox while one event is worked off, and what is to be sent."""

    def __init__(self, key: str, state: Outbox, contacts: Contacts, at: datetime) -> None:
        self.key = key
        self.before = state
        self.items = dict(state.items)
        self.colour = state.colour
        self.contacts = contacts
        self.rules: NotifyRules = contacts.rules.at(at)
        self.at = at
        self.emissions: list[Emission] = []

    def put(self, item: Item) -> None:
        """Keep `item` and send its record."""
        one = item.notification
        self.items[one.notification_id] = item
        self.emissions.append(Emission("notifications", one.subject_id, one, one.change_id))
        if one.state == "dead":
            dead_id = event_id("dead", one.change_id)
            self.emissions.append(Emission("notifications.dead", one.subject_id, one, dead_id))

    def step(self) -> Step[Outbox]:
        """The outbox as it is now, without what need no longer be kept; the next timer."""
        items = {
            name: item
            for name, item in self.items.items()
            if item.notification.state in UNDER_WAY or item.due_at is None or item.due_at > self.at
        }
        if not items and not self.colour:
            return Step(None, tuple(self.emissions))
        after = Outbox(items=items, colour=self.colour)
        after = self.before if after == self.before else after
        due = min((item.due_at for item in items.values() if item.due_at is not None), default=None)
        return Step(after, tuple(self.emissions), due)


def decide(key: str, state: Outbox | None, event: Record | Wake, reference: Contacts, now: datetime) -> Step[Outbox]:
    """What follows from `event` for the messages about `key`.

    Raises:
        Invalid: a record that is not what its topic says.
    """
    turn = _Turn(key, state or Outbox(), reference, now)
    if isinstance(event, Wake):
        _on_timer(turn)
        return turn.step()
    match event.topic:
        case "alerts":
            _on_alert(turn, decode(event.value, Alert))
        case "tasks":
            _on_task(turn, decode(event.value, Task))
        case "checkin-calls":
            _on_call(turn, decode(event.value, CheckinCall))
        case "scores":
            if event.value:
                _on_score(turn, decode(event.value, Score))
        case _:
            _on_report(turn, decode(event.value, Report))
    return turn.step()


def _on_alert(turn: _Turn, alert: Alert) -> None:
    if alert.state in ("acknowledged", "resolved", "cleared"):
        closed = alert.state != "acknowledged"
        reason = f"{alert.state} by {alert.by}" if alert.by else alert.state
        for item in list(turn.items.values()):
            one = item.notification
            if one.alert_id == alert.alert_id and one.state in OPEN and (closed or one.audience != "subject"):
                turn.put(outbox.withdrawn(item, f"the alert is {reason}", alert.change_id, turn.rules, turn.at))
    for notice in alert.tell:
        for writer in _writers(turn, notice):
            _plan(turn, notice, writer, of_alert(alert, notice, writer), alert_id=alert.alert_id)


def _on_task(turn: _Turn, task: Task) -> None:
    if task.state in ("done", "declined", "cancelled"):
        for item in list(turn.items.values()):
            if item.notification.task_id == task.task_id and item.notification.state in OPEN:
                turn.put(outbox.withdrawn(item, f"the task is {task.state}", task.change_id, turn.rules, turn.at))
    for notice in task.tell:
        for writer in _writers(turn, notice):
            _plan(turn, notice, writer, of_task(task, notice, writer), task_id=task.task_id)


def _on_call(turn: _Turn, call: CheckinCall) -> None:
    """A check-in is due: the person is told; when it is over, what was not sent yet is no news any more."""
    if call.event != "called":
        told = event_id("notice", event_id("call", call.slot_id, "called"))
        for item in list(turn.items.values()):
            if item.notification.notice_id == told and item.notification.state in OPEN:
                turn.put(outbox.withdrawn(item, f"the check-in is {call.event}", call.call_id, turn.rules, turn.at))
    for notice in call.tell:
        for writer in _writers(turn, notice):
            _plan(turn, notice, writer, of_call(call, writer))


def _on_score(turn: _Turn, score: Score) -> None:
    """A new colour is told to the person; the first, and a green one at the very start, is no news."""
    before, turn.colour = turn.colour or "green", score.colour
    if not turn.rules.colour_changes or score.colour == before:
        return
    notice = Notice(
        notice_id=event_id("notice", "score", score.subject_id, score.colour, score.as_of),
        audience="subject",
        recipient=score.subject_id,
        agency=score.agency,
        template=f"score.{score.colour}",
    )
    for writer in _writers(turn, notice):
        _plan(turn, notice, writer, of_score(score, writer))


def _writers(turn: _Turn, notice: Notice) -> list[Writer]:
    people = turn.contacts.people(notice.audience, notice.recipient, notice.agency, turn.key)
    return [_writer(turn, notice, person) for person in people]


def _writer(turn: _Turn, notice: Notice, person: Person) -> Writer:
    notification_id = event_id("notification", notice.notice_id, person.recipient)
    channels = _channels(turn, notice, person)
    # One text serves all channels a message may take, so the least that any of them may carry decides.
    detail = "names" if channels and all(turn.rules.detail.get(one) == "names" for one in channels) else "reference"
    return Writer(
        contacts=turn.contacts,
        rules=turn.rules,
        person=person,
        notification_id=notification_id,
        now=turn.at,
        detail=detail,  # type: ignore[arg-type]
    )


def _channels(turn: _Turn, notice: Notice, person: Person) -> tuple[ChannelName, ...]:
    """The channels to be tried, in order: what the notice names, else the rules; those the person has."""
    order = [one for one in notice.channels if one in person.addresses] if notice.channels else []
    order = order or [one for one in turn.rules.order[notice.audience] if person.addresses.get(one)]
    return tuple(dict.fromkeys(order))  # type: ignore[arg-type]


def _plan(turn: _Turn, notice: Notice, writer: Writer, text: Text, *, alert_id: str = "", task_id: str = "") -> None:
    if writer.notification_id in turn.items:
        return
    at = instant(turn.at)
    first = Notification(
        notification_id=writer.notification_id,
        change_id=event_id("notification-change", writer.notification_id, 0, "planned", ""),
        seq=1,
        state="planned",
        at=at,
        subject_id=turn.key,
        notice_id=notice.notice_id,
        alert_id=alert_id,
        task_id=task_id,
        audience=notice.audience,
        agency=notice.agency,
        recipient=writer.person.recipient or notice.recipient,
        template=notice.template,
        urgent=notice.urgent,
        level=notice.level,
        text=text,
        due_at=notice.not_before if notice.not_before is not None and notice.not_before > at else None,
    )
    for item in outbox.begun(first, _channels(turn, notice, writer.person), turn.rules, turn.at):
        turn.put(item)


def _on_timer(turn: _Turn) -> None:
    due = [item for item in turn.items.values() if item.due_at is not None and item.due_at <= turn.at]
    for item in sorted(due, key=lambda one: (one.due_at, one.notification.notification_id)):
        if item.notification.state in ("planned", "failed"):
            turn.put(outbox.sent_for(item, turn.at))
        elif item.notification.state == "sent":
            turn.put(outbox.asked(item, turn.at))


def _on_report(turn: _Turn, report: Report) -> None:
    item = turn.items.get(report.notification_id)
    if report.outcome == "resend":
        _send_anew(turn, item, report)
        return
    if item is None:
        return
    before = item.notification
    if before.state == "delivered":
        if report.outcome == "delivered" and not before.receipt:
            turn.put(outbox.delivered(item, report, turn.rules, turn.at))
        return
    after = _after(turn, item, report)
    if after is None:
        return
    turn.put(after)
    if after.notification.state == "failed" and after.due_at is not None and after.due_at <= turn.at:
        turn.put(outbox.sent_for(after, turn.at))


def _after(turn: _Turn, item: Item, report: Report) -> Item | None:
    """The item after a report; None when it changes nothing."""
    state, rules, at = item.notification.state, turn.rules, turn.at
    is_present = report.attempt_id == item.notification.attempt_id
    after: Item | None = None
    match report.outcome:
        case "delivered":
            after = outbox.delivered(item, report, rules, at)
        case "accepted" | "sending":
            if state == "checking" and is_present:
                after = outbox.still_sent(item, report, rules, at)
            elif state not in ("sent", "checking"):
                owes = report.receipts or report.outcome == "sending"
                after = outbox.accepted(item, msgspec.structs.replace(report, receipts=owes), rules, at)
        case "undelivered" if is_present and state in ("sending", "sent", "checking", "failed"):
            after = outbox.undelivered(item, report, rules, at)
        case "refused" if is_present and state == "sending":
            after = outbox.undelivered(item, report, rules, at)
        case "busy" | "unreachable" | "unknown" if is_present and state == "sending":
            after = outbox.postponed(item, report, rules, at)
        case "busy" | "unreachable" | "unknown" | "refused" if is_present and state == "checking":
            after = outbox.still_sent(item, report, rules, at)
        case "expired" if is_present and state in ("sending", "checking"):
            after = outbox.dead(item, "its time was over before it could be sent", report.attempt_id, rules, at)
        case _:
            pass
    return after


def _send_anew(turn: _Turn, item: Item | None, report: Report) -> None:
    wanted = report.notification
    if wanted is None:
        return
    known = item.notification if item is not None else wanted
    if known.state != "dead" or known.round != wanted.round:
        return
    notice = Notice(notice_id=known.notice_id, audience=known.audience, template=known.template)
    recipient = "" if known.recipient.startswith("*") else known.recipient
    people = turn.contacts.people(known.audience, recipient, known.agency, turn.key)
    person = next((one for one in people if one.recipient == known.recipient), Person(known.recipient, {}))
    for one in outbox.anew(known, _channels(turn, notice, person), report, turn.rules, turn.at):
        turn.put(one)
