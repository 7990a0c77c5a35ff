"""True lives on recorded ways of real people: at home, out along the recording, and back, with fences drawn around."""

from pathlib import Path

import numpy as np

from benchmarks.alarm_quality.people import Life, Track, Walker, home_fence, keep_outs
from tests.support.geolife import read_tracks

GAP_S = 300.0
"""Where the recording is silent for longer, the way is cut there: nobody knows where the person was."""
LEAST_M = 1500.0


def ways(folder: Path) -> list[Track]:
    """The recorded ways, a place (n, 2) for each second in metres from where it began; those that lead anywhere."""
    found = []
    for fixes in read_tracks(folder).values():
        t = np.array([fix.fix_time.timestamp() for fix in fixes])
        lat, lon = np.array([fix.lat for fix in fixes]), np.array([fix.lon for fix in fixes])
        for part in np.split(np.arange(len(t)), np.flatnonzero(np.diff(t) > GAP_S) + 1):
            phi = np.radians(lat[part[0]])
            east = (lon[part] - lon[part[0]]) * 111_320.0 * np.cos(phi)
            north = (lat[part] - lat[part[0]]) * 111_132.0
            if len(part) < 30 or np.hypot(east, north).max() < LEAST_M:
                continue
            seconds = np.arange(t[part[0]], t[part[-1]] + 1)
            found.append(np.stack([np.interp(seconds, t[part], east), np.interp(seconds, t[part], north)], axis=1))
    return found


def live(way: Track, seed: int) -> Life:
    """A day on `way`: long at home, there, a stay, back, home. Fences are drawn by `seed`."""
    rng = np.random.default_rng([seed, 13])
    radius = float(np.exp(rng.uniform(np.log(60), np.log(min(3000.0, np.hypot(*way.T).max() / 2)))))
    far = way[int(np.hypot(*way.T).argmax())]
    zones = [home_fence(rng, radius), *keep_outs(rng, way[int(len(way) * rng.uniform(0.3, 0.9))], far * 0.6)]
    walker = Walker(rng, np.zeros(2))
    walker.rest(int(rng.uniform(6, 9) * 3600), indoors=True)
    walker.follow(way)
    walker.rest(int(rng.uniform(120, 3600)), indoors=True)
    walker.follow(way[::-1])
    walker.rest(max(86_400 - walker.seconds, 3600), indoors=True)
    return Life(f"t{seed}", 1_790_000_000.0, np.concatenate(walker.places), np.concatenate(walker.indoors), zones)
