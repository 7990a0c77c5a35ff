"""Who lives in the demo's town, where their fences are, and where each device says it is at a moment; seeded."""

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schemas.ids import event_id
from schemas.reference import Activation, Fence, FenceProperties, Subject
from schemas.times import instant

CENTRE_LAT, CENTRE_LON = 30.2741, 120.1551
METRES_PER_DEGREE_LAT = 110_860.0
"""Of the meridian at 30 degrees north (WGS 84); good to 0.1 % over the town, and only the simulation rests on it."""
METRES_PER_DEGREE_LON = 111_320.0 * math.cos(math.radians(CENTRE_LAT)) * 1.0009

AGENCIES = ("justice-bureau", "police", "court", "procuratorate")
DRIVE_MPS = 14.0
STROLL_MPS = 1.2
BLOCK_M = 700.0
DRIFT_TAU_S = 60.0
EAST = 90.0
SCHOOL_BEYOND_FENCE_M = 30.0
SCHOOL_HALF_WIDTH_M = 150.0


def place(east_m: float, north_m: float) -> tuple[float, float]:
    """(lat, lon) of a point of the town given in metres from its centre."""
    return CENTRE_LAT + north_m / METRES_PER_DEGREE_LAT, CENTRE_LON + east_m / METRES_PER_DEGREE_LON


@dataclass(frozen=True, slots=True)
class Trip:
    """A planted breach: at `leaves_at` the person goes `heading_deg` in a straight line for `way_m`, stays until
    `turns_at`, and comes back the same way."""

    leaves_at: datetime
    turns_at: datetime
    heading_deg: float
    way_m: float
    speed_mps: float = DRIVE_MPS

    def offset_m(self, at: datetime) -> tuple[float, float, float]:
        """How far the person is (east, north, in metres) at a moment, and at what speed in m/s."""
        gone_s = (at - self.leaves_at).total_seconds()
        back_s = (at - self.turns_at).total_seconds()
        travelled = min(max(gone_s, 0.0) * self.speed_mps, self.way_m) - min(
            max(back_s, 0.0) * self.speed_mps, self.way_m
        )
        moving = 0 < gone_s < self.way_m / self.speed_mps or 0 < back_s < self.way_m / self.speed_mps
        heading = math.radians(self.heading_deg)
        return max(travelled, 0.0) * math.sin(heading), max(travelled, 0.0) * math.cos(heading), self.speed_mps * moving


@dataclass(slots=True)
class Person:
    """One supervised person with a phone. `strolls_m`: how far from home they walk about without leaving the fence."""

    number: int
    home_m: tuple[float, float]
    fence_radius_m: float
    strolls_m: float
    rng: random.Random
    drift_sigma_m: float
    trip: Trip | None = None
    battery_pct: float = 90.0
    _drift_m: tuple[float, float] = (0.0, 0.0)
    _drift_at: datetime | None = None

    @property
    def device_id(self) -> str:
        """The device the person carries."""
        return f"phone-{self.number:03d}"

    @property
    def subject_id(self) -> str:
        """The reference under which the person is known."""
        return f"subject-{self.number:03d}"

    @property
    def case_ref(self) -> str:
        """By what messages name the person."""
        return f"2026-{self.number:04d}"

    @property
    def fence_id(self) -> str:
        """The fence around the person's home."""
        return f"home-{self.number:03d}"

    def _drift(self, at: datetime) -> tuple[float, float]:
        """Receiver error at a moment: first-order autoregressive with a minute of memory."""
        gap_s = DRIFT_TAU_S * 10 if self._drift_at is None else (at - self._drift_at).total_seconds()
        keep = math.exp(-gap_s / DRIFT_TAU_S)
        fresh = self.drift_sigma_m * math.sqrt(1 - keep * keep)
        self._drift_m = (
            keep * self._drift_m[0] + self.rng.gauss(0, fresh),
            keep * self._drift_m[1] + self.rng.gauss(0, fresh),
        )
        self._drift_at = at
        return self._drift_m

    def true_place_m(self, at: datetime) -> tuple[float, float, float]:
        """Where the person really is (east, north, in metres) and at what speed in m/s."""
        if self.trip is not None:
            east, north, speed = self.trip.offset_m(at)
            if east or north:
                return self.home_m[0] + east, self.home_m[1] + north, speed
        turn = at.timestamp() * STROLL_MPS / max(self.strolls_m, 1.0) + self.number
        return (
            self.home_m[0] + self.strolls_m * math.sin(turn),
            self.home_m[1] + self.strolls_m * math.sin(2 * turn) / 2,
            STROLL_MPS if self.strolls_m > 5 else 0.0,
        )

    def report(self, at: datetime) -> dict[str, Any]:
        """The OwnTracks location message that the phone would send at a moment.

        Source of the fields: the OwnTracks JSON reference (`tst` in seconds, `vel` in km/h, `acc` in metres).
        """
        east, north, speed = self.true_place_m(at)
        error_east, error_north = self._drift(at)
        lat, lon = place(east + error_east + self.rng.gauss(0, 1.5), north + error_north + self.rng.gauss(0, 1.5))
        self.battery_pct = max(5.0, self.battery_pct - 0.002)
        return {
            "_type": "location",
            "tid": f"{self.number:02d}"[-2:],
            "lat": round(lat, 7),
            "lon": round(lon, 7),
            "tst": int(at.timestamp()),
            "acc": max(4, round(self.drift_sigma_m * self.rng.uniform(1.2, 2.0))),
            "vel": round(speed * 3.6),
            "batt": round(self.battery_pct),
            "t": "p",
        }


