"""Which topics there are: name, key, message, and how Kafka keeps them."""

from typing import Any, NamedTuple

from schemas.alert import Alert, Release, Signal
from schemas.audit import AuditEntry, Reading
from schemas.checkin import Checkin, CheckinCall, CheckinResult, Examined, PositionAnswer, PositionAsk
from schemas.command import Command, CommandResult
from schemas.credential import Credential
from schemas.fix import Fix
from schemas.gallery import Enrolment, Erasure
from schemas.incident import Incident, Rejection
from schemas.notification import Notification, Report
from schemas.outage import Outage, Pulse
from schemas.plan import CheckinPlan
from schemas.reference import Activation, Fence, Leave, Subject
from schemas.roster import Roster, RuleSet
from schemas.score import Score, ScoreEntry
from schemas.task import Task

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

LATENESS_MS = 8 * DAY_MS
"""How far back a late fix is still judged by the rules of its own time: versions of fences, activations and leaves
younger than this are not compacted away."""


class Topic(NamedTuple):
    """A topic. `key`: the field that keys it. `compacted`: the latest per key is kept for ever, else all for
    `retention_ms`. `partitions`: None for as many as the input has (co-partitioned), else a fixed number."""

    name: str
    key: str
    message: Any
    about: str
    compacted: bool = False
    retention_ms: int = 30 * DAY_MS
    partitions: int | None = None

    def config(self) -> dict[str, str]:
        """The topic's settings by Kafka's names, all explicit. The broker's clock, never going back, stamps records."""
        if not self.compacted:
            return {
                "cleanup.policy": "delete",
                "retention.ms": str(self.retention_ms),
                "message.timestamp.type": "LogAppendTime",
            }
        return {
            "cleanup.policy": "compact",
            "min.compaction.lag.ms": str(LATENESS_MS),
            "delete.retention.ms": str(LATENESS_MS),
            "message.timestamp.type": "LogAppendTime",
        }


def _rejected(name: str) -> Topic:
    return Topic(f"{name}.rejected", "source", Rejection, f"input of {name} that could not be used", partitions=1)


FIXES = Topic("fixes", "device_id", Fix | list[Fix], "positions: one fix, or a frame of fixes of one partition")
INCIDENTS = Topic("incidents", "subject_id", Incident, "all that may matter", retention_ms=400 * DAY_MS)
SUBJECTS = Topic("subjects", "subject_id", Subject, "supervised persons", compacted=True)
ACTIVATIONS = Topic(
    "activations", "activation_id", Activation, "which device is on whom; partitioned by device_id", compacted=True
)
FENCES = Topic("fences", "fence_id", Fence, "where to be and where not", compacted=True, partitions=1)
LEAVES = Topic("leaves", "leave_id", Leave, "permission to be elsewhere", compacted=True, partitions=1)
CREDENTIALS = Topic("credentials", "token_id", Credential, "who may speak, for whom", compacted=True, partitions=1)

SCORE_ENTRIES = Topic("score-entries", "subject_id", ScoreEntry, "the ledger of deductions", retention_ms=800 * DAY_MS)
SCORES = Topic("scores", "subject_id", Score, "each person's score, a fold of score-entries", compacted=True)
ALERTS = Topic(
    "alerts", "subject_id", Alert, "what people are told, and what they made of it", retention_ms=400 * DAY_MS
)
ALERT_SIGNALS = Topic("alert-signals", "area_key", Signal, "incidents that may be part of an area's outage")
ALERT_RELEASES = Topic("alert-releases", "subject_id", Release, "whether an incident is part of an area's outage")
NOTIFICATIONS = Topic(
    "notifications", "subject_id", Notification, "what became of each message to somebody", retention_ms=400 * DAY_MS
)
NOTIFICATION_REPORTS = Topic(
    "notification-reports", "subject_id", Report, "what senders and far sides tell of messages"
)
NOTIFICATIONS_DEAD = Topic(
    "notifications.dead", "subject_id", Notification, "messages given up, to be sent anew by a person", partitions=1
)
TASKS = Topic("tasks", "subject_id", Task, "work that an agency owns until it is done", retention_ms=800 * DAY_MS)
COMMANDS = Topic("commands", "subject_id", Command, "all that a person decides", retention_ms=800 * DAY_MS)
COMMAND_RESULTS = Topic(
    "command-results", "subject_id", CommandResult, "what became of each command", retention_ms=800 * DAY_MS
)
LEAVE_CHANGES = Topic(
    "leave-changes", "subject_id", Leave, "each change of a leave, keyed by person", retention_ms=400 * DAY_MS
)
READINGS = Topic("readings", "subject_id", Reading, "who read whose record", retention_ms=800 * DAY_MS)
AUDIT = Topic("audit", "subject_id", AuditEntry, "hash chains over commands and readings", retention_ms=3650 * DAY_MS)
ROSTERS = Topic("rosters", "roster_id", Roster, "who is on duty when", compacted=True, partitions=1)
RULES = Topic("rules", "rule_set_id", RuleSet, "rules of scores, alerts and tasks", compacted=True, partitions=1)
PULSES = Topic("pulses", "source", Pulse, "how many devices of each area are heard", retention_ms=DAY_MS, partitions=1)
OUTAGES = Topic("outages", "outage_id", Outage, "areas that went quiet at once", compacted=True, partitions=1)

