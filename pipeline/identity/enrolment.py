"""May this picture become a template? Good enough, of the right person, and not one that is there already."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pipeline.identity.calibration import Calibration
from pipeline.identity.comparison import Comparison, Rates, compare
from pipeline.identity.quality import ENROLMENT, checks, failed
from schemas.checkin import Measures
from schemas.gallery import Gallery

MOST_TEMPLATES = 8
SAME_PICTURE = 0.3
"""Nearer than this share of the match threshold, a picture adds nothing to the one that is there."""


class Ruling(NamedTuple):
    """enrol, refuse, or enrol after a warning; why, in words."""

    verdict: Literal["enrol", "warn", "refuse"]
    code: str
    why: tuple[str, ...] = ()


def rule(
    gallery: Gallery,
    measures: Measures | None,
    picture_sha256: str,
    distances: Sequence[float],
    calibration: Calibration | None,
    rates: Rates,
) -> Ruling:
    """What to do with a picture. `distances`: to the person's templates of the same model, none if there are none yet.

    Only the person's own templates are looked at: nobody is searched for.
    """
    if measures is None:
        return Ruling("refuse", "unreadable")
    bad = failed(checks(measures, ENROLMENT))
    if bad:
        return Ruling("refuse", "quality", tuple(one.advice for one in bad))
    if any(template.picture_sha256 == picture_sha256 for template in gallery.templates):
        return Ruling("refuse", "same_picture", ("this very picture is enrolled already",))
    if len(gallery.templates) >= MOST_TEMPLATES:
        return Ruling("refuse", "full", (f"there are {MOST_TEMPLATES} templates already; begin anew with --replace",))
    if not distances or calibration is None:
        return Ruling("enrol", "no_calibration" if distances else "first")
    return _beside(compare([list(distances)], calibration, rates))


def _beside(found: Comparison) -> Ruling:
    """What the nearness to the person's other pictures says."""
    apart = f"the face is {found.distance:.2f} from the person's other pictures"
    if found.outcome == "no_match":
        return Ruling("refuse", "wrong_person", (f"{apart}: is it another person? --force if not",))
    if found.outcome == "undetermined":
        return Ruling("warn", "far", (f"{apart}; make sure that it is the same person",))
    if found.threshold and found.distance is not None and found.distance < SAME_PICTURE * found.threshold:
        return Ruling("warn", "near_duplicate", ("nearly the same as a picture that is enrolled; it adds little",))
    return Ruling("enrol", "further")
