"""When is a check-in due? From a person's plan to slots, each with a moment when it opens and one when it closes.

Times are wall-clock times of the person's place, read by the rules of `fences.schedule`: a time that the clock skips is
reached when it jumps, one that it shows twice the first time.

**Random times** are drawn, not chosen. For each local day on which hours begin, the allowed hours are laid end to end
(each cut at its end by `open_s`, so that a slot lies within), and `per_day` points are drawn on that line: the k-th is
the first eight bytes of HMAC-SHA256(seed, plan_id|subject_id|day|k), as a share of the line. Points are sorted and
spread so that `apart_s` lies between any two. The plan was published with the SHA-256 of the seed; when the seed is
published after the plan's end, anybody can check the hash and draw the same times (`fenceline identity audit-plan`).
"""

import hmac
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal
from zoneinfo import ZoneInfo

from fences.schedule import CompiledSchedule, compile_schedule
from schemas.ids import event_id
from schemas.message import Id, Invalid, Message, Moment
from schemas.plan import CheckinPlan, FixedTime, Sampling
from schemas.reference import Schedule, Window
from schemas.times import from_epoch

Kind = Literal["fixed", "window", "random"]
DAY_S = 86400.0


class Slot(Message, frozen=True, kw_only=True):
    """One check-in that is due. A person knows of a `random` one when it opens."""

    slot_id: Id
    kind: Kind
    opens_at: Moment
    closes_at: Moment


def check(plan: CheckinPlan) -> None:
    """See that a plan can be carried out.

    Raises:
        Invalid: an unknown time zone, a time that cannot be read, an end before the beginning, or nothing planned.
    """
    _zone(plan.time_zone)
    if plan.ends_at is not None and plan.ends_at <= plan.starts_at:
        raise Invalid("ends_at must be later than starts_at", "$.ends_at")
    if not (plan.fixed or plan.windows or plan.sampling):
        raise Invalid("names no check-in: give fixed, windows or sampling", "$")
    for schedule in _schedules(plan):
        compile_schedule(schedule, "$")
    sampling = plan.sampling
    if sampling and sampling.seed and sha256(bytes.fromhex(sampling.seed)).hexdigest() != sampling.seed_sha256:
        raise Invalid("the seed is not the one whose hash was published", "$.sampling.seed")


def _schedules(plan: CheckinPlan) -> Iterator[Schedule]:
    for one in plan.fixed:
        yield _at(one, plan.time_zone)
    for window in plan.windows:
        yield Schedule(time_zone=plan.time_zone, windows=(window,))
    if plan.sampling:
        yield Schedule(time_zone=plan.time_zone, windows=plan.sampling.hours)


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    compile_schedule(Schedule(time_zone=name, windows=(Window(start="00:00", end="24:00"),)), "$")
    return ZoneInfo(name)


def _at(fixed: FixedTime, time_zone: str) -> Schedule:
    """A schedule that begins at a fixed time. It lasts two hours, longer than any jump of a clock."""
    hour, minute = (int(part) for part in fixed.at.split(":"))
    window = Window(start=fixed.at, end=f"{(hour + 2) % 24:02}:{minute:02}", days=fixed.days)
    return Schedule(time_zone=time_zone, windows=(window,))


def slots(plan: CheckinPlan, seed: bytes | None, since: datetime, until: datetime) -> tuple[Slot, ...]:
    """The slots of `plan` that open from `since` up to, not including, `until`, in order.

    Without the `seed` there are no random ones. The same for any cut of the time into pieces.
    """
    begin = max(since, plan.starts_at)
    end = until if plan.ends_at is None else min(until, plan.ends_at)
    if begin >= end:
        return ()
    since_s, until_s = begin.timestamp(), end.timestamp()
    found = [*_fixed(plan, since_s, until_s), *_windows(plan, since_s, until_s)]
    if plan.sampling is not None and seed is not None:
        found += _random(plan, plan.sampling, seed, since_s, until_s)
    return tuple(sorted(found, key=lambda slot: (slot.opens_at, slot.slot_id)))


