"""Where is the person really, and how sure is that? A Bayes filter over motion and receiver errors, without any fence.

A fix is the true place plus the receiver's error. The person rests, walks or drives; the error drifts with a memory
of a minute and a size that the receiver's own claim measures (how much such claims are worth is learnt per device);
and now and then a fix is *thrown*: hundreds of metres off for one or a few fixes, whatever it claims. All that may
have been is kept as a few hypotheses, each a Gaussian over place, velocity and drift with a weight; the sum of their
weights is 1.

Per hypothesis and axis the state is (p, v, u): place in metres, velocity, and drift in units of its own size; both axes
share one covariance. Velocity is an Ornstein-Uhlenbeck process (zero at rest), drift a first-order autoregression:

    z = p + c u + jitter,    u' = exp(-dt / memory) u + ...,    c = worth x claimed accuracy

For each fix each hypothesis is continued in every way (rest, walk, drive; fix good or thrown), weighed by how likely it
made the fix, and the heaviest are kept; those that say the same are merged. Formulas: the Gaussian sum filter (Alspach
and Sorenson 1972); integrated Ornstein-Uhlenbeck noise as in Singer's target model (1970).

The kernel is compiled by numba: docs/decisions/0021-compiled-filter.md.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

HYPOTHESES = 5
CHILDREN = 5 * HYPOTHESES + 2
"""Most ways to go on that are weighed at one fix."""
REST, WALK, DRIVE, DRIFT = 0, 1, 2, 3
PX, VX, UX, PY, VY, UY, PPP, PPV, PPU, PVV, PVU, PUU, OX, OY = range(14)
"""Columns of a hypothesis: means of the east axis and the north axis, shared covariance, offset of the last throw."""

RING = 12
"""How many fixes of each device are remembered, for the time of a crossing and as evidence."""

FAR_M = 30_000.0  # from its origin, after which a device gets a new one, so that 32 bits keep the millimetre

STATE = np.dtype(
    [
        ("t", "f8"),  # fix_time of the last fix, seconds since 1970
        ("lat0", "f8"),  # origin of the metres east and north
        ("lon0", "f8"),
        ("east_m", "f8"),  # metres per degree there
        ("north_m", "f8"),
        ("near_x", "f4"),  # where clearance was measured
        ("near_y", "f4"),
        ("clear_m", "f4"),  # distance from there to the nearest boundary that matters; 0: not known
        ("claim_m", "f4"),  # smoothed accuracy as claimed
        ("worth", "f4"),  # true over claimed
        ("period_s", "f4"),  # how often it reports, at least; 0: not known yet
        ("count", "u4"),
        ("used", "u1"),  # hypotheses in use
        ("watched", "u1"),  # look at every fix, whatever the clearance
        ("alarms", "u1"),  # bits of the alarms that stand
        ("w", "f4", (HYPOTHESES,)),
        ("mode", "u1", (HYPOTHESES,)),
        ("thrown", "u2", (HYPOTHESES,)),  # bit n: the fix n fixes ago was thrown
        ("hyp", "f4", (HYPOTHESES, 14)),
        ("ring_t", "f8", (RING,)),
        ("ring_lat", "i4", (RING,)),  # 1e-7 degrees
        ("ring_lon", "i4", (RING,)),
        ("ring_acc", "f4", (RING,)),
    ]
)
"""A device's state; its bytes are what the changelog keeps."""

# Places in the array of parameters that the kernel reads; see fences.tracker.MotionModel for what they mean.
(MEMORY_S, JITTER_SHARE, JITTER_M, THROW_RATE, THROW_STAYS, THROW_M, WANDER, GO_S) = range(8)
(STOP_S, CHANGE_S, WALK_MPS, WALK_S, DRIVE_MPS, DRIVE_S, LEARN, LEAST_M) = range(8, 16)
(MOST_M, DEFAULT_M, MARGIN_M, SIGMAS, FIRST_WORTH, FAIR) = range(16, 22)

