"""How do we log? One JSON line per unit of work on stderr, without phone numbers, tokens, faces or exact places."""

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog

HIDDEN = "(hidden)"
_SHORTEST = 6  # of what is worth hiding: 1.2345

_HIDDEN_KEYS = frozenset(
    {
        *("lat", "lon", "latitude", "longitude", "coordinates", "coords", "geometry", "place", "position", "location"),
        *("address", "phone", "mobile", "to", "sms", "email", "contacts", "name", "image", "face", "embedding"),
        *("token", "password", "secret", "authorization", "raw", "body", "query", "query_string", "url"),
    }
)
_PATTERNS = (
    (re.compile(r"\bfl_([a-z0-9]{4,32})_[A-Za-z0-9_-]+"), r"fl_\1_(hidden)"),
    (re.compile(r"://[^/\s@]+@"), "://(hidden)@"),
    (re.compile(r"(?<![\w.-])(?:\+\d[\d -]{6,16}\d|1[3-9]\d{9})(?![\w.-])"), HIDDEN),
    (re.compile(r"(?<![\w.])-?\d{1,3}\.\d{4,}(?![\w.])"), HIDDEN),
)
_SUSPECT = re.compile("|".join(pattern.pattern for pattern, _ in _PATTERNS))
"""Any of: tokens, passwords in URLs, phone numbers (E.164, or Chinese mobile), degrees finer than some 100 m."""


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor for structlog: hides what a log must not hold, by key and by what a text looks like."""
    for key, value in event.items():
        event[key] = HIDDEN if key.lower() in _HIDDEN_KEYS else redacted(value)
    return event


def redacted(value: Any) -> Any:
    """`value` with tokens, phone numbers and exact places hidden, in texts at any depth."""
    if isinstance(value, str):
        if len(value) < _SHORTEST or not _SUSPECT.search(value):
            return value
        for pattern, shown in _PATTERNS:
            value = pattern.sub(shown, value)
        return value
    if isinstance(value, dict):
        return {key: HIDDEN if str(key).lower() in _HIDDEN_KEYS else redacted(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(part) for part in value]
    return value


def _stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["timestamp"] = f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:23]}Z"
    return event


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def configure(level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's lines as JSON to `stream` (stderr), redacted."""
    sink = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, _line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sink),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sink)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
