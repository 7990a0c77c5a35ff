"""To which alert does an incident belong? To one of its group that goes on or has just ended; else it makes its own."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipeline.alerting.case import Case, severity_of
from pipeline.alerting.policy import RANK, AlertClause, AlertRules
from schemas.incident import Incident

ON_ITS_WAY = timedelta(seconds=60)
"""An incident detected this little before its alert was resolved was part of what the officer resolved."""


def group_of(rule: str, clause: AlertClause, incident: Incident) -> str:
    """What makes incidents of one person the same alert: the rule and, where it says so, the fence."""
    if clause.own:
        return f"{rule}/{incident.incident_id}"
    return f"{rule}/{incident.fence_id}" if clause.by_fence else rule


def home_of(cases: Iterable[Case], group: str, incident: Incident, rules: AlertRules, at: datetime) -> Case | None:
    """The alert that takes `incident` in, the latest of those that may."""
    found = [case for case in cases if case.group == group and _takes(case, incident, rules, at)]
    return max(found, key=lambda case: (case.alert.raised_at, case.alert.alert_id), default=None)


def _takes(case: Case, incident: Incident, rules: AlertRules, at: datetime) -> bool:
    rejoin = timedelta(seconds=rules.rejoin_s)
    match case.alert.state:
        case "resolved":
            closed_at = case.closed_at or at
            just = timedelta(0) <= closed_at - incident.detected_at <= ON_ITS_WAY
            clause = rules.clauses.get(case.alert.rule)
            worse = clause is None or RANK[severity_of(clause, incident)] > RANK[case.alert.severity]
            return just and not incident.late and not worse
        case "cleared":
            return not incident.late and at - (case.closed_at or at) <= rejoin
        case _:
            # What ended long ago and was never resolved must not swallow what happens now.
            return case.quiet_since is None or at - case.quiet_since <= rejoin


def threads_ended(incident: Incident) -> str:
    """The thread that an ending incident names: a breach, or the incident that it settles; empty: all of its rule."""
    settles = incident.evidence.get("settles", "")
    return incident.breach_id or (settles if isinstance(settles, str) else "")
