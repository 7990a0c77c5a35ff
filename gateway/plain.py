"""Reading plain values as devices send them: numbers as text, times in three spellings, sentinels for "unknown"."""

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from schemas.message import Invalid
from schemas.times import Instant, from_epoch, instant

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})

MILLISECONDS_FROM = 2**31 - 1
"""Epoch numbers from here on are milliseconds, below it seconds: the boundary that Traccar draws."""


def number(value: Any, field: str) -> float:
    """`value`, a JSON number or ASCII text of one, as a finite float.

    Raises:
        Invalid: neither, or not finite.
    """
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"Expected `number`, got {_shown(value)}", field)
    try:
        result = float(value)
    except OverflowError:
        result = float("inf")
    if not isfinite(result):
        raise Invalid("Expected a finite `number`", field)
    return result


def bounded(value: Any, field: str, low: float, high: float) -> float:
    """`number`, and from `low` to `high`.

    Raises:
        Invalid: not a number, or out of that range.
    """
    result = number(value, field)
    if not low <= result <= high:
        raise Invalid(f"Expected `number` from {low:g} to {high:g}", field)
    return result


def measure(value: Any, low: float, high: float) -> float | None:
    """An optional measurement: None when absent, not a number, or out of range.

    A phone's "speed -1" or "accuracy unknown" must cost the measurement, not the position.
    """
    if value is None or value == "":
        return None
    try:
        return bounded(value, "$", low, high)
    except Invalid:
        return None


def truth(value: Any) -> bool | None:
    """True or False as JSON or text spells it (true/false, 1/0, yes/no); None for anything else."""
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    return True if text in _TRUE else False if text in _FALSE else None


def words(value: Any, longest: int = 64) -> str | None:
    """Short text, or None when `value` is not one."""
    return value if isinstance(value, str) and 0 < len(value) <= longest else None


def moment(value: Any, field: str) -> Instant:
    """The time that `value` names: epoch seconds, epoch milliseconds, RFC 3339, or ``2026-11-23 09:30:00`` in UTC.

    Raises:
        Invalid: none of them, or outside the years 1970 to 9999.
    """
    text = value.strip() if isinstance(value, str) else value
    try:
        if isinstance(text, str) and not _NUMBER.fullmatch(text):
            at = datetime.fromisoformat(text)
            return instant(at if at.tzinfo else at.replace(tzinfo=UTC))
        epoch = number(text, field)
        if epoch < 0:
            raise Invalid("Expected a time since 1970", field)
        return from_epoch(epoch / 1000 if epoch >= MILLISECONDS_FROM else epoch)
    except (ValueError, OverflowError, OSError) as error:
        if isinstance(error, Invalid):
            raise
        raise Invalid("Expected a time: epoch seconds or milliseconds, or RFC 3339", field) from error


def _shown(value: Any) -> str:
    kinds = {str: "text", bool: "`bool`", dict: "`object`", list: "`array`", type(None): "`null`"}
    return kinds.get(type(value), type(value).__name__)