_LEAST_WEIGHT = 3e-4  # hypotheses lighter than this share are let go
_SHOWN_WEIGHT = 2e-3  # lighter ones are not asked about fences
_FIRST_THROWN = 0.08  # of first fixes: receivers that were just switched on err more often
_THERE_AFTER_ALL = 0.3  # chance that what was taken for thrown three times in a row was not
_LONG_THROW = 7  # bits of the three fixes after which a throw is over, but for a share of `_LONGER`
_LONGER = 0.1
_UNSEEN_S = 120.0  # after a longer silence a person may be anywhere that a vehicle gets to
_LOST = 0.1  # chance that who set off in it went a way that the model of a drive does not expect
_TWO_PI = 2.0 * math.pi


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _metres_per_degree(lat: float) -> tuple[float, float]:
    """East and north, on the WGS 84 ellipsoid."""
    phi = math.radians(lat)
    s = math.sin(phi)
    w2 = 1.0 - 0.0066943799901413165 * s * s
    north = 6378137.0 * (1.0 - 0.0066943799901413165) / (w2 * math.sqrt(w2))
    east = 6378137.0 / math.sqrt(w2) * max(math.cos(phi), 1e-7)
    return math.radians(1.0) * east, math.radians(1.0) * north


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _predict(h: Any, mode: int, to: int, dt: float, p: Any, fades: Any, out: Any) -> None:
    """`h` continued for `dt` seconds from `mode` to the mode `to`, into `out`; the drift included. `fades`: as of
    `_fading`."""
    for k in range(14):
        out[k] = h[k]
    if to == REST:
        if mode != REST:
            # stopped somewhere on the way
            half = 0.5 * min(dt, 60.0)
            out[PX] += half * h[VX]
            out[PY] += half * h[VY]
            speed2 = 0.5 * (h[VX] * h[VX] + h[VY] * h[VY]) + h[PVV]
            out[PPP] += 2.0 * half * h[PPV] + half * half * (h[PVV] + speed2 / 3.0)
        out[VX] = out[VY] = out[PPV] = out[PVV] = out[PVU] = 0.0
        out[PPP] += p[WANDER] * dt
    else:
        sigma, tau = (p[WALK_MPS], p[WALK_S]) if to == WALK else (p[DRIVE_MPS], p[DRIVE_S])
        s2 = sigma * sigma
        if mode == to:
            f = fades[to]
            g = tau * (1.0 - f)
            out[PX] += g * h[VX]
            out[PY] += g * h[VY]
            out[VX] = f * h[VX]
            out[VY] = f * h[VY]
            out[PPP] += 2.0 * g * h[PPV] + g * g * h[PVV] + s2 * tau * tau * (2.0 * dt / tau - 3.0 + 4.0 * f - f * f)
            out[PPV] = f * (h[PPV] + g * h[PVV]) + s2 * tau * (1.0 - f) * (1.0 - f)
            out[PVV] = f * f * h[PVV] + s2 * (1.0 - f * f)
            out[PPU] += g * h[PVU]
            out[PVU] = f * h[PVU]
        else:
            # set off at a moment in between, any way
            run = min(dt, 2.0 * tau)
            out[VX] = out[VY] = out[PVU] = 0.0
            out[PVV] = s2
            out[PPV] = s2 * run / 2.0
            out[PPP] += s2 * run * dt / 3.0
    keep = fades[DRIFT]
    out[UX] *= keep
    out[UY] *= keep
    out[PPU] *= keep
    out[PVU] *= keep
    out[PUU] = keep * keep * out[PUU] + 1.0 - keep * keep


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _update(h: Any, x: float, y: float, c: float, jitter2: float) -> None:
    """Take in a good fix at (x, y)."""
    gp, gv, gu = h[PPP] + c * h[PPU], h[PPV] + c * h[PVU], h[PPU] + c * h[PUU]
    s = gp + c * gu + jitter2
    ex, ey = x - h[PX] - c * h[UX], y - h[PY] - c * h[UY]
    kp, kv, ku = gp / s, gv / s, gu / s
    h[PX] += kp * ex
    h[VX] += kv * ex
    h[UX] += ku * ex
    h[PY] += kp * ey
    h[VY] += kv * ey
    h[UY] += ku * ey
    h[PPP] = max(h[PPP] - kp * gp, 0.01)
    h[PPV] -= kp * gv
    h[PPU] -= kp * gu
    h[PVV] = max(h[PVV] - kv * gv, 0.0)
    h[PVU] -= kv * gu
    h[PUU] = max(h[PUU] - ku * gu, 1e-4)
    h[OX] = h[OY] = 0.0


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _throw_density(dx: float, dy: float, scale: float) -> float:
    """Of a thrown fix (dx, dy) metres beside the place: a two-dimensional Cauchy distribution."""
    q = dx * dx + dy * dy + scale * scale
    return scale / (_TWO_PI * q * math.sqrt(q))


