"""What follows for a person from a check-in, what was measured on it, a plan, an officer's word, or the time?

    checkins           a check-in waits for its measures; the tracker's position is asked for
    face-results       it is judged, when the position has come too or been waited for
    position-answers   the same
    checkin-plans      slots are worked out a day ahead
    enrolments         until when the person's face may be kept
    commands           identity.settle: an officer says who it was

A slot opens, and the person is called; it closes, and is met, missed, or, when the person tried and could not be told,
a matter for a human. A doubt is open until an officer settles it.
"""

from datetime import datetime, timedelta

import msgspec

from pipeline.hearsay import heard_command
from pipeline.identity import calls, tries
from pipeline.identity.attempts import is_too_soon
from pipeline.identity.known import Known
from pipeline.identity.outcome import Outcome, judge
from pipeline.identity.person import SHAS_KEPT, Held, Pending, Person
from pipeline.identity.plan import check, slots
from pipeline.identity.settling import settle
from pipeline.identity.turn import Turn
from pipeline.step import Emission, Record, Step, Wake
from schemas.checkin import Checkin, Examined, PositionAnswer, PositionAsk
from schemas.command import SettleIdentity
from schemas.gallery import Enrolment, Erasure
from schemas.ids import event_id
from schemas.message import Invalid, decode
from schemas.plan import CheckinPlan
from schemas.times import instant

AHEAD = timedelta(hours=2)
HORIZON = timedelta(days=1)


def decide(key: str, state: Person | None, event: Record | Wake, reference: Known, now: datetime) -> Step[Person]:
    """What follows from `event` for the person `key`.

    Raises:
        Invalid: a record that is not what its topic says, or a plan that cannot be carried out.
    """
    turn = Turn(key, state or Person(), reference, now)
    if isinstance(event, Wake):
        return turn.step(_pass_time(turn))
    match event.topic:
        case "checkins":
            _on_checkin(turn, decode(event.value, Checkin))
        case "face-results":
            examined = decode(event.value, Examined)
            _on_part(turn, examined.checkin_id, examined=examined)
        case "position-answers":
            position = decode(event.value, PositionAnswer)
            _on_part(turn, position.checkin_id, position=position)
        case "checkin-plans":
            _on_plan(turn, decode(event.value, CheckinPlan) if event.value else None)
        case "enrolments":
            _on_enrolment(turn, decode(event.value, Enrolment))
        case _:
            command = heard_command(event.value)
            if isinstance(command, SettleIdentity):
                settle(turn, command)
    return turn.step(_pass_time(turn))


def _on_checkin(turn: Turn, checkin: Checkin) -> None:
    person = turn.person
    if checkin.checkin_id in person.settled or turn.pending(checkin.checkin_id).checkin is not None:
        return  # the gateway was asked twice
    refusal = ""
    if any(picture.sha256[:16] in person.shas for picture in checkin.pictures):
        refusal = "replayed"
    elif is_too_soon(checkin.received_at, person.retry_at):
        refusal = "too_soon"
    if refusal:
        turn.forget_pending(checkin.checkin_id)
        turn.settled(checkin.checkin_id)
        tries.refused(turn, checkin, refusal)
        return
    turn.change(shas=(*person.shas, *(picture.sha256[:16] for picture in checkin.pictures))[-SHAS_KEPT:])
    tracker = checkin.tracker_id or (person.plan.tracker_id if person.plan else "")
    if tracker and checkin.place is not None:
        ask_id = event_id("position-ask", checkin.checkin_id)
        ask = PositionAsk(
            ask_id=ask_id, checkin_id=checkin.checkin_id, subject_id=turn.key, device_id=tracker, at=checkin.received_at
        )
        turn.emit(Emission("position-asks", tracker, ask, ask_id))
    known = turn.pending(checkin.checkin_id)
    turn.put_pending(
        msgspec.structs.replace(
            known,
            checkin=checkin,
            position_asked=bool(tracker and checkin.place),
            settle_by=instant(turn.now + timedelta(seconds=turn.rules.result_wait_s)),
        )
    )
    _perhaps_judge(turn, checkin.checkin_id)


def _on_part(
    turn: Turn, checkin_id: str, examined: Examined | None = None, position: PositionAnswer | None = None
) -> None:
    """A part of what a check-in is judged by; it may come before the check-in itself."""
    if checkin_id in turn.person.settled:
        return
    known = turn.pending(checkin_id)
    if examined is not None and known.examined is None:
        wait = turn.rules.position_wait_s if known.checkin is not None else turn.rules.result_wait_s
        known = msgspec.structs.replace(known, examined=examined, settle_by=instant(turn.now + timedelta(seconds=wait)))
    if position is not None:
        known = msgspec.structs.replace(known, position=position)
    turn.put_pending(known)
    _perhaps_judge(turn, checkin_id)


