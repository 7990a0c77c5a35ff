"""Who is on duty when, and by which rules it all goes: reference data for scores, alerts and tasks."""

from typing import Annotated, Any, Literal

import msgspec

from schemas.message import Id, Message, Moment
from schemas.reference import Window


class Shift(Message, frozen=True, kw_only=True):
    """A weekly time on duty; a window that ends at or before its start runs past midnight.

    `people` are principals in the order in which they are told: the first at once, the others as the chain says.
    """

    name: str = ""
    windows: tuple[Window, ...] = (Window(start="00:00", end="24:00"),)
    people: tuple[Id, ...]


class Stand(Message, frozen=True, kw_only=True):
    """A swap: between two moments these people are on duty, whatever the weekly shifts say."""

    starts_at: Moment
    ends_at: Moment
    people: tuple[Id, ...]


class Roster(Message, frozen=True, kw_only=True):
    """Who of an agency is on duty, on the compacted topic `rosters`, key `roster_id`.

    `audience`: whose roster it is (officers, supervisors). Outside all shifts an alert goes to the agency as such.
    """

    roster_id: Id
    agency: Id
    audience: Literal["officer", "supervisor", "agency"] = "officer"
    time_zone: str = "Asia/Shanghai"
    shifts: tuple[Shift, ...] = ()
    stands: tuple[Stand, ...] = ()
    contacts: Annotated[
        dict[str, dict[str, str]], msgspec.Meta(description="principal to channel to address, for the notifier")
    ] = {}
    languages: Annotated[dict[str, str], msgspec.Meta(description="principal to language, zh-CN or en")] = {}


class RuleSet(Message, frozen=True, kw_only=True):
    """One version of the rules of one part, on the compacted topic `rules`, key `rule_set_id` (``score/2026-11-a``).

    An incident is judged by the version that was in force when it occurred. `body` is what the YAML file says.
    """

    rule_set_id: Id
    part: Literal["score", "alert", "task", "notify"]
    version: Id
    effective_from: Moment
    body: dict[str, Any]
