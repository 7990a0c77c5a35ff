"""Which version of the rules was in force at a moment? Versions of one part's rules, in order of effect."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
import yaml

from schemas.message import Invalid, invalid_from
from schemas.roster import RuleSet

R = TypeVar("R")

ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
"""The moment from which the rules that came with the program hold, until an installation has its own."""


def read_rules(text: str, kind: type[R]) -> R:
    """Rules of type `kind` from YAML.

    Raises:
        Invalid: not YAML, an unknown word (so that a typing error is not a rule that never applies), a wrong value.
    """
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "$"
        raise Invalid(f"not YAML: {getattr(error, 'problem', error)}", where) from error
    return convert_rules(body, kind)


def convert_rules(body: Any, kind: type[R]) -> R:
    """Rules of type `kind` from plain dicts and lists, as a YAML file or the topic `rules` has them.

    Raises:
        Invalid: as `read_rules`.
    """
    try:
        return msgspec.convert(body, type=kind)
    except msgspec.ValidationError as error:
        raise invalid_from(error) from error


class Rulebook(Generic[R]):
    """All versions of one part's rules. `default` holds before the first that an installation gives."""

    def __init__(self, kind: type[R], default: R, check: Callable[[R], None] | None = None) -> None:
        self._kind = kind
        self._check = check
        self._versions: dict[str, tuple[datetime, R]] = {"": (ALWAYS, default)}
        self._order: list[tuple[datetime, str]] = [(ALWAYS, "")]

    def learn(self, rule_set: RuleSet) -> None:
        """Add a version, or correct one that was given under the same id.

        Raises:
            Invalid: the body is not of these rules.
        """
        rules = convert_rules(rule_set.body, self._kind)
        if self._check is not None:
            self._check(rules)
        self._versions[rule_set.rule_set_id] = (rule_set.effective_from, rules)
        self._sort()

    def forget(self, rule_set_id: str) -> None:
        """Take a version back."""
        if rule_set_id and self._versions.pop(rule_set_id, None) is not None:
            self._sort()

    def _sort(self) -> None:
        self._order = sorted((begins, rule_set_id) for rule_set_id, (begins, _) in self._versions.items())

    def at(self, moment: datetime) -> R:
        """The rules in force at `moment`: nobody is judged by a rule that came later."""
        place = bisect_right(self._order, (moment, "\U0010ffff")) - 1
        return self._versions[self._order[max(place, 0)][1]][1]
