"""Which messages does somebody want to see? Conditions such as ``type=breach.opened`` or ``evidence.distance_m>50``."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

_FORM = re.compile(r"^\s*([A-Za-z_][\w.-]*)\s*(>=|<=|!=|=~|==?|<|>)\s*(.*?)\s*$", re.DOTALL)
_ABSENT = object()

Test = Callable[[Any], bool]


class BadCondition(ValueError):
    """A condition that cannot be read; says how one is written."""


def condition(text: str) -> Test:
    """The test over a message (plain dicts and lists) that `text` asks for: FIELD OP VALUE.

    FIELD is a path with dots. OP: ``=`` (or ``==``), ``!=``, ``=~`` (regular expression, anywhere), ``<``, ``<=``,
    ``>``, ``>=``. Numbers are compared as numbers, times as times, all else as text. A missing field meets only
    ``!=``. A field that is a list meets a condition if one of its elements does.

    Raises:
        BadCondition: `text` is not of that form.
    """
    found = _FORM.match(text)
    if not found:
        raise BadCondition(f"{text!r} is not a condition; write FIELD=VALUE, or != =~ < <= > >= instead of =")
    path, operator, wanted = found.groups()
    meets = _matches(wanted, text) if operator == "=~" else _compares(operator.replace("==", "="), wanted)
    parts = path.split(".")

    def test(message: Any) -> bool:
        value = _at(message, parts)
        if value is _ABSENT:
            return operator == "!="
        if isinstance(value, list) and operator != "!=":
            return any(meets(one) for one in value)
        return meets(value)

    return test


def _at(message: Any, parts: Sequence[str]) -> Any:
    for place, part in enumerate(parts):
        if not isinstance(message, dict):
            return _ABSENT
        if (rest := ".".join(parts[place:])) in message:
            return message[rest]
        if part not in message:
            return _ABSENT
        message = message[part]
    return message


def _matches(pattern: str, text: str) -> Test:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise BadCondition(f"{text!r}: not a regular expression: {error}") from error
    return lambda value: expression.search(_text(value)) is not None


def _compares(operator: str, wanted: str) -> Test:
    number, moment = _number(wanted), _moment(wanted)

    def order(value: Any) -> int | None:
        """Below, at or above 0 as `value` is before, equal to or after what is wanted; None: not comparable."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return None if number is None else (value > number) - (value < number)
        if moment is not None and isinstance(value, str) and (at := _moment(value)) is not None:
            return (at > moment) - (at < moment)
        text = _text(value)
        return (text > wanted) - (text < wanted)

    tests: dict[str, Callable[[int], bool]] = {
        "=": lambda sign: sign == 0,
        "!=": lambda sign: sign != 0,
        "<": lambda sign: sign < 0,
        "<=": lambda sign: sign <= 0,
        ">": lambda sign: sign > 0,
        ">=": lambda sign: sign >= 0,
    }

    def test(value: Any) -> bool:
        sign = order(value)
        return operator == "!=" if sign is None else tests[operator](sign)

    return test


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
