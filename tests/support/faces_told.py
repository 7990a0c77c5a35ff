"""Check-ins as the topics carry them, with measures that stand for faces, so that no face has to be looked at."""

from hashlib import sha256
from typing import Any

from pipeline.identity.calibration import DLIB
from pipeline.identity.comparison import Rates, thresholds
from pipeline.identity.decide import decide
from pipeline.identity.known import Known
from pipeline.identity.person import Person
from pipeline.identity.rules import IdentityRules
from pipeline.keyed import KeyedCore
from schemas.checkin import Checkin, Examined, Measures, Picture, PositionAnswer, Seen
from schemas.ids import event_id
from schemas.incident import Incident
from schemas.message import convert
from schemas.plan import CheckinPlan
from schemas.times import Instant, parse
from tests.support.office import Bench, at

GOOD = Measures(
    faces=1, width_px=900, height_px=1200, face_px=400, eyes_px=160, certainty=2.0, sharpness=60.0, brightness=120.0,
    contrast=45.0,
)  # fmt: skip
NOBODY = Measures(faces=0, width_px=900, height_px=1200)

_LIMITS = thresholds(DLIB, Rates())
SAME, BETWEEN, OTHER = 0.05, (_LIMITS.match + _LIMITS.no_match) / 2, 3.0


def known(**rules: Any) -> Known:
    """What a worker knows; seeds lie in the open."""
    return Known(IdentityRules(**rules), lambda _, sealed: sealed, lambda incident_id: f"room-{incident_id[:8]}")


def bench(what: Known | None = None) -> Bench:
    return Bench(core(what))


def core(what: Known | None = None) -> KeyedCore[Person]:
    return KeyedCore(decide, Person, what or known())


def checkin(name: str, seconds: float = 0, *, at_m: float | None = None, **fields: Any) -> Checkin:
    """A check-in of `s1`; with `at_m` the phone says that it is so many metres north of the bracelet."""
    place = None
    if at_m is not None:
        place = {"lat": 31.0 + at_m / 110_860, "lon": 121.0, "accuracy_m": 10.0, "fix_time": str(at(seconds))}
    picture = Picture(ref=f"pictures/{name}/0", sha256=sha256(name.encode()).hexdigest(), kind="jpeg", size_bytes=9)
    given: dict[str, Any] = {
        "checkin_id": event_id("checkin", name),
        "subject_id": "s1",
        "nonce": name,
        "challenged_at": str(at(seconds - 20)),
        "received_at": str(at(seconds)),
        "pictures": [picture],
        "place": place,
        "tracker_id": "b1" if place else "",
    }
    return convert(given | fields, Checkin)


def examined(of: Checkin, distance: float = SAME, measures: Measures = GOOD, **fields: Any) -> Examined:
    """What was measured on a check-in."""
    seen = (Seen(picture=0, measures=measures, distances=(distance,) if measures.faces else ()),)
    given: dict[str, Any] = {
        "result_id": event_id("face-result", of.checkin_id),
        "checkin_id": of.checkin_id,
        "subject_id": "s1",
        "model": "Dlib",
        "model_version": "1",
        "examined_at": str(of.received_at),
        "seen": seen,
        "templates": ("t1",),
    }
    return convert(given | fields, Examined)


def position(of: Checkin, seconds: float = 0) -> PositionAnswer:
    """Where the bracelet was."""
    given = {"answer_id": of.checkin_id, "checkin_id": of.checkin_id, "subject_id": "s1", "device_id": "b1"}
    place = {"fix_time": str(at(seconds)), "lat": 31.0, "lon": 121.0, "accuracy_m": 10.0}
    return convert(given | place, PositionAnswer)


def plan(**fields: Any) -> CheckinPlan:
    """A plan of `s1`, in Shanghai, from the start of the bench on."""
    given = {"plan_id": "p1", "subject_id": "s1", "time_zone": "Asia/Shanghai", "starts_at": str(at(0))}
    return convert(given | fields, CheckinPlan)


def tried(on: Bench, name: str, seconds: float, *parts: Any, **measured: Any) -> list[Any]:
    """A check-in and what was measured on it; all messages that follow."""
    one = checkin(name, seconds)
    said = on.tell("checkins", one, at(seconds)) + on.tell("face-results", examined(one, *parts, **measured))
    return [emission.message for emission in said]


def types(said: list[Any]) -> list[str]:
    """The types of the incidents among messages or emissions."""
    every = [getattr(one, "message", one) for one in said]
    return [str(one.type) for one in every if isinstance(one, Incident)]


def shanghai(text: str) -> Instant:
    """A moment given as wall-clock time of Shanghai."""
    return parse(f"{text}+08:00")
