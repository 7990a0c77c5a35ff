"""Which incidents make an alert, who is told first, and how long they have: the alert rules, read from YAML."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from pipeline.rulebook import read_rules
from schemas.incident import IncidentType
from schemas.message import Invalid
from schemas.reference import Severity

RANK: dict[str, int] = {"low": 0, "medium": 1, "high": 2, "critical": 3}

Seconds = Annotated[float, msgspec.Meta(gt=0, le=30 * 86400)]
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `start` to `end`, local time (past midnight when `end` is not later), nobody is woken for `severities`."""

    start: Clock
    end: Clock
    severities: tuple[Severity, ...] = ("low",)


class ChainStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tell `people` of those on duty (the first, or all), and go on to the next step after `wait_s` unacknowledged."""

    to: Literal["officer", "supervisor", "agency"]
    people: Literal["first", "all"] = "all"
    wait_s: Seconds
    channels: tuple[str, ...] = ()


class Wearer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person is told first and has `respond_s` to put it right, if it is of `severities`."""

    respond_s: Seconds
    severities: tuple[Severity, ...] = ("low", "medium")


class Gather(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hold for `hold_s` to see whether `at_least` people of a place have the same within `span_s`: an outage."""

    at_least: Annotated[int, msgspec.Meta(ge=2)]
    span_s: Seconds
    hold_s: Annotated[float, msgspec.Meta(gt=0, le=300)]


class AlertClause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What incidents of some types lead to.

    `own`: each is an alert of its own, told at once, closed by a human alone. `ends`: types by which it is over;
    `withdrawn_by`: types by which it never was. `when_over`: clear (nobody need act) or keep (a human resolves it).
    """

    types: Annotated[tuple[IncidentType, ...], msgspec.Meta(min_length=1)]
    ends: tuple[IncidentType, ...] = ()
    withdrawn_by: tuple[IncidentType, ...] = ()
    when_over: Literal["clear", "keep"] = "keep"
    severity: Severity | None = None
    own: bool = False
    urgent: bool = False
    by_fence: bool = False
    chain: str
    chain_by_severity: dict[Severity, str] = {}
    also_tell: dict[Severity, tuple[str, ...]] = {}
    wearer: Wearer | None = None
    gather: Gather | None = None


class OutageRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How alerts about a whole area go. `cell_deg`: people count as of one place within a square of this side."""

    chain: str = "normal"
    severity: Severity = "high"
    cell_deg: Annotated[float, msgspec.Meta(gt=0, le=10)] = 0.5
    back_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    still_after_s: Seconds = 900.0
    longest_s: Seconds = 6 * 3600.0
    say_again_s: Seconds = 60.0


class AlertRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the alert rules; the YAML file beside this module says what each word does."""

    version: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    time_zone: str = "Asia/Shanghai"
    rejoin_s: Seconds = 900.0
    keep_closed_days: Annotated[float, msgspec.Meta(gt=0, le=400)] = 14.0
    quiet_hours: QuietHours | None = None
    chains: dict[str, tuple[ChainStep, ...]]
    clauses: dict[str, AlertClause]
    outage: OutageRules = OutageRules()

    def clause_raised_by(self, incident_type: str) -> tuple[str, AlertClause] | None:
        """The clause under which incidents of a type make an alert, with its name."""
        return next(((name, one) for name, one in self.clauses.items() if incident_type in one.types), None)

    def clauses_ended_by(self, incident_type: str) -> list[tuple[str, AlertClause]]:
        """The clauses whose alerts an incident of a type ends or withdraws."""
        return [(name, one) for name, one in self.clauses.items() if incident_type in one.ends + one.withdrawn_by]

    def chain_of(self, rule: str, severity: Severity) -> tuple[ChainStep, ...]:
        """The escalation chain for alerts of a clause (or of an outage) at a severity."""
        clause = self.clauses.get(rule)
        if clause is None:
            return self.chains[self.outage.chain]
        return self.chains[clause.chain_by_severity.get(severity, clause.chain)]


NEVER_HELD = ("device.sos", "device.tamper", "identity.refuted")
"""Never held back, grouped away or closed by a machine, whatever an installation writes."""


def check_alert_rules(rules: AlertRules) -> None:
    """Nothing, if the rules make sense.

    Raises:
        Invalid: and which word is wrong.
    """
    try:
        ZoneInfo(rules.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"no time zone {rules.time_zone!r}; write one like Asia/Shanghai", "$.time_zone") from error
    if rules.quiet_hours is not None and rules.quiet_hours.start == rules.quiet_hours.end:
        raise Invalid("quiet hours must end at another time than they start", "$.quiet_hours.end")
    for name, chain in rules.chains.items():
        if not chain:
            raise Invalid("a chain needs at least one step", f"$.chains.{name}")
    if rules.outage.chain not in rules.chains:
        raise Invalid(f"no chain {rules.outage.chain!r}; there are {', '.join(rules.chains)}", "$.outage.chain")
    taken: dict[str, str] = {}
    for name, clause in rules.clauses.items():
        for chain_name in (clause.chain, *clause.chain_by_severity.values()):
            if chain_name not in rules.chains:
                known = ", ".join(rules.chains)
                raise Invalid(f"no chain {chain_name!r}; there are {known}", f"$.clauses.{name}.chain")
        for incident_type in clause.types:
            if incident_type in taken:
                both = f"{taken[incident_type]} and {name}"
                raise Invalid(f"{incident_type} is in the clauses {both}", f"$.clauses.{name}.types")
            taken[incident_type] = name
        _check_never_held(name, clause)
    missing = [one for one in NEVER_HELD if one not in taken]
    if missing:
        raise Invalid(f"no clause makes an alert of {missing[0]}", "$.clauses")


def _check_never_held(name: str, clause: AlertClause) -> None:
    protected = [one for one in clause.types if one in NEVER_HELD]
    if protected and not (clause.own and clause.urgent):
        raise Invalid(f"{protected[0]} is never held back: write own: true, urgent: true", f"$.clauses.{name}")
    if clause.own and (clause.gather or clause.wearer or clause.ends or clause.withdrawn_by):
        raise Invalid("own: true goes with no gather, wearer, ends or withdrawn_by", f"$.clauses.{name}")


def read_alert_rules(text: str) -> AlertRules:
    """The alert rules in a YAML `text`.

    Raises:
        Invalid: what is wrong, and at which word.
    """
    rules = read_rules(text, AlertRules)
    check_alert_rules(rules)
    return rules
