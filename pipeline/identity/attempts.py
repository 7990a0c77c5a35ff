"""May this person try again, and when? Five failures in a row are free, then each try waits 30 seconds.

The limits of NIST SP 800-63B, 5.2.3: after the fifth failure in a row at least 30 seconds before the next try. What
fails is a picture that could not be used, or was not found to be the person. A success ends the row.
"""

from datetime import datetime, timedelta

from pipeline.identity.rules import IdentityRules
from schemas.times import Instant, instant


def next_try(failed_in_row: int, failed_at: datetime, rules: IdentityRules) -> Instant | None:
    """When the next try is allowed after `failed_in_row` failures, the last at `failed_at`; None: at once."""
    if failed_in_row < rules.free_failures:
        return None
    return instant(failed_at + timedelta(seconds=rules.delay_s))


def is_too_soon(received_at: datetime, retry_at: datetime | None) -> bool:
    """Whether a check-in came before it was allowed."""
    return retry_at is not None and received_at < retry_at
