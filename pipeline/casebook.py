"""What scores, alerts and tasks are told before they decide: persons, rosters, and the versions of their rules."""

from datetime import datetime

from pipeline.alerting.policy import AlertRules, check_alert_rules
from pipeline.alerting.roster import Rosters
from pipeline.coordination.policy import TaskRules, check_task_rules
from pipeline.rulebook import Rulebook
from pipeline.scoring.ledger import Setting
from pipeline.scoring.rules import ScoreRules, check_score_rules
from schemas.message import Invalid, decode
from schemas.reference import Subject
from schemas.roster import Roster, RuleSet

TOPICS = ("subjects", "rosters", "rules")
"""The compacted topics that `learn` reads."""


class Casebook:
    """Reference data by topic. Rules that came with the program hold until the topic `rules` has others."""

    def __init__(self, score: ScoreRules, alert: AlertRules, task: TaskRules) -> None:
        self.score: Rulebook[ScoreRules] = Rulebook(ScoreRules, score, check_score_rules)
        self.alert: Rulebook[AlertRules] = Rulebook(AlertRules, alert, check_alert_rules)
        self.task: Rulebook[TaskRules] = Rulebook(TaskRules, task, check_task_rules)
        self.rosters = Rosters()
        self.subjects: dict[str, Subject] = {}

    def learn(self, topic: str, key: bytes, value: bytes | None, at: datetime) -> Invalid | None:
        """Take in a reference record (None: taken back); what is wrong with it, if any, and then nothing changed."""
        try:
            self._take(topic, key.decode(errors="replace"), value)
        except Invalid as error:
            return error
        return None

    def _take(self, topic: str, key: str, value: bytes | None) -> None:
        if topic == "subjects":
            self._subject(key, value)
        elif topic == "rosters":
            if value is None:
                self.rosters.forget(key)
            else:
                self.rosters.learn(decode(value, Roster))
        elif topic == "rules":
            self._rules(key, value)

    def _subject(self, key: str, value: bytes | None) -> None:
        if value is None:
            self.subjects.pop(key, None)
        else:
            subject = decode(value, Subject)
            self.subjects[subject.subject_id] = subject

    def _rules(self, key: str, value: bytes | None) -> None:
        if value is None:
            for book in (self.score, self.alert, self.task):
                book.forget(key)
            return
        rule_set = decode(value, RuleSet)
        match rule_set.part:
            case "score":
                self.score.learn(rule_set)
            case "alert":
                self.alert.learn(rule_set)
            case "task":
                self.task.learn(rule_set)
            case "notify":
                pass  # for whoever sends

    def agency_of(self, subject_id: str, told: str = "") -> str:
        """Whose person it is: as the topic `subjects` says, else as `told` (by an incident)."""
        subject = self.subjects.get(subject_id)
        return subject.agency if subject is not None else told

    def time_zone_of(self, subject_id: str, at: datetime) -> str:
        """The person's time zone, else that of the score rules."""
        subject = self.subjects.get(subject_id)
        return subject.time_zone if subject is not None else self.score.at(at).time_zone

    def setting(self, subject_id: str, at: datetime) -> Setting:
        """What the person's ledger is derived with."""
        return Setting(subject_id, self.score, self.time_zone_of(subject_id, at))
