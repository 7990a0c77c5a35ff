"""How do columns with a row for each device grow? In place and by bounded steps.

Twice the room at once would leave up to half of a gigabyte unused, and a copy would hold the old and the new one
together. The C library moves a large block to more room without copying it (`mremap`), so small steps cost nothing.
"""

from typing import Any

import numpy as np

LEAST, MOST = 64, 1 << 14
"""Rows by which columns grow at least and at most, where no more are needed."""


def room(had: int, count: int) -> int:
    """How many rows to have, in place of `had`, where `count` are needed."""
    return had if count <= had else max(count, had + min(max(had // 4, LEAST), MOST))


def lengthen(holder: object, name: str, length: int, empty: Any = 0) -> None:
    """Let the column `name` of `holder`, an array (had, ...), have `length` rows; the new ones are `empty`.

    Views of it must be let go first and made anew. Where one is left the column is copied, and the view stays as it
    is.
    """
    had = len(getattr(holder, name))
    shape = (length, *getattr(holder, name).shape[1:])
    try:
        getattr(holder, name).resize(shape)  # a name for it here would count as a view
    except ValueError:  # there is a view
        grown = np.zeros(shape, getattr(holder, name).dtype)
        grown[:had] = getattr(holder, name)
        setattr(holder, name, grown)
    if empty != 0:
        getattr(holder, name)[had:] = empty
