"""Check-ins: what a person sends in, what was measured on it, and what became of it."""

from typing import Annotated, Literal

import msgspec

from schemas.alert import Notice
from schemas.fix import Datum, Latitude, Longitude, Metres
from schemas.message import Id, Message, Moment

Movement = Literal["turn_left", "turn_right", "nod", "blink"]
"""What a person is asked to do before the camera; left and right are the person's own."""

MOVEMENTS: tuple[Movement, ...] = ("turn_left", "turn_right", "nod", "blink")

Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Kind = Literal["jpeg", "png", "mp4", "webm"]


class Place(Message, frozen=True, kw_only=True):
    """Where the phone says that it is; degrees WGS 84 once inside, metres."""

    lat: Latitude
    lon: Longitude
    accuracy_m: Metres | None = None
    fix_time: Moment
    datum: Datum = "wgs84"
    mock: bool = False


class Picture(Message, frozen=True, kw_only=True):
    """Where an encrypted still or clip lies, and what it was: `sha256` and `size_bytes` are of the bytes as sent."""

    ref: Annotated[str, msgspec.Meta(min_length=1, max_length=512, description="in the object store")]
    sha256: Sha256
    kind: Kind
    size_bytes: Annotated[int, msgspec.Meta(ge=1)]


class Checkin(Message, frozen=True, kw_only=True):
    """A check-in that the gateway has taken, on the topic `checkins`, key `subject_id`.

    `checkin_id` follows from the nonce, so that sending the same again is the same check-in.
    """

    checkin_id: Id
    subject_id: Id
    nonce: Id
    prompts: tuple[Movement, ...] = ()
    challenged_at: Moment
    received_at: Moment
    pictures: Annotated[tuple[Picture, ...], msgspec.Meta(min_length=1, max_length=8)]
    place: Place | None = None
    tracker_id: Annotated[str, msgspec.Meta(description="the device that the person wears, if the token names it")] = ""
    sent_by: Annotated[str, msgspec.Meta(description="principal of the token")] = ""


class Measures(Message, frozen=True, kw_only=True):
    """What was measured on the main face of a picture. Lengths in pixels of the picture, angles in degrees.

    `sharpness`: variance of the Laplacian over the face, brought to 150 x 150 pixels, in thousandths of the variance of
    its grey levels, so that dim light does not count as blur. `brightness`: mean grey of the face, 0 to 255;
    `contrast`: its standard deviation; `clipped`: share of its pixels that are black or white.
    `others`: width of the second face, as a share of the main one (0: there is none).
    """

    faces: Annotated[int, msgspec.Meta(ge=0)]
    width_px: int = 0
    height_px: int = 0
    face_px: float = 0.0
    eyes_px: Annotated[float, msgspec.Meta(description="between the pupils")] = 0.0
    certainty: Annotated[float, msgspec.Meta(description="the detector's score")] = 0.0
    others: float = 0.0
    cut_off: Annotated[float, msgspec.Meta(description="share of the face outside of the picture")] = 0.0
    sharpness: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    clipped: Share = 0.0
    yaw_deg: Annotated[float, msgspec.Meta(description="above zero: the person's left")] = 0.0
    pitch_deg: Annotated[float, msgspec.Meta(description="above zero: up")] = 0.0
    roll_deg: float = 0.0
    turned_deg: Annotated[int, msgspec.Meta(description="how far the picture had to be turned to find the face")] = 0


class Seen(Message, frozen=True, kw_only=True):
    """A still, or the best frame of a clip, examined. `distances`: to each enrolled template, in their order."""

    picture: Annotated[int, msgspec.Meta(ge=0, description="place in Checkin.pictures")]
    at_s: Annotated[float, msgspec.Meta(ge=0, description="time in the clip")] = 0.0
    measures: Measures
    distances: tuple[float, ...] = ()