def _perhaps_judge(turn: Turn, checkin_id: str) -> None:
    """Judge the check-in if all has come that is waited for."""
    waiting = turn.pending(checkin_id)
    if waiting.checkin is None or waiting.examined is None:
        return
    if waiting.position_asked and waiting.position is None and turn.now < waiting.settle_by:
        wait = instant(turn.now + timedelta(seconds=turn.rules.position_wait_s))
        turn.put_pending(msgspec.structs.replace(waiting, settle_by=min(wait, waiting.settle_by)))
        return
    _judge(turn, waiting, waiting.checkin, waiting.examined)


def _judge(turn: Turn, waiting: Pending, checkin: Checkin, examined: Examined) -> None:
    turn.forget_pending(checkin.checkin_id)
    turn.settled(checkin.checkin_id)
    outcome = judge(
        checkin,
        examined,
        waiting.position,
        turn.rules,
        asked=turn.person.plan.asked if turn.person.plan else "any",
        unsure_before=turn.person.unsure_in_row,
    )
    tries.tell(turn, checkin, outcome)


def _on_plan(turn: Turn, plan: CheckinPlan | None) -> None:
    before = turn.person.plan
    if plan == before:
        return
    if plan is not None:
        if plan.subject_id != turn.key:
            raise Invalid(f"the record's key is {turn.key!r}; it must be the subject_id", "$.subject_id")
        check(plan)
        _seed(turn, plan)
    if before is not None and (plan is None or plan.plan_id != before.plan_id):
        for held in turn.person.open:
            if not held.met_by:
                calls.tell(turn, held.slot, "withdrawn")
        turn.change(open=())
    turn.change(plan=plan, planned_until=None, upcoming=())


def _seed(turn: Turn, plan: CheckinPlan) -> bytes | None:
    sampling = plan.sampling
    return None if sampling is None else turn.known.seed(plan.plan_id, sampling.sealed, sampling.seed)


def _on_enrolment(turn: Turn, enrolment: Enrolment) -> None:
    turn.change(
        enrolled=enrolment.event == "enrolled",
        order_id=enrolment.order_id or turn.person.order_id,
        retain_until=enrolment.retain_until or turn.person.retain_until,
    )


# time


def _pass_time(turn: Turn) -> datetime | None:
    """Do all that is due by now; when to wake next."""
    for waiting in turn.person.pending:
        if waiting.settle_by <= turn.now:
            _give_up(turn, waiting)
    _plan_ahead(turn)
    for slot in [slot for slot in turn.person.upcoming if slot.opens_at <= turn.now]:
        turn.change(
            upcoming=tuple(one for one in turn.person.upcoming if one.slot_id != slot.slot_id),
            open=(*turn.person.open, Held(slot=slot)),
        )
        calls.tell(turn, slot, "called")
    for held in turn.person.open:
        if turn.is_over(held):
            calls.close(turn, held)
    erase_at = turn.erase_at()
    if erase_at is not None and erase_at <= turn.now:
        _erase(turn)
        return None
    return min((at for at in (*turn.deadlines(), _plan_again_at(turn), erase_at) if at is not None), default=None)


def _give_up(turn: Turn, waiting: Pending) -> None:
    """Judge without what has not come."""
    if waiting.checkin is None:
        turn.forget_pending(waiting.checkin_id)  # the gateway never took it
    elif waiting.examined is not None:
        _judge(turn, waiting, waiting.checkin, waiting.examined)
    else:
        turn.forget_pending(waiting.checkin_id)
        turn.settled(waiting.checkin_id)
        late = Outcome("doubtful", ("not_examined",), (), {"problem": "not_examined"}, 0.5, attributable=False)
        tries.tell(turn, waiting.checkin, late)


def _plan_ahead(turn: Turn) -> None:
    plan = turn.person.plan
    if plan is None:
        return
    since = turn.person.planned_until or instant(turn.now)
    if since > turn.now + AHEAD:
        return
    until = instant(max(since, instant(turn.now)) + HORIZON)
    known = {held.slot.slot_id for held in turn.person.open}
    new = [slot for slot in slots(plan, _seed(turn, plan), since, until) if slot.slot_id not in known]
    turn.change(upcoming=(*turn.person.upcoming, *new), planned_until=until)


def _plan_again_at(turn: Turn) -> datetime | None:
    plan, until = turn.person.plan, turn.person.planned_until
    if plan is None or until is None or (plan.ends_at is not None and until >= plan.ends_at):
        return None
    return until - AHEAD


def _erase(turn: Turn) -> None:
    """The order is over: ask for the face to be deleted, and keep nothing."""
    person = turn.person
    at = turn.erase_at()
    order_id = person.order_id or (person.plan.order_id if person.plan else "")
    erasure_id = event_id("erasure", turn.key, order_id, at)
    erasure = Erasure(
        erasure_id=erasure_id,
        subject_id=turn.key,
        event="due",
        at=instant(turn.now),
        reason="the order has ended",
        order_id=order_id,
    )
    turn.emit(Emission("erasures", turn.key, erasure, event_id("erasure-due", erasure_id)))
    turn.forget()
