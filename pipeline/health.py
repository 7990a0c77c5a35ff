"""Is the device itself fit to be believed? Battery, power, clock, a position that never moves, an invented position.

All from what fixes say of the device that sent them; a row of state per activation, judged in batches by column. Only
rows in which something turns up are looked at one by one, and in their order, so batches change nothing. Fixes count in
the order of their fix_time; one older than the newest seen says nothing here.

| finding | when | again after |
| --- | --- | --- |
| battery_low | battery at `low_pct` or below, or the device's own alarm, not charging | charging, or `rearm_pct` |
| power_off | the device says that it is being switched off | a fix that does not say so |
| mocked | the phone says that an app invented the position | an hour |
| clock_wrong | a fix from the future, or arrivals whose lag is long and steady | the clock is right again |
| stuck | the same position to the centimetre from satellites, for hours | it moves |

Satellite positions tremble even on a table, so one that does not is a receiver left to repeat itself, or made up. A lag
that shrinks is a phone emptying its buffer; one that stays is a clock set wrong.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

Kind = Literal["battery_low", "power_off", "mocked", "clock_wrong", "stuck"]
Rows = NDArray[np.intp]
Ms = NDArray[np.int64]
Flags = NDArray[np.bool_]
Find = Callable[..., None]

PLACES = 1e7
"""Degrees are compared in steps of 1e-7, which is 1.1 cm."""

UNKNOWN, NO, YES = -1, 0, 1

ROW = np.dtype(
    [
        ("seen_ms", "i8"),  # newest fix_time, 0: none
        ("lat_e7", "i4"),
        ("lon_e7", "i4"),
        ("still_since_ms", "i8"),  # fix_time since which satellite positions are the same
        ("still_fixes", "i4"),
        ("battery_pct", "f4"),  # NaN: never told
        ("charging", "i1"),  # UNKNOWN, NO or YES
        ("told", "u1"),  # bits of the findings that stand
        ("power_off_ms", "i8"),  # the last power_off, 0: none
        ("mock_ms", "i8"),  # the last finding of that kind
        ("lag_s", "f4"),  # the lag that has been steady
        ("lag_since_ms", "i8"),
        ("lag_fixes", "u2"),
    ]
)
_LOW, _OFF, _CLOCK, _STUCK = 1, 2, 4, 8


def _steps(degrees: Any) -> Any:
    return np.round(degrees * PLACES).astype(np.int32)


class HealthRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts as unfit; part of the rules that a supervisor may draft."""

    low_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 15.0
    rearm_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 25.0
    stuck_s: Annotated[float, msgspec.Meta(gt=0, le=604800)] = 4 * 3600.0
    stuck_fixes: Annotated[int, msgspec.Meta(ge=2, le=100_000)] = 20
    future_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 120.0
    lag_s: Annotated[float, msgspec.Meta(gt=0, le=604800)] = 900.0
    lag_slack_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 45.0
    clock_fixes: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 8
    clock_s: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 600.0
    mock_again_s: Annotated[float, msgspec.Meta(ge=0, le=604800)] = 3600.0


class Reports(NamedTuple):
    """What fixes (n,) say of their devices, in the order of their arrival."""

    rows: Rows
    fix_ms: Ms
    received_ms: Ms  # 0: not told
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    satellite: NDArray[np.bool_]  # claims to be a position from satellites
    battery_pct: NDArray[np.float64]  # NaN: not told
    charging: NDArray[np.int8]  # UNKNOWN, NO or YES
    low_alarm: NDArray[np.bool_]
    power_off: NDArray[np.bool_]
    mock: NDArray[np.bool_]

    def take(self, places: Rows) -> "Reports":
        """Those at `places`, in that order."""
        columns: list[Any] = [column[places] for column in self]
        return Reports(*columns)


class Finding(NamedTuple):
    """Something about the device of `row` that may matter; `place` is the row of `Reports` that settled it."""

    row: int
    kind: Kind
    occurred_ms: int
    place: int
    evidence: dict[str, Any]


class Power(NamedTuple):
    """What is known of a device's power, for whoever asks why it went silent."""

    battery_pct: float | None
    charging: bool | None
    off_ms: int  # 0: never said that it was being switched off