CHECKINS = Topic("checkins", "subject_id", Checkin, "check-ins as taken; pictures by reference and SHA-256")
FACE_RESULTS = Topic("face-results", "subject_id", Examined, "what was measured on check-ins: numbers, no judgement")
POSITION_ASKS = Topic("position-asks", "device_id", PositionAsk, "where was the tracker of who checks in?")
POSITION_ANSWERS = Topic("position-answers", "subject_id", PositionAnswer, "there: its last position")
CHECKIN_PLANS = Topic("checkin-plans", "subject_id", CheckinPlan, "when each person is to check in", compacted=True)
CHECKIN_CALLS = Topic(
    "checkin-calls", "subject_id", CheckinCall, "check-ins that are due, and how each ended", retention_ms=400 * DAY_MS
)
CHECKIN_RESULTS = Topic("checkin-results", "subject_id", CheckinResult, "what became of each check-in, for the person")
ENROLMENTS = Topic(
    "enrolments", "subject_id", Enrolment, "changes of who is enrolled; no face in it", retention_ms=3650 * DAY_MS
)
ERASURES = Topic(
    "erasures", "subject_id", Erasure, "faces and pictures to be deleted, and deleted", retention_ms=3650 * DAY_MS
)

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        FIXES,
        INCIDENTS,
        SUBJECTS,
        ACTIVATIONS,
        FENCES,
        LEAVES,
        CREDENTIALS,
        SCORE_ENTRIES,
        SCORES,
        ALERTS,
        ALERT_SIGNALS,
        ALERT_RELEASES,
        NOTIFICATIONS,
        NOTIFICATION_REPORTS,
        NOTIFICATIONS_DEAD,
        TASKS,
        COMMANDS,
        COMMAND_RESULTS,
        LEAVE_CHANGES,
        READINGS,
        AUDIT,
        ROSTERS,
        RULES,
        PULSES,
        OUTAGES,
        CHECKINS,
        FACE_RESULTS,
        POSITION_ASKS,
        POSITION_ANSWERS,
        CHECKIN_PLANS,
        CHECKIN_CALLS,
        CHECKIN_RESULTS,
        ENROLMENTS,
        ERASURES,
        _rejected("fixes"),
        _rejected("activations"),
        _rejected("subjects"),
        _rejected("fences"),
        _rejected("leaves"),
        _rejected("incidents"),
        _rejected("commands"),
        _rejected("readings"),
        _rejected("rosters"),
        _rejected("rules"),
        _rejected("alert-signals"),
        _rejected("alert-releases"),
        _rejected("leave-changes"),
        _rejected("scores"),
        _rejected("score-entries"),
        _rejected("notifications"),
        _rejected("notification-reports"),
        _rejected("alerts"),
        _rejected("tasks"),
        _rejected("pulses"),
        _rejected("outages"),
        _rejected("checkins"),
        _rejected("face-results"),
        _rejected("position-asks"),
        _rejected("position-answers"),
        _rejected("checkin-plans"),
        _rejected("checkin-calls"),
        _rejected("enrolments"),
    )
}
