"""What is done at the end of an order? The person's key, templates and pictures are destroyed, and a record says so."""

from contextlib import suppress
from datetime import datetime

from agents.objectstore import Damaged, Exists, Vault
from schemas.gallery import Erasure, Gallery
from schemas.times import instant

BY = "examiner"


def erased(vault: Vault, due: Erasure, now: datetime) -> Erasure:
    """Destroy the person's key and all that it opened; the record of it.

    What was enrolled later, under another order, stays. Twice does no harm.

    Raises:
        OSError: the store is away; do it again.
    """
    try:
        templates = vault.gallery(due.subject_id).templates
    except Damaged:  # it cannot be read, and need not be
        templates = ()
    later = tuple(one for one in templates if one.made_at > due.at)
    objects, had_key = 0, False
    if not later or len(later) < len(templates):  # else it was done, and the person came again since
        objects, had_key = vault.forget(due.subject_id)
    if had_key and later:
        with suppress(Exists):
            vault.make_key(due.subject_id)
        vault.keep_gallery(Gallery(subject_id=due.subject_id, templates=later))
    return Erasure(
        erasure_id=due.erasure_id,
        subject_id=due.subject_id,
        event="done",
        at=instant(now),
        reason=due.reason,
        order_id=due.order_id,
        by=BY,
        templates=len(templates) - len(later),
        pictures=max(0, objects - bool(templates)),
        key_destroyed=had_key or not later,  # gone, even if it was before a crash that it went
    )