class Frame(Message, frozen=True, kw_only=True, array_like=True):
    """A frame of a clip: time, head and eyes. `found` False: no face in it, the rest means nothing."""

    at_s: float
    found: bool
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    eyes: Annotated[float, msgspec.Meta(description="opening of the eyes, as a share of their width")] = 0.0
    x: Annotated[float, msgspec.Meta(description="centre of the face, as a share of the picture's width")] = 0.0
    y: float = 0.0
    size: Annotated[float, msgspec.Meta(description="width of the face, as a share of the picture's")] = 0.0
    faces: int = 1


class Signs(Message, frozen=True, kw_only=True):
    """Signs of a picture held before the camera; None: could not be measured, and why in `notes`.

    `flatness`: share of the face's movement under a turn that a flat card's would explain. `moire`: how far periodic
    patterns stand out. `rigid`: likeness of the movements of face and surroundings. `antispoof`: DeepFace's model, how
    sure that it is a picture.
    """

    flatness: float | None = None
    moire: float | None = None
    rigid: float | None = None
    antispoof: float | None = None
    same_face: Annotated[float, msgspec.Meta(description="largest distance between faces in the clip")] | None = None
    notes: tuple[str, ...] = ()


Problem = Literal["", "not_enrolled", "other_model", "unreadable", "too_large", "too_slow", "gone"]
"""Why nothing could be measured. not_enrolled, other_model, gone, too_slow: not the person's doing."""


class Examined(Message, frozen=True, kw_only=True):
    """What was measured on a check-in, on the topic `face-results`, key `subject_id`: numbers, no judgement."""

    result_id: Id
    checkin_id: Id
    subject_id: Id
    model: str
    model_version: str
    examined_at: Moment
    problem: Problem = ""
    detail: Annotated[str, msgspec.Meta(max_length=500)] = ""
    seen: tuple[Seen, ...] = ()
    frames: tuple[Frame, ...] = ()
    signs: Signs | None = None
    templates: Annotated[tuple[str, ...], msgspec.Meta(description="ids of the templates, in order of distances")] = ()


class PositionAsk(Message, frozen=True, kw_only=True):
    """Where was this person's tracker? On `position-asks`, key `device_id`."""

    ask_id: Id
    checkin_id: Id
    subject_id: Id
    device_id: Id
    at: Moment


class PositionAnswer(Message, frozen=True, kw_only=True):
    """The tracker's last position, on `position-answers`, key `subject_id`. `fix_time` None: none is known."""

    answer_id: Id
    checkin_id: Id
    subject_id: Id
    device_id: Id
    fix_time: Moment | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    accuracy_m: Metres | None = None


CheckinState = Literal["done", "rejected", "unsure", "doubtful"]
"""rejected: not usable, try again. unsure: neither match nor mismatch, try again. doubtful: a human looks."""


class Advice(Message, frozen=True, kw_only=True):
    """One thing that was looked at: what was measured, what it ought to be, and what to do about it."""

    check: str
    ok: bool
    value: float | int | None = None
    least: float | int | None = None
    most: float | int | None = None
    advice: str = ""


class CheckinResult(Message, frozen=True, kw_only=True):
    """What became of a check-in, for the person, on the topic `checkin-results`, key `subject_id`.

    Says nothing of distances: whoever tries faces must not be guided. `retry_at`: when the person may try again.
    """

    result_id: Id
    checkin_id: Id
    subject_id: Id
    at: Moment
    state: CheckinState
    reasons: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    failed_in_row: int = 0
    retry_at: Moment | None = None
    slot_id: str = ""
    join_link: str = ""


class CheckinCall(Message, frozen=True, kw_only=True):
    """A check-in is due, on the topic `checkin-calls`, key `subject_id`; told to the person.

    called: now open. met, missed, doubtful: how it ended; the latest of a `slot_id` holds.
    """

    call_id: Id
    slot_id: Id
    subject_id: Id
    agency: str = ""
    plan_id: str = ""
    event: Literal["called", "met", "missed", "doubtful", "withdrawn"]
    at: Moment
    opens_at: Moment
    closes_at: Moment
    tell: tuple[Notice, ...] = ()
