"""Which check-ins are asked of a person, and how did they end? What is drawn is not kept."""

from datetime import datetime

import msgspec

from pipeline.identity.plan import slots
from pipeline.readmodel.answers import DueCheckin
from pipeline.readmodel.draft import Places, Reading, Told, kept
from pipeline.readmodel.layout import age, of_subject
from schemas.checkin import CheckinCall
from schemas.message import Invalid
from schemas.plan import CheckinPlan


def call_places(call: CheckinCall) -> Places:
    """By person and when it opens."""
    return {
        (of_subject("calls", call.subject_id), call.slot_id): call.opens_at.timestamp(),
        (age("calls"), call.slot_id): call.closes_at.timestamp(),
    }


def read_call(call: CheckinCall) -> Reading:
    """Keep how a check-in that was asked for stands; that it was asked for is never the last word over how it ended."""
    bare = msgspec.structs.replace(call, tell=())

    def is_newer(old: CheckinCall, new: CheckinCall) -> bool:
        return new.at >= old.at and (new.event != "called" or old.event == "called")

    return kept(
        ("calls", call.slot_id),
        bare,
        CheckinCall,
        call_places,
        lambda old, new: [Told("person", call.subject_id, call.subject_id)],  # noqa: ARG005
        is_newer,
    )


def read_plan(subject_id: str, plan: CheckinPlan | None) -> Reading:
    """Keep what the person may know of their plan: not the times that are drawn."""
    bare = None if plan is None else msgspec.structs.replace(plan, sampling=None)
    return kept(
        ("plans", subject_id),
        bare,
        CheckinPlan,
        lambda _: {},
        lambda old, new: [Told("person", subject_id, subject_id)],  # noqa: ARG005
    )


def due(
    calls: tuple[CheckinCall, ...], plan: CheckinPlan | None, since: datetime, now: datetime, until: datetime
) -> tuple[DueCheckin, ...]:
    """The check-ins that close after `since`, in order, with those that the person can know of up to `until`.

    Of those that are still to come (state ``planned``) at least the next is told, if any comes before `until`.
    """
    told = [
        DueCheckin(slot_id=one.slot_id, opens_at=one.opens_at, closes_at=one.closes_at, state=one.event)
        for one in calls
        if one.closes_at > since and one.event != "withdrawn"
    ]
    known = {one.slot_id for one in calls}
    try:
        coming = () if plan is None else slots(plan, None, now, until)
    except Invalid:  # checkin-plans.rejected says what is wrong with it
        coming = ()
    told += [
        DueCheckin(slot_id=one.slot_id, opens_at=one.opens_at, closes_at=one.closes_at, state="planned")
        for one in coming
        if one.slot_id not in known
    ]
    return tuple(sorted(told, key=_by_time))


def _by_time(one: DueCheckin) -> tuple[datetime, str]:
    assert one.opens_at is not None  # noqa: S101  # all of ours say when
    return one.opens_at, one.slot_id
