"""How often is an alert right? By rule, by fence, by device, from the outcomes that officers gave."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Literal

from schemas.alert import Alert, Outcome
from schemas.message import Message

Subject = Literal["rule", "fence", "device"]

RIGHT: frozenset[Outcome] = frozenset({"true_breach"})
WRONG: frozenset[Outcome] = frozenset({"false_alarm_gps", "false_alarm_device", "false_alarm_identity"})
"""Other outcomes (authorised, outage, test, other) say nothing about whether the detection was right."""

Z_95 = 1.959963984540054


class Precision(Message, frozen=True, kw_only=True):
    """The precision of one rule, fence or device. `low`, `high`: Wilson's interval at 95 %.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), 209-212.
    """

    of: Subject
    name: str
    right: int
    wrong: int
    outcomes: dict[str, int]
    unresolved: int = 0
    precision: float | None = None
    low: float = 0.0
    high: float = 1.0


def precision_of(alerts: Iterable[Alert]) -> list[Precision]:
    """Precision from a stream of alert changes, the worst first; the latest change of each alert counts."""
    latest = {alert.alert_id: alert for alert in alerts}
    outcomes: defaultdict[tuple[Subject, str], Counter[str]] = defaultdict(Counter)
    for alert in latest.values():
        told: tuple[tuple[Subject, str], ...] = (
            ("rule", alert.rule),
            ("fence", alert.fence_id),
            ("device", alert.device_id),
        )
        for of, name in told:
            if name:
                outcomes[of, name][alert.outcome or ""] += 1
    found = [_precision(of, name, counts) for (of, name), counts in outcomes.items()]
    return sorted(
        found, key=lambda one: (one.of, 2.0 if one.precision is None else one.precision, -one.wrong, one.name)
    )


def _precision(of: Subject, name: str, counts: Counter[str]) -> Precision:
    right = sum(counts[outcome] for outcome in RIGHT)
    wrong = sum(counts[outcome] for outcome in WRONG)
    low, high = wilson(right, right + wrong)
    return Precision(
        of=of,
        name=name,
        right=right,
        wrong=wrong,
        outcomes={outcome: number for outcome, number in sorted(counts.items()) if outcome},
        unresolved=counts[""],
        precision=right / (right + wrong) if right + wrong else None,
        low=low,
        high=high,
    )


def wilson(right: int, all_: int) -> tuple[float, float]:
    """The interval that holds the true share in 95 of 100 cases, from `right` of `all_`; (0, 1) from nothing."""
    if not all_:
        return 0.0, 1.0
    share, square = right / all_, Z_95 * Z_95
    middle = share + square / (2 * all_)
    spread = Z_95 * math.sqrt(share * (1 - share) / all_ + square / (4 * all_ * all_))
    return max(0.0, (middle - spread) / (1 + square / all_)), min(1.0, (middle + spread) / (1 + square / all_))
