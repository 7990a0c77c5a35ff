"""What does a check-in come to? Done, rejected, unsure or doubtful, from what was measured; each with reasons.

In this order, the first that holds:

    nothing could be examined     rejected when the pictures are at fault, else unsure: nobody's fault
    signs of a picture held up    doubtful
    quality                       rejected: try again, and how to do better
    prompts not followed          rejected: try again
    no match                      doubtful
    undetermined                  unsure: try again; several times in a row: doubtful
    phone away from the person    doubtful
    else                          done

A machine settles only what is plain. Doubtful goes to a human, and nothing here goes to the score.
"""

from typing import Any, Literal, NamedTuple

from pipeline.identity import apart, presence
from pipeline.identity.apart import Apart
from pipeline.identity.comparison import Comparison, Rates, Thresholds, compare, thresholds
from pipeline.identity.presence import Presence
from pipeline.identity.quality import checks, failed
from pipeline.identity.rules import IdentityRules
from schemas.checkin import Checkin, CheckinState, Examined, PositionAnswer, Seen
from schemas.incident import IncidentType
from schemas.message import to_builtins

Asked = Literal["any", "clip"]

TYPES: dict[CheckinState, IncidentType] = {
    "done": "checkin.done",
    "rejected": "checkin.rejected",
    "unsure": "checkin.doubtful",
    "doubtful": "identity.doubtful",
}

NOT_THE_PERSONS = frozenset({"not_enrolled", "other_model", "too_slow", "gone"})

WORDS = {
    "not_enrolled": "No picture of you has been enrolled yet. Your officer was told; you need do nothing.",
    "other_model": "Your enrolled pictures have to be renewed. Your officer was told; you need do nothing.",
    "too_slow": "The pictures could not be looked at in time. Try again.",
    "gone": "The pictures are not there any more. Try again.",
    "unreadable": "The pictures cannot be read. Take new ones.",
    "too_large": "The pictures are too large. Send smaller ones.",
    "undetermined": "The picture does not tell enough. Find more light, look straight into the camera, and try again.",
    "clip_wanted": "A short video is needed. Record one while you follow the prompts.",
}


class Outcome(NamedTuple):
    """`reasons`: codes, the first one decided; `advice`: for the person; `evidence`: for humans who look into it."""

    state: CheckinState
    reasons: tuple[str, ...]
    advice: tuple[str, ...]
    evidence: dict[str, Any]
    confidence: float
    attributable: bool = True


class _Grounds(NamedTuple):
    """All that an outcome rests on."""

    usable: tuple[Seen, ...]
    advice: tuple[str, ...]
    codes: tuple[str, ...]
    presence: Presence
    comparison: Comparison
    apart: Apart


def judge(
    checkin: Checkin,
    examined: Examined,
    tracker: PositionAnswer | None,
    rules: IdentityRules,
    *,
    asked: Asked = "any",
    unsure_before: int = 0,
) -> Outcome:
    """What `checkin` comes to. `unsure_before`: how many in a row were undetermined before it."""
    if examined.problem:
        return _unexamined(examined)
    grounds = _grounds(checkin, examined, tracker, rules)
    evidence = _evidence(grounds, examined, rules)
    state, reasons, advice = _ruled(grounds, checkin, asked)
    if state == "unsure" and unsure_before + 1 >= rules.unsure_tries:
        state, reasons = "doubtful", ("undetermined_again", *reasons)
    confidence = 1.0
    if state == "done":
        confidence = 0.99 if grounds.presence.verdict == "shown" else 0.9
    elif state in ("doubtful", "unsure"):
        confidence = 0.5
    return Outcome(state, reasons, advice, evidence, confidence)


def _unexamined(examined: Examined) -> Outcome:
    mine = examined.problem in NOT_THE_PERSONS
    evidence = {"problem": examined.problem, "detail": examined.detail, "model": examined.model}
    advice = (WORDS[examined.problem],) if not examined.detail or mine else (examined.detail,)
    state: CheckinState = "unsure" if mine else "rejected"
    return Outcome(state, (examined.problem,), advice, evidence, 0.5 if mine else 1.0, attributable=not mine)


def _grounds(checkin: Checkin, examined: Examined, tracker: PositionAnswer | None, rules: IdentityRules) -> _Grounds:
    rates = Rates(fmr=rules.fmr, fnmr=rules.fnmr)
    judged = [(seen, failed(checks(seen.measures))) for seen in examined.seen]
    usable = tuple(seen for seen, bad in judged if not bad)
    bad = [one for _, wrong in judged for one in wrong]
    limits: Thresholds | None = None
    if rules.calibration is not None:
        limits = thresholds(rules.calibration, rates, max(len(examined.templates), 1))
    return _Grounds(
        usable=usable,
        advice=tuple(dict.fromkeys(one.advice for one in bad)),
        codes=tuple(dict.fromkeys(one.check for one in bad)),
        presence=presence.judge(checkin.prompts, examined.frames, examined.signs, limits, rules),
        comparison=compare([seen.distances for seen in usable], rules.calibration, rates),
        apart=apart.judge(checkin.place, tracker, checkin.received_at, rules),
    )


def _ruled(grounds: _Grounds, checkin: Checkin, asked: Asked) -> tuple[CheckinState, tuple[str, ...], tuple[str, ...]]:
    there, compared = grounds.presence, grounds.comparison
    mocked = checkin.place is not None and checkin.place.mock
    rows: tuple[tuple[bool, CheckinState, tuple[str, ...], tuple[str, ...]], ...] = (
        (bool(there.signs), "doubtful", tuple(sign.name for sign in there.signs), ()),
        (not grounds.usable, "rejected", grounds.codes or ("face_found",), grounds.advice),
        (there.verdict == "missing", "rejected", ("prompts",), there.why),
        (
            asked == "clip" and bool(checkin.prompts) and there.verdict == "unseen",
            "rejected",
            ("clip_wanted",),
            (WORDS["clip_wanted"],),
        ),
        (compared.outcome == "no_match", "doubtful", ("no_match",), ()),
        (compared.outcome == "undetermined", "unsure", ("undetermined",), (WORDS["undetermined"],)),
        (mocked, "doubtful", ("position_mocked",), ()),
        (grounds.apart.verdict == "apart", "doubtful", ("apart",), ()),
    )
    return next(((state, codes, advice) for holds, state, codes, advice in rows if holds), ("done", (), ()))


def _evidence(grounds: _Grounds, examined: Examined, rules: IdentityRules) -> dict[str, Any]:
    compared = grounds.comparison
    return {
        "comparison": {
            "outcome": compared.outcome,
            "distance": compared.distance,
            "threshold": compared.threshold,
            "no_match_above": compared.no_match_above,
            "fmr_target": compared.fmr_target,
            "templates": len(examined.templates),
            "pictures": len(grounds.usable),
        },
        "presence": {
            "verdict": grounds.presence.verdict,
            "shown": [to_builtins(one) for one in grounds.presence.shown],
            "signs": [sign._asdict() for sign in grounds.presence.signs],
        },
        "position": {
            "verdict": grounds.apart.verdict,
            "distance_m": grounds.apart.distance_m,
            "explained_m": grounds.apart.explained_m,
            "why": grounds.apart.why,
        },
        "quality": [to_builtins(one) for seen in examined.seen[:3] for one in failed(checks(seen.measures))],
        "measures": [to_builtins(seen.measures) for seen in examined.seen[:3]],
        "model": examined.model,
        "model_version": examined.model_version,
        "rules": rules.version,
    }
