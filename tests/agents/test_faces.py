"""The model on photographs: one person is one however the picture came, others are others, the rest is nobody."""

import itertools
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image, ImageFilter

from agents.examination import Findings, Job, examine
from agents.faces import Examiner, distance
from agents.pictures import pixels_of
from pipeline.identity import presence
from pipeline.identity.calibration import DLIB
from pipeline.identity.comparison import Rates, Thresholds, thresholds
from pipeline.identity.quality import PROBE, checks, failed
from pipeline.identity.rules import IdentityRules
from schemas.checkin import Movement
from tests.support.checkins import collins, hopper
from tests.support.faces import as_sent, card_turned, clip, encoded, group, head_turned, portrait, swaying

LIMITS = thresholds(DLIB, Rates())


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner()


def _values(examiner: Examiner, raw: bytes) -> tuple[float, ...]:
    found = examiner.find(pixels_of(raw))
    assert found is not None
    assert not failed(checks(found.measures, PROBE)), found.measures
    return examiner.embed(found)


def test_a_person_is_the_same_however_the_picture_was_taken_and_sent(examiner: Examiner) -> None:
    # the two photographs differ in shape, size of the face, and in what is around it
    for image, every in ((collins(), 1), (hopper(), 5)):
        one = _values(examiner, encoded(image))
        sent = itertools.islice(as_sent(image), 0, None, every)
        apart = {name: distance(one, _values(examiner, raw), "euclidean") for name, raw in sent}
        assert {name: away for name, away in apart.items() if away > LIMITS.match} == {}


def test_others_are_others_and_crops_of_one_person_are_one(examiner: Examiner) -> None:
    picture = group()
    pixels = np.asarray(picture)
    boxes, scale = examiner._boxes(pixels, fine=True)
    people: list[list[tuple[float, ...]]] = []
    for box in boxes:
        left, top, wide = box.rect.left() / scale, box.rect.top() / scale, box.rect.width() / scale
        crops = [
            picture.crop(tuple(round(at) for at in (left - m, top - m, left + wide + m, top + wide + m)))
            for m in (0.3 * wide, 0.45 * wide)
        ]
        looks = [examiner.find(np.asarray(crop.resize((crop.width * 2, crop.height * 2)))) for crop in crops]
        people.append([examiner.embed(look) for look in looks if look is not None])
    people += [[_values(examiner, encoded(image))] for image in (collins(), hopper())]
    assert len(people) >= 7, "six beside one another, of whom one has turned away"
    within = [distance(*pair, "euclidean") for person in people for pair in itertools.combinations(person, 2)]
    assert len(within) >= 5
    assert max(within) <= LIMITS.match
    for one, other in itertools.combinations(people, 2):
        assert min(distance(a, b, "euclidean") for a in one for b in other) > LIMITS.match


def _faults(examiner: Examiner, image: Image.Image) -> set[str]:
    found = examiner.find(np.asarray(image.convert("RGB")))
    return {"face_found"} if found is None else {one.check for one in failed(checks(found.measures, PROBE))}


def test_what_is_wrong_with_a_picture_is_told(examiner: Examiner) -> None:
    image = collins()
    assert _faults(examiner, group()) == {"one_face"}
    assert _faults(examiner, image.resize((130, 130))) == {"size"}
    assert "sharpness" in _faults(examiner, image.filter(ImageFilter.GaussianBlur(2.5)))
    assert _faults(examiner, image.point(lambda level: level // 12)) & {"brightness", "contrast", "face_found"}
    for name in ("coffee.png", "chelsea.png", "rocket.jpg"):
        with Image.open(str(files("skimage") / "data" / name)) as thing:
            assert _faults(examiner, thing) == {"face_found"}, name
    for size in ((1, 1), (16_000, 2), (40, 40)):
        assert _faults(examiner, Image.new("RGB", size)) == {"face_found"}


STRAIGHT_LEFT_RIGHT = (
    *(0.0,) * 6,
    *np.linspace(0, 1, 8),
    *(1.0,) * 3,
    *np.linspace(1, 0, 6),
    *(0.0,) * 4,
    *np.linspace(0, -1, 8),
    *(-1.0,) * 3,
)


def _judged(found: Findings, *prompts: Movement) -> tuple[str, set[str]]:
    limits: Thresholds = LIMITS
    said = presence.judge(prompts, found.frames, found.signs, limits, IdentityRules())
    return said.verdict, {sign.name for sign in said.signs}


def test_a_head_that_turns_is_told_from_a_card_that_is_turned(examiner: Examiner) -> None:
    head = examine(examiner, Job((clip(swaying(portrait(), head_turned, STRAIGHT_LEFT_RIGHT)),)))
    assert _judged(head, "turn_left", "turn_right") == ("shown", set())
    assert _judged(head, "turn_right", "turn_left") == ("missing", set()), "in the order asked"
    assert _judged(head, "turn_left", "nod")[0] == "missing"
    assert head.signs is not None
    assert head.signs.same_face is not None
    assert head.signs.same_face < LIMITS.match
    card = examine(examiner, Job((clip(swaying(portrait(), card_turned, STRAIGHT_LEFT_RIGHT)),)))
    assert "flat" in _judged(card, "turn_left", "turn_right")[1]


def test_a_picture_that_does_not_move_and_a_face_that_changes_are_seen(examiner: Examiner) -> None:
    still = examine(examiner, Job((clip(iter([portrait()] * 14)),)))
    assert _judged(still, "turn_left")[0] == "missing"
    other = np.asarray(hopper().crop((130, 40, 400, 310)).resize((600, 600)), np.uint8)
    changed = examine(examiner, Job((clip(iter([portrait()] * 8 + [other] * 8)),)))
    assert "another_face" in _judged(changed, "turn_left")[1]
