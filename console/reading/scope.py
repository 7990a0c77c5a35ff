"""Who may know of whom? The one place where that is decided.

An agency (None: all of them, for roles that have no agency) sees its own people, and those about whom it has a task in
hand; and of alerts and tasks those that are its own.
"""

from console.reading.refusals import OtherAgency, Unknown
from console.reading.shelf import Shelf
from pipeline.readmodel.layout import JOINT, index, index_key
from schemas.reference import Subject


async def handed(shelf: Shelf, agency: str) -> set[str]:
    """The people about whom the agency has tasks in hand."""
    return {member.partition(JOINT)[0] for member in await shelf.members([index("handed", agency)])}


async def sees(shelf: Shelf, agency: str | None, subject: Subject) -> bool:
    """Whether `agency` may know of the person."""
    if agency is None or subject.agency == agency:
        return True
    name = index_key(index("handed", agency))
    low, high = f"[{subject.subject_id}{JOINT}", f"({subject.subject_id}{chr(ord(JOINT) + 1)}"
    return bool(await shelf.redis.zrange(name, low, high, bylex=True, offset=0, num=1))


async def subject_of(shelf: Shelf, agency: str | None, subject_id: str) -> Subject:
    """The person, if `agency` may know of them.

    Raises:
        Unknown: there is none.
        OtherAgency: there is, for others.
    """
    subject = await shelf.document("subjects", subject_id, Subject)
    if subject is None:
        raise Unknown("subject", subject_id)
    if not await sees(shelf, agency, subject):
        raise OtherAgency(f"{subject_id} is not a case of {agency}")
    return subject


def owned(agency: str | None, *owners: str) -> None:
    """Nothing, if something of `owners` is for `agency`.

    Raises:
        OtherAgency: it is not.
    """
    if agency is not None and agency not in owners:
        raise OtherAgency(f"this is not for {agency}")
