"""Is the device itself fit to be believed? Battery, power, clock, a position that never moves, an invented position.

All from what fixes say of the device that sent them; a row of state per activation. A compiled kernel passes by the
fixes with which nothing turns up; the others, and all that follow them of their device, are looked at one by one, so
batches change nothing. A fix older than the newest seen says nothing here.

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
from numba import njit
from numpy.typing import NDArray

from fences.room import lengthen, room
from pipeline.rows import StateRows

Kind = Literal["battery_low", "power_off", "mocked", "clock_wrong", "stuck"]
Rows = NDArray[np.intp]
Ms = NDArray[np.int64]
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
SELDOM = ("power_off_ms", "mock_ms", "lag_s", "lag_since_ms")
"""Fields that are 0 for most devices."""
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


class _Columns(NamedTuple):
    """Fields of the rows that the kernel reads and writes; `apart` (rows,): those that it leaves alone."""

    apart: Any
    seen_ms: Any
    lat_e7: Any
    lon_e7: Any
    still_since_ms: Any
    still_fixes: Any
    battery_pct: Any
    charging: Any
    told: Any
    lag_fixes: Any


@njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def _pass_by(s: _Columns, said: Reports, steps: Any, figures: Any, left: Any) -> None:
    """Take in fixes (n,) with which nothing turns up; mark the others in `left`, and their rows in `apart`.

    `steps` (2, n): latitudes and longitudes in steps of 1e-7 degrees.
    """
    low_pct, rearm_pct, future_ms, lag_ms, stuck_ms = figures
    for i in range(len(said.rows)):
        r, at = said.rows[i], said.fix_ms[i]
        if s.apart[r]:
            left[i] = True
            continue
        behind = said.received_ms[i] - at if said.received_ms[i] > 0 else 0
        if s.told[r] & _LOW:
            turns = said.battery_pct[i] >= rearm_pct or said.charging[i] == YES
        else:
            turns = said.low_alarm[i] or said.battery_pct[i] <= low_pct
        same = said.satellite[i] and s.seen_ms[r] != 0 and steps[0, i] == s.lat_e7[r] and steps[1, i] == s.lon_e7[r]
        if (
            turns or at <= s.seen_ms[r] or said.mock[i] or said.power_off[i] or s.lag_fixes[r] != 0
            or (s.told[r] | _LOW) != _LOW or behind < -future_ms or behind > lag_ms
            or (same and at - s.still_since_ms[r] >= stuck_ms)
        ):  # fmt: skip
            left[i] = s.apart[r] = True
            continue
        s.seen_ms[r], s.lat_e7[r], s.lon_e7[r] = at, steps[0, i], steps[1, i]
        if same:
            s.still_fixes[r] += 1
        else:
            s.still_since_ms[r], s.still_fixes[r] = at, 1
        if not np.isnan(said.battery_pct[i]):
            s.battery_pct[r] = said.battery_pct[i]
        if said.charging[i] != UNKNOWN:
            s.charging[r] = said.charging[i]


class Health:
    """The health of a partition's devices, one row per activation."""

    def __init__(self, rule: HealthRule | None = None) -> None:
        rule = self.rule = rule or HealthRule()
        self.rows = StateRows(ROW, SELDOM)
        self._apart = np.zeros(0, np.bool_)
        self._figures = np.array(
            [rule.low_pct, rule.rearm_pct, rule.future_s * 1000, rule.lag_s * 1000, rule.stuck_s * 1000]
        )

    def reserve(self, count: int) -> None:
        """Have at least `count` rows."""
        if count > len(self.rows):
            had = len(self.rows)
            self.rows.lengthen(room(had, count))
            self.rows["battery_pct"][had:], self.rows["charging"][had:] = np.nan, UNKNOWN
            lengthen(self, "_apart", len(self.rows))

    def power(self, row: int) -> Power:
        """What the device of `row` last said of its power."""
        state = self.rows[row]
        battery = float(state["battery_pct"])
        charging = None if state["charging"] == UNKNOWN else bool(state["charging"])
        return Power(None if np.isnan(battery) else battery, charging, int(state["power_off_ms"]))

    def observe(self, reports: Reports) -> list[Finding]:
        """Take what fixes say; findings in the order of the fixes that settled them."""
        left = np.zeros(len(reports.rows), np.bool_)
        columns = _Columns(self._apart, *(self.rows[name] for name in _Columns._fields[1:]))
        _pass_by(columns, reports, _steps(np.stack((reports.lat, reports.lon))), self._figures, left)
        self._apart[reports.rows[left]] = False
        findings: list[Finding] = []
        for place in np.flatnonzero(left).tolist():
            self._observe_one(reports, place, findings)
        return findings

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
