"""What costs how many points, and what brings them back: the score rules, read from YAML."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.rulebook import read_rules
from schemas.incident import IncidentType
from schemas.message import Invalid
from schemas.reference import Severity
from schemas.score import Colour, ColourMeaning

Points = Annotated[int, msgspec.Meta(ge=0, le=100)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=10)]


class DurationWeight(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `from_s` seconds on, the points are multiplied by `weight`."""

    from_s: Annotated[float, msgspec.Meta(ge=0)]
    weight: Weight


class Clause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What incidents of some types cost.

    `day_cap`: at most so many points of this clause a local day. `grace`: the first so many in the rolling window are
    warnings. `provisional`: counts only once an officer has confirmed it.
    """

    types: Annotated[tuple[IncidentType, ...], msgspec.Meta(min_length=1)]
    points: Points
    day_cap: Points | None = None
    grace: Annotated[int, msgspec.Meta(ge=0)] = 0
    provisional: bool = False
    excused_by_leave: bool = False
    duration_weight: tuple[DurationWeight, ...] = ()
    severity_weight: dict[Severity, Weight] | None = None


class ScoreRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the score rules; the YAML file beside this module says what each word does."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    time_zone: str = "Asia/Shanghai"
    window_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    day_cap: Points | None = None
    yellow_below: Points
    red_below: Points
    appealed_counts: bool = True
    points_per_clean_week: Points = 0
    severity_weight: dict[Severity, Weight] = {}
    colours: dict[Colour, ColourMeaning] = {}
    clauses: dict[str, Clause]

    def clause_of(self, incident_type: str) -> tuple[str, Clause] | None:
        """The clause for incidents of a type, with its name."""
        for name, clause in self.clauses.items():
            if incident_type in clause.types:
                return name, clause
        return None

    def colour(self, points: int) -> Colour:
        """The colour of a score."""
        return "red" if points < self.red_below else "yellow" if points < self.yellow_below else "green"


IDENTITY_TYPES = ("identity.doubtful", "checkin.doubtful", "checkin.rejected")


def check_score_rules(rules: ScoreRules) -> None:
    """Nothing, if the rules make sense.

    Raises:
        Invalid: and which word is wrong.
    """
    if rules.red_below > rules.yellow_below:
        raise Invalid("red_below is above yellow_below, so nothing would be yellow", "$.red_below")
    try:
        ZoneInfo(rules.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"no time zone {rules.time_zone!r}; write one like Asia/Shanghai", "$.time_zone") from error
    taken: dict[str, str] = {}
    for name, clause in rules.clauses.items():
        for incident_type in clause.types:
            if incident_type in taken:
                raise Invalid(
                    f"{incident_type} is in the clauses {taken[incident_type]} and {name}", f"$.clauses.{name}"
                )
            taken[incident_type] = name
            if incident_type in IDENTITY_TYPES and clause.points and not clause.provisional:
                raise Invalid(
                    f"{incident_type} rests on a machine's judgement of identity: write provisional: true",
                    f"$.clauses.{name}.provisional",
                )
        steps = [step.from_s for step in clause.duration_weight]
        if steps != sorted(set(steps)):
            raise Invalid("from_s must rise from step to step", f"$.clauses.{name}.duration_weight")


def read_score_rules(text: str) -> ScoreRules:
    """The score rules in a YAML `text`.

    Raises:
        Invalid: what is wrong, and at which word.
    """
    rules = read_rules(text, ScoreRules)
    check_score_rules(rules)
    return rules
