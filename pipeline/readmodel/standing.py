"""How does a person stand, from what is known of order, score, breaches, devices and alerts? The join that is shown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import isnan

import msgspec

from pipeline.readmodel.answers import COLOURS, STATES, Person, PersonState
from pipeline.readmodel.layout import JOINT
from schemas.reference import Activation, Subject
from schemas.score import Score


class Troubles(msgspec.Struct, frozen=True):
    """What is open: how many alerts a subject has; subjects and the activations that are in breach; subjects and their
    devices that are silent."""

    alerts: dict[str, int]
    breaches: frozenset[tuple[str, str]]
    silent: frozenset[tuple[str, str]]


def troubles(alerts: Iterable[str], breaches: Iterable[str], silent: Iterable[str]) -> Troubles:
    """From members of the indexes ``alerts-open-of``, ``breaches-open`` and ``silent``, each of a subject and more."""

    def pairs(members: Iterable[str]) -> frozenset[tuple[str, str]]:
        parts = (member.split(JOINT) for member in members)
        return frozenset((subject, what) for subject, what, *_ in parts)

    return Troubles(Counter(member.partition(JOINT)[0] for member in alerts), pairs(breaches), pairs(silent))


def in_force(activation: Activation, now: datetime) -> bool:
    """Whether the device is on the person now."""
    return activation.starts_at <= now and (activation.ends_at is None or now < activation.ends_at)


def person_of(
    subject: Subject, score: Score | None, activations: Sequence[Activation], open_: Troubles, now: datetime
) -> Person:
    """The person as the map and the search show them; the order is that of the latest activation in force."""
    holding = sorted((one for one in activations if in_force(one, now)), key=lambda one: one.starts_at)
    order = holding[-1] if holding else max(activations, key=lambda one: one.starts_at, default=None)
    ended = bool(activations) and all(one.ends_at is not None and one.ends_at <= now for one in activations)
    name = subject.subject_id
    return Person(
        subject_id=name,
        agency=subject.agency,
        case_ref=subject.case_ref,
        stage=subject.stage,
        language=subject.language,
        time_zone=subject.time_zone,
        colour="green" if score is None else score.colour,
        points=100 if score is None else score.points,
        order_id="" if order is None else order.order_id,
        legal_basis="" if order is None else order.legal_basis,
        starts_at=None if order is None else order.starts_at,
        ends_at=None if order is None else order.ends_at,
        device_ids=tuple(dict.fromkeys(one.device_id for one in holding)),
        open_alerts=open_.alerts.get(name, 0),
        state="ended" if ended else _state(name, holding, open_),
    )


def _state(subject_id: str, holding: Sequence[Activation], open_: Troubles) -> PersonState:
    """By what is worn now: what was open on a device that is another's by now is over."""
    if any((subject_id, one.activation_id) in open_.breaches for one in holding):
        return "breach"
    if any((subject_id, one.device_id) in open_.silent for one in holding):
        return "silent"
    return "alert" if open_.alerts.get(subject_id) else "ok"


PositionRow = tuple[str, str, int, float, float, float | None, int, int, int]


def position_row(
    person: Person, device_id: str, t_ms: int, lat: float, lon: float, accuracy_m: float, verdict: int
) -> PositionRow:
    """A device's row in `pipeline.readmodel.answers.Positions`."""
    accuracy = None if isnan(accuracy_m) else round(accuracy_m, 1)
    colour, state = COLOURS[person.colour], STATES.get(person.state, 0)
    return (device_id, person.subject_id, t_ms, lat, lon, accuracy, colour, state, verdict)
