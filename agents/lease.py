"""Are the partitions still ours? Until the group could have given them to another worker, and not a moment longer."""

import time
from collections.abc import Callable

MARGIN_S = 0.5


class Lease:
    """Our membership of the group: certain for `session_timeout_s` after a heartbeat that was answered.

    A worker that was frozen for longer, or cut off, may have been replaced without noticing. It must not send.
    """

    def __init__(self, session_timeout_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lasts_s = session_timeout_s - MARGIN_S
        self._clock = clock
        self._renewed_at = clock()

    def renew(self, sent_at: float) -> None:
        """The group answered a heartbeat that was sent at `sent_at` by this lease's clock."""
        self._renewed_at = max(self._renewed_at, sent_at)

    def remaining_s(self) -> float:
        """How long the partitions are ours for certain; not above zero: perhaps they are not."""
        return self._renewed_at + self._lasts_s - self._clock()