def _slot(plan: CheckinPlan, kind: Kind, opens_s: float, closes_s: float, name: object) -> Slot:
    if plan.ends_at is not None:
        closes_s = min(closes_s, plan.ends_at.timestamp())
    return Slot(
        slot_id=event_id("slot", plan.subject_id, plan.plan_id, kind, name, int(opens_s)),
        kind=kind,
        opens_at=from_epoch(opens_s),
        closes_at=from_epoch(closes_s),
    )


def _fixed(plan: CheckinPlan, since_s: float, until_s: float) -> Iterator[Slot]:
    for one in plan.fixed:
        schedule = compile_schedule(_at(one, plan.time_zone), "$")
        for edge in schedule.edges(since_s - 1 + one.early_s, until_s + one.early_s):
            opens_s = edge.at_s - one.early_s
            if edge.on and since_s <= opens_s < until_s:
                yield _slot(plan, "fixed", opens_s, edge.at_s + one.late_s, one.at)


def _windows(plan: CheckinPlan, since_s: float, until_s: float) -> Iterator[Slot]:
    for window in plan.windows:
        schedule = compile_schedule(Schedule(time_zone=plan.time_zone, windows=(window,)), "$")
        for begins_s, ends_s in _spells(schedule, since_s, until_s):
            yield _slot(plan, "window", begins_s, ends_s, f"{window.start}-{window.end}")


def _spells(schedule: CompiledSchedule, since_s: float, until_s: float) -> Iterator[tuple[float, float]]:
    """Spells that begin from `since_s` up to, not including, `until_s`; one without an end lasts a day."""
    for edge in schedule.edges(since_s - 1, until_s):
        if edge.on and since_s <= edge.at_s < until_s:
            end = schedule.next_edge(edge.at_s)
            yield edge.at_s, end.at_s if end is not None else edge.at_s + DAY_S


def _random(plan: CheckinPlan, sampling: Sampling, seed: bytes, since_s: float, until_s: float) -> Iterator[Slot]:
    schedule = compile_schedule(Schedule(time_zone=plan.time_zone, windows=sampling.hours), "$")
    zone = _zone(plan.time_zone)
    by_day: dict[date, list[tuple[float, float]]] = defaultdict(list)
    for begins_s, ends_s in _spells(schedule, since_s - 3 * DAY_S, until_s + 2 * DAY_S):
        by_day[from_epoch(begins_s).astimezone(zone).date()].append((begins_s, ends_s))
    for day, spells in by_day.items():
        for opens_s in draw(seed, plan.plan_id, plan.subject_id, day, spells, sampling):
            if since_s <= opens_s < until_s:
                yield _slot(plan, "random", opens_s, opens_s + sampling.open_s, day)


def draw(
    seed: bytes, plan_id: str, subject_id: str, day: date, spells: list[tuple[float, float]], sampling: Sampling
) -> list[float]:
    """The moments of a day, seconds since 1970, within `spells` (begin, end)."""
    cut = ((begin, end - begin - sampling.open_s) for begin, end in sorted(spells))
    usable = [(begin, size) for begin, size in cut if size > 0]
    length = sum(size for _, size in usable)
    if not usable:
        return []
    apart = min(float(sampling.apart_s), length / sampling.per_day)
    room = length - (sampling.per_day - 1) * apart
    shares = sorted(_share(seed, plan_id, subject_id, day, number) for number in range(sampling.per_day))
    return [float(round(_along(usable, share * room + number * apart))) for number, share in enumerate(shares)]


def _share(seed: bytes, plan_id: str, subject_id: str, day: date, number: int) -> float:
    digest = hmac.new(seed, f"{plan_id}|{subject_id}|{day.isoformat()}|{number}".encode(), sha256).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _along(usable: list[tuple[float, float]], distance: float) -> float:
    for begin, size in usable:
        if distance <= size:
            return begin + distance
        distance -= size
    begin, size = usable[-1]
    return begin + size