@dataclass(frozen=True, slots=True)
class Town:
    """The demo's people and what the system is told about them."""

    people: tuple[Person, ...]
    keep_out: Fence

    def send_out(self, person: Person, at: datetime, heading_deg: float, way_m: float = 2 * BLOCK_M) -> None:
        """Plant a breach: `person` drives off at a moment, in a straight line, and is back some minutes later."""
        person.trip = Trip(at, at + timedelta(seconds=way_m / DRIVE_MPS + 180), heading_deg, way_m)
        person.strolls_m = 0.0

    @property
    def followed(self) -> Person:
        """Whose story is told to its end: who drives into the closed zone, else anybody."""
        return next((p for p in self.people if p.trip is not None and p.trip.heading_deg == EAST), self.people[0])

    def planted(self) -> set[tuple[str, str]]:
        """The (subject_id, fence_id) of the breaches that are on their way."""
        away = {(p.subject_id, p.fence_id) for p in self.people if p.trip is not None}
        school = self.keep_out.properties.fence_id
        return away | {(p.subject_id, school) for p in self.people if p.trip is not None and p.trip.heading_deg == EAST}

    def subjects(self) -> list[Subject]:
        """A subject for each person."""
        return [
            Subject(subject_id=p.subject_id, agency=AGENCIES[0], case_ref=p.case_ref, stage="bail") for p in self.people
        ]

    def activations(self, started_at: datetime) -> list[Activation]:
        """An activation for each person, since an hour before `started_at`."""
        return [
            Activation(
                activation_id=event_id("demo", p.device_id, p.subject_id),
                device_id=p.device_id,
                subject_id=p.subject_id,
                order_id=f"order-{p.case_ref}",
                agency=AGENCIES[0],
                legal_basis="bail pending trial",
                starts_at=instant(started_at - timedelta(hours=1)),
                ends_at=instant(started_at + timedelta(days=90)),
            )
            for p in self.people
        ]

    def fences(self, started_at: datetime) -> list[Fence]:
        """A fence around each home, and one zone that is closed to all; in force since an hour before `started_at`."""
        homes = [
            Fence(
                type="Feature",
                geometry={"type": "Point", "coordinates": list(reversed(place(*p.home_m)))},
                properties=FenceProperties(
                    fence_id=p.fence_id,
                    name=f"home of case {p.case_ref}",
                    rule="stay_in",
                    subjects=(p.subject_id,),
                    datum="wgs84",
                    buffer_m=p.fence_radius_m,
                    severity="high",
                    agency=AGENCIES[0],
                    effective_from=instant(started_at - timedelta(hours=1)),
                ),
            )
            for p in self.people
        ]
        return [*homes, self.keep_out]


def _school(started_at: datetime, east_m: float, north_m: float) -> Fence:
    w = SCHOOL_HALF_WIDTH_M
    corners = [(-w, -110), (w, -110), (w, 110), (-w, 110), (-w, -110)]
    ring = [list(reversed(place(east_m + east, north_m + north))) for east, north in corners]
    return Fence(
        type="Feature",
        geometry={"type": "Polygon", "coordinates": [ring]},
        properties=FenceProperties(
            fence_id="school-01",
            name="Lakeside school",
            rule="keep_out",
            datum="wgs84",
            severity="high",
            agency=AGENCIES[0],
            effective_from=instant(started_at - timedelta(hours=1)),
        ),
    )


def build_town(started_at: datetime, people: int = 60, breaching: int = 8, seed: int = 7) -> Town:
    """A town of `people` homes on a grid, `breaching` of whom drive out of their fence in the first seconds.

    One of those who breach lives at the eastern edge and drives into the school, so both rules are seen.

    Raises:
        ValueError: more breaching than there are people.
    """
    if not 0 <= breaching <= people:
        raise ValueError(f"{breaching} of {people} people cannot breach; give a number from 0 to {people}")
    rng = random.Random(seed)  # noqa: S311  # a simulation, repeatable
    side = math.ceil(math.sqrt(people))
    found = []
    for number in range(1, people + 1):
        row, column = divmod(number - 1, side)
        home = ((column - side / 2) * BLOCK_M + rng.uniform(-80, 80), (row - side / 2) * BLOCK_M + rng.uniform(-80, 80))
        radius = rng.choice([80.0, 100.0, 150.0])
        strolls = 0.0 if number % 3 else radius * 0.3
        found.append(Person(number, home, radius, strolls, random.Random(seed * 1000 + number), rng.uniform(3.0, 6.0)))  # noqa: S311
    visitor = found[side - 1]  # the eastern end of the first street: no home lies beyond it
    visitor.fence_radius_m = 80.0
    east = visitor.home_m[0] + visitor.fence_radius_m + SCHOOL_BEYOND_FENCE_M + SCHOOL_HALF_WIDTH_M
    town = Town(tuple(found), _school(started_at, east, visitor.home_m[1]))
    if breaching:
        town.send_out(visitor, started_at, heading_deg=EAST, way_m=east - visitor.home_m[0])
    others = [p for p in found if p is not visitor]
    for nth, person in enumerate(rng.sample(others, max(breaching - 1, 0))):
        person.fence_radius_m = min(person.fence_radius_m, 100.0)
        town.send_out(person, started_at + timedelta(seconds=0.4 * nth), heading_deg=rng.uniform(180, 360))
    return town
