"""What a score is made of: entries of a ledger, and the sum that is shown."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.message import Id, Message, Moment

EntryState = Literal["provisional", "confirmed", "reversed", "appealed", "upheld"]
EntryKind = Literal["deduction", "warning", "restoration"]
Colour = Literal["green", "yellow", "red"]

Cause = Literal[
    "",
    "corrected",  # the incident was withdrawn by later data
    "not_attributable",  # an outage or a fault that is not the person's
    "leave",  # the person had leave
    "officer",  # an officer reversed it
    "appeal",  # the person contested it and was right
    "identity_confirmed",  # a human saw that it was the person after all
    "recomputed",  # the same entry follows with other points
]


class ScoreEntry(Message, frozen=True, kw_only=True):
    """One line of a person's ledger, on the topic `score-entries`, key `subject_id`.

    A line is never changed: what becomes of an entry is a further line with the same `entry_id`, and the latest line
    of each `entry_id` is what holds. When the points of an entry change by recomputation, a line that reverses the old
    points (`cause` recomputed) comes before the line with the new ones.
    Nothing in a line depends on when it was computed, so a replay gives the same ledger to the byte.
    """

    entry_id: Annotated[Id, msgspec.Meta(description="of the incident and the rule; the same at every replay")]
    subject_id: Id
    agency: str = ""
    kind: EntryKind
    points: Annotated[int, msgspec.Meta(description="below zero: deducted; above: given back; 0: a warning")]
    state: EntryState
    firm: Annotated[bool, msgspec.Meta(description="false: rests on a machine's judgement of identity alone")] = True
    cause: Annotated[Cause, msgspec.Meta(description="why it is reversed")] = ""
    rule: Annotated[str, msgspec.Meta(description="the clause of the score rules")]
    rule_version: str
    occurred_at: Annotated[Moment, msgspec.Meta(description="of the incident; for a restoration the week's end")]
    local_day: Annotated[str, msgspec.Meta(description="2026-11-23, in the person's time zone")]
    incident_id: str = ""
    incident_type: str = ""
    breach_id: str = ""
    fence_id: str = ""
    fence_name: str = ""
    severity: str = ""
    duration_s: Annotated[float, msgspec.Meta(description="of a breach that is over")] | None = None
    base_points: int = 0
    weight: Annotated[float, msgspec.Meta(description="by severity and duration")] = 1.0
    capped_from: Annotated[int, msgspec.Meta(description="points before the cap of the day")] | None = None
    restores: Annotated[str, msgspec.Meta(description="the entry_id of the deduction that is given back")] = ""
    settled_by: Annotated[str, msgspec.Meta(description="who confirmed, reversed, contested or decided last")] = ""
    settled_at: Moment | None = None
    settled_id: Annotated[str, msgspec.Meta(description="the command, incident or leave that settled it")] = ""
    note: str = ""
    evidence: dict[str, Any] = {}


class ColourMeaning(Message, frozen=True, kw_only=True):
    """What a colour means, by configuration. Nothing here restricts a person: a task asks a human."""

    reminders: bool = False
    checkin_factor: Annotated[float, msgspec.Meta(gt=0, le=10, description="times the planned check-ins")] = 1.0
    task: Annotated[str, msgspec.Meta(description="kind of task made when the colour is reached; empty: none")] = ""


class Score(Message, frozen=True, kw_only=True):
    """A person's score as of `as_of`, on the compacted topic `scores`, key `subject_id`: a fold of `score-entries`."""

    subject_id: Id
    agency: str = ""
    points: Annotated[int, msgspec.Meta(ge=0, le=100)]
    points_if_confirmed: Annotated[int, msgspec.Meta(ge=0, le=100, description="were all provisional ones confirmed")]
    colour: Colour
    as_of: Moment
    changes_at: Annotated[Moment, msgspec.Meta(description="when it next changes with nothing happening")] | None = None
    window_days: int
    deducted: int = 0
    restored: int = 0
    provisional: int = 0
    appealed: int = 0
    rule_version: str = ""
    meaning: ColourMeaning = ColourMeaning()