class Columns(NamedTuple):
    """The fields of the state array (n,) of `STATE`, as the kernel takes them."""

    t: Any
    lat0: Any
    lon0: Any
    east_m: Any
    north_m: Any
    near_x: Any
    near_y: Any
    clear_m: Any
    claim_m: Any
    worth: Any
    count: Any
    used: Any
    watched: Any
    w: Any
    mode: Any
    thrown: Any
    hyp: Any
    ring_t: Any
    ring_lat: Any
    ring_lon: Any
    ring_acc: Any


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _start(s: Columns, r: int, lat: float, lon: float, c: float, jitter2: float, p: Any) -> None:
    """The hypotheses after a first fix, at the origin of the device's metres."""
    east, north = _metres_per_degree(lat)
    s.lat0[r], s.lon0[r], s.east_m[r], s.north_m[r] = lat, lon, east, north
    s.used[r] = 4
    s.clear_m[r] = 0.0
    for k in range(4):
        s.hyp[r, k, :] = 0.0
        s.hyp[r, k, PPP] = c * c + jitter2
        s.hyp[r, k, PPU] = -c * 0.99
        s.hyp[r, k, PUU] = 1.0
        s.thrown[r, k] = 0
        s.mode[r, k] = min(k, 2)
    s.hyp[r, 1, PVV] = p[WALK_MPS] ** 2
    s.hyp[r, 2, PVV] = p[DRIVE_MPS] ** 2
    s.hyp[r, 3, PPP] = 4.0 * p[THROW_M] ** 2
    s.hyp[r, 3, PPU] = 0.0
    s.thrown[r, 3] = 1
    s.mode[r, 3] = REST
    rate = _FIRST_THROWN
    s.w[r, 0], s.w[r, 1], s.w[r, 2], s.w[r, 3] = 0.7 * (1 - rate), 0.2 * (1 - rate), 0.1 * (1 - rate), rate


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _moved_origin(s: Columns, r: int, lat: float, lon: float) -> None:
    """Measure the metres of device `r` from (lat, lon) from now on."""
    east, north = _metres_per_degree(lat)
    dlon = lon - s.lon0[r]
    dlon -= 360.0 * round(dlon / 360.0)
    dx, dy = dlon * s.east_m[r], (lat - s.lat0[r]) * s.north_m[r]
    for k in range(s.used[r]):
        s.hyp[r, k, PX] = (s.hyp[r, k, PX] - dx) * east / s.east_m[r]
        s.hyp[r, k, PY] = (s.hyp[r, k, PY] - dy) * north / s.north_m[r]
    s.clear_m[r] = 0.0
    s.lat0[r], s.lon0[r], s.east_m[r], s.north_m[r] = lat, lon, east, north


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _switching(dt: float, p: Any, out: Any) -> None:
    """Chances (from, to) of being in each mode `dt` seconds later; a chain of resting and moving."""
    go, stop = 1.0 / p[GO_S], 1.0 / p[STOP_S]
    settled = 1.0 - math.exp(-(go + stop) * dt)
    gone, stopped = go / (go + stop) * settled, stop / (go + stop) * settled
    changed = 0.5 * (1.0 - math.exp(-2.0 * dt / p[CHANGE_S]))
    out[REST, REST], out[REST, WALK], out[REST, DRIVE] = 1.0 - gone, 0.5 * gone, 0.5 * gone
    out[WALK, REST] = out[DRIVE, REST] = stopped
    out[WALK, WALK] = out[DRIVE, DRIVE] = (1.0 - stopped) * (1.0 - changed)
    out[WALK, DRIVE] = out[DRIVE, WALK] = (1.0 - stopped) * changed


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _fading(dt: float, p: Any, out: Any) -> None:
    """What share of the velocity of each mode, and of the drift, is left `dt` seconds later."""
    out[WALK], out[DRIVE] = math.exp(-dt / p[WALK_S]), math.exp(-dt / p[DRIVE_S])
    out[DRIFT] = math.exp(-dt / p[MEMORY_S])


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def _merged(a: Any, wa: float, b: Any, wb: float) -> None:
    """Let `a` say what `a` and `b` say together (moments kept)."""
    share = wb / (wa + wb)
    dpx, dpy, dvx, dvy = b[PX] - a[PX], b[PY] - a[PY], b[VX] - a[VX], b[VY] - a[VY]
    dux, duy = b[UX] - a[UX], b[UY] - a[UY]
    both = 0.5 * share * (1.0 - share)
    for k in range(PPP, OX):
        a[k] += share * (b[k] - a[k])
    a[PPP] += both * (dpx * dpx + dpy * dpy)
    a[PPV] += both * (dpx * dvx + dpy * dvy)
    a[PPU] += both * (dpx * dux + dpy * duy)
    a[PVV] += both * (dvx * dvx + dvy * dvy)
    a[PVU] += both * (dvx * dux + dvy * duy)
    a[PUU] += both * (dux * dux + duy * duy)
    for k in (PX, VX, UX, PY, VY, UY, OX, OY):
        a[k] += share * (b[k] - a[k])


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def settle(s: Columns, rows: Any, lat: Any, lon: Any, clear_m: Any) -> None:
    """No boundary that matters to `rows` (n,) is within `clear_m` of the places (lat, lon)."""
    for i in range(len(rows)):
        r = rows[i]
        dlon = lon[i] - s.lon0[r]
        dlon -= 360.0 * round(dlon / 360.0)
        s.near_x[r], s.near_y[r] = dlon * s.east_m[r], (lat[i] - s.lat0[r]) * s.north_m[r]
        s.clear_m[r] = clear_m[i]


