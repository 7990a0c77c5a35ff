"""The base of all messages: how they are written to bytes, read back, and refused with the field's name."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect

from schemas.times import Instant, instant

Moment = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339, UTC, milliseconds")]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]

T = TypeVar("T")


class Invalid(ValueError):
    """A message that cannot be used: says what is wrong and at which field.

    `field` is a JSON path such as ``$.lat`` or ``$[3].fix_time`` (``$``: the message as a whole).
    """

    def __init__(self, reason: str, field: str = "$") -> None:
        super().__init__(f"{reason} (at {field})")
        self.reason = reason
        self.field = field


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message on a topic. Unknown fields are ignored, missing required ones refused, times become `Instant`."""

    def __post_init__(self) -> None:
        for name in _moments_of(type(self)):
            value = getattr(self, name)
            if isinstance(value, datetime) and type(value) is not Instant:
                msgspec.structs.force_setattr(self, name, instant(value))


@cache
def _moments_of(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of `kind` that may hold a moment."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)  # noqa: S101  # all messages are
    return tuple(field.name for field in described.fields if _may_be_moment(field.type))


def _may_be_moment(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.Metadata):
        return _may_be_moment(kind.type)
    if isinstance(kind, inspect.UnionType):
        return any(_may_be_moment(one) for one in kind.types)
    return isinstance(kind, inspect.DateTimeType | inspect.AnyType | inspect.CustomType)


def _enc_hook(value: Any) -> Any:
    if isinstance(value, Instant):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form on a topic")


_ENCODER = msgspec.json.Encoder(enc_hook=_enc_hook)
encode = _ENCODER.encode
"""JSON bytes of a message, or of a list of them; keys in the order of the class, so equal messages give equal bytes."""


def to_builtins(message: Any) -> Any:
    """The message as plain dicts, lists, strings and numbers, as its JSON would read."""
    return msgspec.to_builtins(message, enc_hook=_enc_hook)


def invalid_from(error: Exception) -> Invalid:
    """The `Invalid` that says what msgspec's `error` says, with its path apart."""
    if isinstance(error, RecursionError):
        return Invalid("JSON is nested too deeply")
    text = str(error)
    reason, separator, path = text.rpartition(" - at `")
    return Invalid(reason, path.rstrip("`")) if separator else Invalid(text)


def decode(raw: bytes | bytearray | memoryview, kind: type[T]) -> T:
    """The message of type `kind` in JSON `raw`.

    Raises:
        Invalid: not JSON, not UTF-8, a required field missing, a value of the wrong type or out of its range.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_from(error) from error


def convert(value: Any, kind: type[T]) -> T:
    """The message of type `kind` in plain `value` (dicts and lists); text numbers are not numbers.

    Raises:
        Invalid: as `decode`.
    """
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.MsgspecError as error:
        raise invalid_from(error) from error
