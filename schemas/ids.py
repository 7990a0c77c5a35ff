"""Ids that are the same for the same event, on every machine and at every replay."""

from uuid import UUID, uuid5

NAMESPACE = UUID("6e2f1d0c-7c3b-5a53-9a0f-0b5f6d0c8d11")
"""Fenceline's own UUIDv5 namespace; changing it would change every id, so it never changes."""


def event_id(*parts: object) -> str:
    """The UUIDv5 over `parts`: what makes the event the same event (type, activation, fence, time ...).

    Parts are joined with the unit separator (U+001F), so ("ab", "c") and ("a", "bc") differ.
    """
    return str(uuid5(NAMESPACE, "\x1f".join(map(str, parts))))
