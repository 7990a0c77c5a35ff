"""What the agents of scores, alerts and tasks know: the rules that come with the program, and what the topics say."""

from importlib.resources import files

from pipeline.alerting.policy import read_alert_rules
from pipeline.casebook import Casebook
from pipeline.coordination.policy import read_task_rules
from pipeline.scoring.rules import read_score_rules


def shipped(part: str) -> str:
    """The YAML of the rules that come with a part of `pipeline`."""
    return (files(f"pipeline.{part}") / "default_rules.yaml").read_text("utf-8")


def casebook() -> Casebook:
    """A casebook that knows the rules that come with the program, and nobody yet."""
    return Casebook(
        read_score_rules(shipped("scoring")),
        read_alert_rules(shipped("alerting")),
        read_task_rules(shipped("coordination")),
    )
