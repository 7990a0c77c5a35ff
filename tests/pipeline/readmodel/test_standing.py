"""How a person stands follows from what they wear now, not from what others do with what they wore."""

from pipeline.readmodel.layout import joined
from pipeline.readmodel.standing import person_of, troubles
from schemas.reference import Activation, Subject
from tests.support.office import START, at

PERSON = Subject(subject_id="s1", agency="a")


def worn(name: str, device_id: str, ends_s: float | None = None) -> Activation:
    ends_at = None if ends_s is None else at(ends_s)
    known = {"activation_id": name, "device_id": device_id, "subject_id": "s1", "agency": "a", "order_id": "o"}
    return Activation(**known, starts_at=START, ends_at=ends_at)


def test_what_was_open_on_a_device_that_was_taken_off_is_over() -> None:
    was = troubles([], [joined("s1", joined("old", "b1"))], [joined("s1", "d-old")])
    activations = [worn("old", "d-old", 60), worn("new", "d-new")]
    assert person_of(PERSON, None, activations, was, at(30)).state == "breach"
    now = person_of(PERSON, None, activations, was, at(90))
    assert (now.state, now.device_ids) == ("ok", ("d-new",))
    assert person_of(PERSON, None, activations[:1], was, at(90)).state == "ended"


def test_a_breach_says_more_than_silence_and_silence_more_than_another_alert() -> None:
    alert, breach, silent = ["s1\x1fa"], [joined("s1", joined("new", "b"))], [joined("s1", "d-new")]
    states = [
        person_of(PERSON, None, [worn("new", "d-new")], troubles(*open_), at(90)).state
        for open_ in ((alert, breach, silent), (alert, [], silent), (alert, [], []), ([], [], []))
    ]
    assert states == ["breach", "silent", "alert", "ok"]