class Health:
    """The health of a partition's devices, one row per activation."""

    def __init__(self, rule: HealthRule | None = None) -> None:
        self.rule = rule or HealthRule()
        self.rows = np.zeros(0, ROW)

    def reserve(self, row: int) -> None:
        """Have a place for `row`."""
        if row >= len(self.rows):
            more = np.zeros(max(row + 1, 2 * len(self.rows), 64), ROW)
            more["battery_pct"], more["charging"] = np.nan, UNKNOWN
            more[: len(self.rows)] = self.rows
            self.rows = more

    def forget(self, row: int) -> None:
        """Leave `row` free for another."""
        if row < len(self.rows):
            self.rows[row] = np.zeros((), ROW)
            self.rows["battery_pct"][row], self.rows["charging"][row] = np.nan, UNKNOWN

    def dump(self, row: int) -> bytes:
        """What `load` takes back."""
        return bytes(self.rows[row].tobytes())

    def load(self, row: int, state: bytes) -> None:
        """Take back what `dump` gave."""
        self.reserve(row)
        self.rows[row] = np.frombuffer(state, ROW)[0]

    def power(self, row: int) -> Power:
        """What the device of `row` last said of its power."""
        state = self.rows[row]
        battery = float(state["battery_pct"])
        charging = None if state["charging"] == UNKNOWN else bool(state["charging"])
        return Power(None if np.isnan(battery) else battery, charging, int(state["power_off_ms"]))

    def observe(self, reports: Reports) -> list[Finding]:
        """Take what fixes say; findings in the order of the fixes that settled them."""
        if not len(reports.rows):
            return []
        order = np.argsort(reports.rows, kind="stable")
        sorted_ = reports.take(order)
        rows = sorted_.rows
        first = np.append(True, rows[1:] != rows[:-1])
        starts = np.flatnonzero(first)
        alone = np.diff(np.append(starts, len(rows))) == 1
        group = np.cumsum(first) - 1
        same = self._same(sorted_, first) & sorted_.satellite
        rare = np.logical_or.reduceat(self._odd(sorted_, first, same, alone[group]), starts)
        plain = ~rare[group]
        self._pass_by(sorted_, plain, plain & np.append(first[1:], True), same)
        findings: list[Finding] = []
        for place in order[~plain].tolist():
            self._observe_one(reports, place, findings)
        return sorted(findings, key=lambda finding: finding.place)

    def _same(self, said: Reports, first: Flags) -> Flags:
        """The fixes (n,) at the place of the one before them; `first`: before them is the state."""
        rows, lat, lon = said.rows[first], _steps(said.lat), _steps(said.lon)
        old_lat, old_lon = np.roll(lat, 1), np.roll(lon, 1)
        old_lat[first], old_lon[first] = self.rows["lat_e7"][rows], self.rows["lon_e7"][rows]
        return np.asarray((lat == old_lat) & (lon == old_lon))

    def _odd(self, said: Reports, first: Flags, same: Flags, alone: Flags) -> Flags:
        """The fixes (n,) with which more may change than the newest values."""
        rule = self.rule
        state = self.rows[said.rows]
        before = np.roll(said.fix_ms, 1)
        before[first] = state["seen_ms"][first]
        lag_s = np.where(said.received_ms > 0, said.received_ms - said.fix_ms, 0) / 1000
        low = (state["told"] & _LOW) != 0
        recovers = low & ((said.battery_pct >= rule.rearm_pct) | (said.charging == YES))
        still_s = (said.fix_ms - state["still_since_ms"]) / 1000
        return np.asarray(
            (said.fix_ms <= before)
            | said.mock
            | said.power_off
            | (~low & (said.low_alarm | (said.battery_pct <= rule.low_pct)))
            | recovers
            | (lag_s < -rule.future_s)
            | (lag_s > rule.lag_s)
            | (state["lag_fixes"] != 0)
            | ((state["told"] | _LOW) != _LOW)
            | (same & ~(alone & (still_s < rule.stuck_s)))
        )

    def _pass_by(self, said: Reports, plain: Flags, last: Flags, same: Flags) -> None:
        """Take in the newest values of devices with which nothing turned up."""
        state, rows = self.rows, said.rows[last]
        state["seen_ms"][rows] = said.fix_ms[last]
        state["lat_e7"][rows], state["lon_e7"][rows] = _steps(said.lat[last]), _steps(said.lon[last])
        moved, still = rows[~same[last]], rows[same[last]]
        state["still_since_ms"][moved] = said.fix_ms[last & ~same]
        state["still_fixes"][moved] = 1
        state["still_fixes"][still] += 1
        told = plain & ~np.isnan(said.battery_pct)
        state["battery_pct"][said.rows[told]] = said.battery_pct[told]
        told = plain & (said.charging != UNKNOWN)
        state["charging"][said.rows[told]] = said.charging[told]

    def _observe_one(self, said: Reports, place: int, findings: list[Finding]) -> None:
        row, at = int(said.rows[place]), int(said.fix_ms[place])
        state = self.rows[row]
        if at <= state["seen_ms"]:
            return
        received = int(said.received_ms[place])

        def find(kind: Kind, bit: int, occurred_ms: int, **evidence: Any) -> None:
            state["told"] |= bit
            findings.append(Finding(row, kind, occurred_ms, place, evidence))

        if received:
            self._judge_clock(state, at, received, find)
        self._judge_power(state, said, place, find)
        if said.mock[place] and (not state["mock_ms"] or at - state["mock_ms"] >= self.rule.mock_again_s * 1000):
            state["mock_ms"] = at
            find("mocked", 0, at)
        self._judge_stillness(state, said, place, find)
        if at <= received + self.rule.future_s * 1000 or not received:
            state["seen_ms"] = at  # a time from the future would hide all that follows

    def _judge_clock(self, state: Any, at: int, received: int, find: Find) -> None:
        rule, lag_s = self.rule, (received - at) / 1000
        ahead = lag_s < -rule.future_s
        if ahead or lag_s > rule.lag_s:
            steady = state["lag_fixes"] and abs(lag_s - float(state["lag_s"])) <= rule.lag_slack_s
            if not steady:
                state["lag_s"], state["lag_since_ms"], state["lag_fixes"] = lag_s, at, 0
            state["lag_fixes"] = min(int(state["lag_fixes"]) + 1, 65_535)
            long = state["lag_fixes"] >= rule.clock_fixes and at - state["lag_since_ms"] >= rule.clock_s * 1000
            if (ahead or long) and not state["told"] & _CLOCK:
                find("clock_wrong", _CLOCK, received, offset_s=-lag_s, fixes=int(state["lag_fixes"]))
        else:
            state["lag_fixes"] = 0
            state["told"] &= ~np.uint8(_CLOCK)

    def _judge_power(self, state: Any, said: Reports, place: int, find: Find) -> None:
        at, battery = int(said.fix_ms[place]), float(said.battery_pct[place])
        if not np.isnan(battery):
            state["battery_pct"] = battery
        if said.charging[place] != UNKNOWN:
            state["charging"] = said.charging[place]
        charging = bool(state["charging"] == YES)
        low = bool(said.low_alarm[place]) or battery <= self.rule.low_pct
        if low and not charging and not state["told"] & _LOW:
            find("battery_low", _LOW, at, battery_pct=None if np.isnan(battery) else battery)
        elif state["told"] & _LOW and (charging or battery >= self.rule.rearm_pct):
            state["told"] &= ~np.uint8(_LOW)
        if not said.power_off[place]:
            state["told"] &= ~np.uint8(_OFF)
        elif not state["told"] & _OFF:
            state["power_off_ms"] = at
            known = float(state["battery_pct"])
            find("power_off", _OFF, at, battery_pct=None if np.isnan(known) else known, charging=charging)

    def _judge_stillness(self, state: Any, said: Reports, place: int, find: Find) -> None:
        at = int(said.fix_ms[place])
        lat, lon = _steps(said.lat[place]), _steps(said.lon[place])
        moved = lat != state["lat_e7"] or lon != state["lon_e7"] or not state["seen_ms"]
        if moved or not said.satellite[place]:
            state["still_since_ms"], state["still_fixes"] = at, 0
            state["told"] &= ~np.uint8(_STUCK)
        state["lat_e7"], state["lon_e7"] = lat, lon
        state["still_fixes"] += 1
        since = int(state["still_since_ms"])
        long = at - since >= self.rule.stuck_s * 1000 and state["still_fixes"] >= self.rule.stuck_fixes
        if long and not state["told"] & _STUCK:
            find("stuck", _STUCK, since, fixes=int(state["still_fixes"]), still_s=(at - since) / 1000)