@njit(cache=True, error_model="numpy")  # type: ignore[untyped-decorator,unused-ignore]
def advance(
    s: Columns, rows: Any, t: Any, lat: Any, lon: Any, acc: Any, p: Any,
    shown: Any, out_n: Any, out_lat: Any, out_lon: Any, out_sigma: Any, out_w: Any, out_thrown: Any,
) -> None:  # fmt: skip
    """Take in fixes (n,), in order of time for each of their `rows`.

    For each fix `shown` says whether a hypothesis comes near a boundary (or the row is watched); then `out_*` (n, K)
    have the places, sigmas (m), weights and throw bits of the hypotheses, `out_n` how many.
    """
    children = np.empty((CHILDREN, 14))
    child_w = np.empty(2 * CHILDREN)
    child_mode = np.empty(CHILDREN, np.int64)
    child_of = np.empty(CHILDREN, np.int64)
    chosen = np.empty(14)
    kept = np.empty((HYPOTHESES, 14))
    kept_w = np.empty(HYPOTHESES)
    kept_mode = np.empty(HYPOTHESES, np.int64)
    kept_bits = np.empty(HYPOTHESES, np.int64)
    switch = np.empty((3, 3))
    fades = np.zeros(4)
    switch_dt = -1.0
    for i in range(len(rows)):
        r = rows[i]
        claim = acc[i] if acc[i] > 0.0 else p[DEFAULT_M]
        claim = min(max(claim, p[LEAST_M]), p[MOST_M])
        first = s.count[r] == 0
        if first:
            s.claim_m[r], s.worth[r] = claim, max(p[FIRST_WORTH], p[DEFAULT_M] / claim)
        else:
            s.claim_m[r] = s.claim_m[r] ** 0.7 * claim**0.3
        c = min(max(s.worth[r] * s.claim_m[r], p[LEAST_M]), p[MOST_M])
        jitter = p[JITTER_M] + p[JITTER_SHARE] * c
        jitter2 = jitter * jitter
        if first:
            _start(s, r, lat[i], lon[i], c, jitter2, p)
        else:
            dlon = lon[i] - s.lon0[r]
            dlon -= 360.0 * round(dlon / 360.0)
            x, y = dlon * s.east_m[r], (lat[i] - s.lat0[r]) * s.north_m[r]
            dt = max(t[i] - s.t[r], 1e-3)
            if dt != switch_dt:
                _switching(dt, p, switch)
                _fading(dt, p, fades)
                switch_dt = dt
            n = 0
            total = 0.0
            for k in range(s.used[r]):
                for to in range(3):
                    prior = s.w[r, k] * switch[s.mode[r, k], to]
                    if prior < 1e-6:
                        continue
                    h = children[n]
                    _predict(s.hyp[r, k], s.mode[r, k], to, dt, p, fades, h)
                    child_mode[n], child_of[n] = to, k
                    spread = h[PPP] + 2.0 * c * h[PPU] + c * c * h[PUU] + jitter2
                    ex, ey = x - h[PX] - c * h[UX], y - h[PY] - c * h[UY]
                    good = math.exp(-0.5 * (ex * ex + ey * ey) / spread) / (_TWO_PI * spread)
                    dx, dy = x - h[PX], y - h[PY]
                    thrown = _throw_density(dx, dy, math.sqrt(p[THROW_M] ** 2 + h[PPP]))
                    rate = p[THROW_RATE]
                    if s.thrown[r, k] & 1:
                        rate = p[THROW_STAYS]
                        if s.thrown[r, k] & _LONG_THROW == _LONG_THROW:
                            rate *= _LONGER
                        again = jitter2 + c * c * 2.0 + h[PPP]
                        ox, oy = dx - h[OX], dy - h[OY]
                        same = math.exp(-0.5 * (ox * ox + oy * oy) / again) / (_TWO_PI * again)
                        thrown = 0.5 * (thrown + same)
                    child_w[2 * n] = prior * (1.0 - rate) * good
                    child_w[2 * n + 1] = prior * rate * thrown
                    total += child_w[2 * n] + child_w[2 * n + 1]
                    n += 1
            # who is said to have been thrown to one spot for longer than throws last may be there: without this,
            # whoever moved off unseen would be thrown for ever, once every other explanation has been let go
            for k in range(s.used[r]):
                if s.thrown[r, k] & _LONG_THROW == _LONG_THROW:
                    ex, ey = x - s.hyp[r, k, PX] - s.hyp[r, k, OX], y - s.hyp[r, k, PY] - s.hyp[r, k, OY]
                    there2 = c * c + (p[WALK_MPS] * min(dt, 60.0)) ** 2
                    spread = there2 + c * c + jitter2
                    weight = s.w[r, k] * _THERE_AFTER_ALL * math.exp(-0.5 * (ex * ex + ey * ey) / spread)
                    for to in (REST, DRIVE):
                        h = children[n]
                        h[:] = 0.0
                        h[PX], h[PY] = s.hyp[r, k, PX] + s.hyp[r, k, OX], s.hyp[r, k, PY] + s.hyp[r, k, OY]
                        h[PPP], h[PUU], h[PVV] = there2, 1.0, p[DRIVE_MPS] ** 2 if to == DRIVE else 0.0
                        child_mode[n], child_of[n] = to, k
                        child_w[2 * n], child_w[2 * n + 1] = 0.5 * weight / (_TWO_PI * spread), 0.0
                        total += child_w[2 * n]
                        n += 1
            if dt > _UNSEEN_S:
                weight = 0.0
                for k in range(s.used[r]):
                    dx, dy = x - s.hyp[r, k, PX], y - s.hyp[r, k, PY]
                    far = _throw_density(dx, dy, p[DRIVE_MPS] * dt)
                    weight += s.w[r, k] * (1.0 - switch[s.mode[r, k], REST]) * _LOST * far
                for to in (REST, DRIVE):
                    h = children[n]
                    h[:] = 0.0
                    h[PX], h[PY] = x, y
                    h[PPP], h[PPU], h[PUU] = c * c + jitter2, -c * 0.99, 1.0
                    h[PVV] = p[DRIVE_MPS] ** 2 if to == DRIVE else 0.0
                    child_mode[n], child_of[n] = to, 0
                    child_w[2 * n], child_w[2 * n + 1] = 0.5 * weight, 0.0
                    total += child_w[2 * n]
                    n += 1
            # learn what claims are worth, from what resting explains
            for j in range(n):
                if child_mode[j] == REST:
                    h = children[j]
                    spread = h[PPP] + 2.0 * c * h[PPU] + c * c * h[PUU] + jitter2
                    ex, ey = x - h[PX] - c * h[UX], y - h[PY] - c * h[UY]
                    surprise = min(0.5 * (ex * ex + ey * ey) / spread, 5.0) - p[FAIR]
                    step = (
                        max(p[LEARN], 0.5 / (s.count[r] + 4.0))
                        * child_w[2 * j]
                        / total
                        * surprise
                        * min(dt / 15.0, 4.0)
                    )
                    s.worth[r] = min(max(s.worth[r] * math.exp(step), 0.3), 12.0)
            # keep the heaviest; what says the same is one
            h = chosen
            m = 0
            kept_total = 0.0
            for _ in range(HYPOTHESES * 4):
                best = 0
                for j in range(1, 2 * n):
                    if child_w[j] > child_w[best]:
                        best = j
                weight = child_w[best] / total
                if weight < _LEAST_WEIGHT and m > 0:
                    break
                child_w[best] = -1.0
                bad = best & 1
                h[:] = children[best >> 1]  # the good and the thrown are both made of it
                k = child_of[best >> 1]
                mode = child_mode[best >> 1]
                bits = ((s.thrown[r, k] << 1) | bad) & 0xFFFF
                if bad:
                    h[OX], h[OY] = x - h[PX], y - h[PY]
                else:
                    _update(h, x, y, c, jitter2)
                twin = -1
                for j in range(m):
                    if kept_mode[j] == mode and (kept_bits[j] & 1) == bad:
                        a = kept[j]
                        dx, dy = a[PX] - h[PX], a[PY] - h[PY]
                        dvx, dvy = a[VX] - h[VX], a[VY] - h[VY]
                        apart = (dx * dx + dy * dy) / (a[PPP] + h[PPP] + 1.0)
                        apart += (dvx * dvx + dvy * dvy) / (a[PVV] + h[PVV] + 0.05)
                        if apart < 0.6:
                            twin = j
                            break
                if twin >= 0:
                    _merged(kept[twin], kept_w[twin], h, weight)
                    kept_w[twin] += weight
                elif m < HYPOTHESES:
                    kept[m, :] = h
                    kept_w[m], kept_mode[m], kept_bits[m] = weight, mode, bits
                    m += 1
                else:
                    break
                kept_total += weight
            s.used[r] = m
            for k in range(m):
                s.hyp[r, k, :] = kept[k]
                s.w[r, k], s.mode[r, k], s.thrown[r, k] = kept_w[k] / kept_total, kept_mode[k], kept_bits[k]
            if abs(x) > FAR_M or abs(y) > FAR_M:
                _moved_origin(s, r, lat[i], lon[i])
        place = s.count[r] % RING
        s.ring_t[r, place], s.ring_acc[r, place] = t[i], acc[i]
        s.ring_lat[r, place], s.ring_lon[r, place] = round(lat[i] * 1e7), round(lon[i] * 1e7)
        s.t[r] = t[i]
        s.count[r] += 1
        near = s.watched[r] != 0
        if not near:
            for k in range(s.used[r]):
                if s.w[r, k] > _SHOWN_WEIGHT:
                    dx, dy = s.hyp[r, k, PX] - s.near_x[r], s.hyp[r, k, PY] - s.near_y[r]
                    reach = math.sqrt(dx * dx + dy * dy) + p[SIGMAS] * math.sqrt(s.hyp[r, k, PPP]) + p[MARGIN_M]
                    if reach > s.clear_m[r]:
                        near = True
                        break
        shown[i] = near
        if near:
            s.clear_m[r] = 0.0  # what was clear is not, until it is settled anew: show also what follows in this batch
            m = 0
            for k in range(s.used[r]):
                if s.w[r, k] > _SHOWN_WEIGHT:
                    out_lat[i, m] = s.lat0[r] + s.hyp[r, k, PY] / s.north_m[r]
                    out_lon[i, m] = s.lon0[r] + s.hyp[r, k, PX] / s.east_m[r]
                    out_sigma[i, m] = math.sqrt(s.hyp[r, k, PPP])
                    out_w[i, m] = s.w[r, k]
                    out_thrown[i, m] = s.thrown[r, k]
                    m += 1
            out_n[i] = m
            for k in range(m, HYPOTHESES):
                out_lat[i, k], out_lon[i, k] = out_lat[i, 0], out_lon[i, 0]
                out_sigma[i, k], out_w[i, k], out_thrown[i, k] = 1.0, 0.0, 0
