"""How do columns with a row for each device grow? In place and by bounded steps.

Twice the room at once would leave up to half of a gigabyte unused, and a copy would hold the old and the new one
together. So a large column has pages of its own, four times as many as it needs: the system gives room only where
something was written, moves pages to more room without copying (`mremap`), and has them back at once. In the heap each
step would leave a hole.
"""

import mmap
from contextlib import suppress
from typing import Any

import numpy as np

LEAST, MOST = 64, 1 << 15
"""Rows by which columns grow at least and at most, where no more are needed."""

LARGE, AHEAD = 1 << 20, 1 << 26
"""Bytes from which on a column has its own pages, and for which these are laid out at least."""


def room(had: int, count: int) -> int:
    """How many rows to have, in place of `had`, where `count` are needed."""
    return had if count <= had else max(count, had + min(max(had // 4, LEAST), MOST))


def zeros(shape: tuple[int, ...], dtype: Any) -> Any:
    """As `numpy.zeros`, in pages of its own if it is large."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.zeros(shape, dtype) if size < LARGE else _seen(_pages(size), shape, np.dtype(dtype))


def lengthen(holder: object, name: str, length: int, empty: Any = 0) -> None:
    """Let the column `name` of `holder`, an array (had, ...), have `length` rows; the new ones are `empty`.

    Views of it are to be let go first and made anew: one that is left may cost a copy, and show the column as it was.
    """
    column = getattr(holder, name)
    had, shape, dtype = len(column), (length, *column.shape[1:]), column.dtype
    pages, size = _pages_of(column), int(np.prod(shape)) * dtype.itemsize
    if pages is None:
        grown = zeros(shape, dtype)
        grown[:had] = column
    elif size <= len(pages):
        grown = _seen(pages, shape, dtype)
    else:
        del column
        setattr(holder, name, None)
        try:
            pages.resize(4 * size)
            grown = _seen(pages, shape, dtype)
        except (BufferError, SystemError):  # there is a view; or this system cannot
            setattr(holder, name, _seen(pages, (had, *shape[1:]), dtype))
            grown = _seen(_pages(size), shape, dtype)
            grown[:had] = getattr(holder, name)
    if empty != 0:
        grown[had:] = empty
    setattr(holder, name, grown)


def _pages(size: int) -> mmap.mmap:
    pages = mmap.mmap(-1, max(4 * size, AHEAD), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # rows are read here and there
        with suppress(OSError):  # there are kernels without
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def _seen(pages: mmap.mmap, shape: tuple[int, ...], dtype: Any) -> Any:
    """The first of `pages` as an array; while it or a view of it lives they cannot be moved."""
    return np.frombuffer(pages, dtype, int(np.prod(shape))).reshape(shape)


def _pages_of(column: Any) -> mmap.mmap | None:
    while isinstance(column, np.ndarray):
        column = column.base
    return column.obj if isinstance(column, memoryview) and isinstance(column.obj, mmap.mmap) else None
