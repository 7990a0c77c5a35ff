"""Recorded tracks of real people as fixes, and an independent way to say where they were: by geodesics, fix by fix."""

import csv
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pyproj import Geod

from schemas.fix import Fix
from schemas.times import instant

GEOD = Geod(ellps="WGS84")


class Zone(NamedTuple):
    """A circle that a device must stay in, or keep out of."""

    fence_id: str
    rule: str
    lat: float
    lon: float
    radius_m: float

    def depth_m(self, fix: Fix) -> float:
        """How deep a fix is on the forbidden side, by geodesic; negative on the allowed one."""
        beyond_m = float(GEOD.inv(self.lon, self.lat, fix.lon, fix.lat)[2]) - self.radius_m
        return beyond_m if self.rule == "stay_in" else -beyond_m


class Episode(NamedTuple):
    """A time on the forbidden side, from the first fix there to the first one that is not; `deepest_m` of them.

    It may have begun at any moment after `last_allowed`, the fix before: receivers fall silent for minutes.
    """

    last_allowed: datetime
    since: datetime
    until: datetime
    deepest_m: float

    @property
    def lasted_s(self) -> float:
        return (self.until - self.since).total_seconds()


def read_tracks(folder: Path) -> dict[str, list[Fix]]:
    """Fixes by device, one device for each trajectory, in order of time; a second fix of one moment is left out."""
    tracks: dict[str, dict[datetime, Fix]] = {}
    with (folder / "geolife_sample.csv").open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter=";"):
            device = f"track-{row['trajectory_id']}"
            at = instant(datetime.fromisoformat(row["t"].replace("+00", "+00:00")))
            fix = Fix(device_id=device, fix_time=at, lat=float(row["Y"]), lon=float(row["X"]), accuracy_m=10.0)
            tracks.setdefault(device, {}).setdefault(at, fix)
    return {device: [fixes[at] for at in sorted(fixes)] for device, fixes in sorted(tracks.items())}


def zones(device: str, fixes: list[Fix]) -> list[Zone]:
    """A home where the track began, and four zones on its way to keep out of."""
    found = [Zone(f"home-{device}", "stay_in", fixes[0].lat, fixes[0].lon, 500.0)]
    for part in (1, 2, 3, 4):
        fix = fixes[len(fixes) * part // 5]
        found.append(Zone(f"zone-{device}-{part}", "keep_out", fix.lat, fix.lon, 300.0))
    return found


def episodes(fixes: list[Fix], zone: Zone) -> list[Episode]:
    """Each time on the forbidden side, without any thought of accuracy."""
    found: list[Episode] = []
    since: datetime | None = None
    deepest = 0.0
    last_allowed = fixes[0].fix_time
    for fix in fixes:
        depth_m = zone.depth_m(fix)
        if depth_m > 0:
            since = since or fix.fix_time
            deepest = max(deepest, depth_m)
            continue
        if since is not None:
            found.append(Episode(last_allowed, since, fix.fix_time, deepest))
            since, deepest = None, 0.0
        last_allowed = fix.fix_time
    if since is not None:
        found.append(Episode(last_allowed, since, fixes[-1].fix_time, deepest))
    return found
