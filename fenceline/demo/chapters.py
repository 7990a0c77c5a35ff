"""One person's story, from the breach to people who act, told as its events come by on their topics; pure."""

from dataclasses import dataclass, field

from fenceline.demo.office import NUMBERS, OFFICER, POLICE
from schemas.alert import Alert
from schemas.notification import Notification
from schemas.score import Score
from schemas.task import Task

CHAPTERS = ("alert", "sms", "push", "acknowledged", "score", "task", "accepted")
"""What must have happened for the story to have gone all the way, in the order in which it mostly does."""

_WHO = {number: name for name, number in NUMBERS.items()}


@dataclass(slots=True)
class Chapters:
    """The story of `subject_id`. Each `..._seen` gives a line to print, or None where it is of others or told already.

    `subject_id` has a `case_ref`, by which messages name them.
    """

    subject_id: str
    case_ref: str
    _told: dict[str, None] = field(default_factory=dict)
    _points: int = 100

    def told(self) -> tuple[str, ...]:
        """The chapters told so far."""
        return tuple(name for name in CHAPTERS if name in self._told)

    def untold(self) -> tuple[str, ...]:
        """The chapters yet to come."""
        return tuple(name for name in CHAPTERS if name not in self._told)

    def _tell(self, chapter: str, line: str, about: str = "") -> str | None:
        if f"{chapter}{about}" in self._told:
            return None
        self._told[f"{chapter}{about}"] = self._told[chapter] = None
        return line

    def alert_seen(self, alert: Alert) -> str | None:
        """An alert as it now stands."""
        if alert.subject_id != self.subject_id:
            return None
        where = alert.fence_name or alert.fence_id or alert.rule
        if alert.event == "raised":
            return self._tell("alert", f"alert, {alert.severity}: {where}; everybody on duty is told", alert.alert_id)
        if alert.event == "acknowledged":
            line = f"{alert.acknowledged_by} acknowledges: {where}; no further escalation"
            return self._tell("acknowledged", line, alert.alert_id)
        if alert.event == "resolved":
            return self._tell("resolved", f"{alert.by} resolves it as {alert.outcome}: {where}", alert.alert_id)
        return None

    def sms_seen(self, to: str, text: str) -> str | None:
        """An SMS that Twilio accepted."""
        if f"{self.case_ref}," not in text:
            return None
        return self._tell("sms", f"SMS to {_WHO.get(to, to)}: {text}", text)

    def push_seen(self, title: str, body: str) -> str | None:
        """A push that a browser opened."""
        if f"{self.case_ref}," not in body:
            return None
        return self._tell("push", f"push to a browser: {title}: {' '.join(body.split())}", body)

    def message_seen(self, message: Notification) -> str | None:
        """A message's state: worth a line when it has arrived."""
        if message.subject_id != self.subject_id or message.state != "delivered" or message.recipient != OFFICER:
            return None
        how = "Twilio's receipt says so" if message.receipt else "it was taken"
        return self._tell("delivered", f"delivered to {message.recipient} by {message.channel}: {how}")

    def score_seen(self, score: Score) -> str | None:
        """A score as it now stands."""
        if score.subject_id != self.subject_id or score.points == self._points:
            return None
        before, self._points = self._points, score.points
        line = f"score {before} → {score.points} ({score.colour}); every point can be explained and contested"
        return self._tell("score", line, str(score.points))

    def task_seen(self, task: Task) -> str | None:
        """A task as it now stands."""
        if task.subject_id != self.subject_id or task.agency != POLICE:
            return None
        if task.event == "created":
            return self._tell(
                "task", f"{task.created_by} asks {task.agency} for a {task.kind}: {task.title}", task.task_id
            )
        if task.event == "accepted":
            return self._tell("accepted", f"{task.owner} of {task.agency} accepts the {task.kind}", task.task_id)
        return None
