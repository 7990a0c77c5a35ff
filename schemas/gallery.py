"""Enrolment: templates of a person's face, who made them, and that they are gone."""

from typing import Annotated, Literal

import msgspec

from schemas.checkin import Measures, Sha256
from schemas.message import Id, Message, Moment


class Template(Message, frozen=True, kw_only=True):
    """A face as numbers, by one model. Kept encrypted in the object store, never on a topic."""

    template_id: Id
    model: str
    model_version: str
    values: Annotated[tuple[float, ...], msgspec.Meta(min_length=16, max_length=4096)]
    picture_sha256: Sha256
    made_at: Moment
    made_by: str = ""
    measures: Measures


class Gallery(Message, frozen=True, kw_only=True):
    """All templates of one person."""

    subject_id: Id
    templates: tuple[Template, ...] = ()


class Enrolment(Message, frozen=True, kw_only=True):
    """A change of a person's gallery, on the topic `enrolments`, key `subject_id`; nothing of the face itself."""

    enrolment_id: Id
    subject_id: Id
    event: Literal["enrolled", "removed"]
    at: Moment
    by: str = ""
    order_id: str = ""
    model: str
    model_version: str
    template_ids: tuple[str, ...] = ()
    picture_sha256s: tuple[str, ...] = ()
    retain_until: Moment | None = None


class Erasure(Message, frozen=True, kw_only=True):
    """A person's faces, pictures and key are to be deleted (`due`), or are (`done`); on `erasures`, key `subject_id`.

    With the key gone, every copy of what was encrypted with it, in backups too, is noise.
    """

    erasure_id: Id
    subject_id: Id
    event: Literal["due", "done"]
    at: Moment
    reason: str
    order_id: str = ""
    by: str = ""
    templates: Annotated[int, msgspec.Meta(ge=0)] = 0
    pictures: Annotated[int, msgspec.Meta(ge=0)] = 0
    key_destroyed: bool = False
