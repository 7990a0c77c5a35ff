"""When is it tried again? Exponential backoff with full jitter, drawn from the attempt's id and not from a die.

Source of full jitter: M. Brooker, Exponential backoff and jitter, AWS Architecture Blog, 2015: a delay drawn evenly
from zero to the cap spreads retries best. The draw is a hash, so that a replay waits as long as the first run did.
"""

from uuid import UUID

from pipeline.channels.policy import Retry
from schemas.ids import event_id

SHORTEST_S = 1.0
"""A far side that may have taken the message needs a moment before it can be asked about it."""


def delay_s(attempt_id: str, tries: int, retry: Retry, retry_after_s: float | None = None) -> float:
    """How long to wait after the try number `tries` (from 1) failed; never less than the far side asked for."""
    cap = min(retry.most_s, retry.first_s * 2.0 ** min(tries - 1, 60))
    drawn = _share(attempt_id) * cap
    return max(min(SHORTEST_S, cap), drawn, retry_after_s or 0.0)


def _share(attempt_id: str) -> float:
    """A number from 0 to 1, even over ids, always the same for one."""
    return float(UUID(event_id("jitter", attempt_id)).int >> 76) / float(1 << 52)
