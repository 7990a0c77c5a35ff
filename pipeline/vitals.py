"""What do a partition's devices tell about themselves, and by being silent? Incidents about devices.

Puts together `pipeline.silence`, `pipeline.health` and the areas of `pipeline.outage` for whoever holds the
activations, each in a row of its own. What is known of a device's power shapes what is said of its silence. A silence
is held back `hold_s` seconds, so that an outage of its area can be known by then; where one becomes known later, the
incident is sent again under the same id, marked. Who switched the device off is not excused by an outage.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline import health, hearing
from pipeline.areas import Areas
from pipeline.health import Health, HealthRule, Reports
from pipeline.hearing import NEVER_MS, Ms, Rows, SilenceRule
from pipeline.outage import MEMORY_S, OutageRule, Outages
from pipeline.silence import Silence, Turn
from pipeline.step import Emission
from pipeline.tidings import OFF_BEFORE_MS, Tidings, Who, emission, excused
from schemas.ids import event_id
from schemas.incident import Incident

PULSE_MS = 10_000
CALM_PULSES = 6
"""While nobody is quiet, only every so many pulses are sent."""

UNMARKED_S = 1800


class VitalRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules about devices; part of the rules that a supervisor may draft."""

    silence: SilenceRule = SilenceRule()
    health: HealthRule = HealthRule()
    outage: OutageRule = OutageRule()


class _Fixes(NamedTuple):
    reports: Reports
    heard_ms: Ms
    carriers: Sequence[str | None] | None
    cell_ids: Sequence[str | None] | None

    def take(self, places: Rows) -> "_Fixes":
        if len(places) == len(self.heard_ms):
            return self
        said = ([s[p] for p in places.tolist()] if s is not None else None for s in (self.carriers, self.cell_ids))
        return _Fixes(self.reports.take(places), self.heard_ms[places], *said)


class Vitals:
    """The devices of a partition, one row each. `who` tells whose a row is. `outages`: as known. `source` names the
    partition in pulses; none are sent without one."""

    def __init__(
        self,
        who: Callable[[int], Who],
        rules: VitalRules | None = None,
        outages: Outages | None = None,
        *,
        source: str = "",
        rule_version: str = "",
    ) -> None:
        rules = rules or VitalRules()
        self._silence = Silence(rules.silence)
        self._health = Health(rules.health)
        self._areas = Areas()
        self._outages = outages or Outages()
        self._source = source
        self._tidings = Tidings(who, self._health, self._areas, self._outages, rule_version)
        self._pulse_due_ms = NEVER_MS
        self._calm = 0
        self._unmarked: dict[int, Incident] = {}
        self.turned: list[int] = []
        """Rows that a timer changed, for whoever keeps their state to take note of and clear."""

    def admit(self, rows: Rows, since_ms: Ms, until_ms: Ms, period_s: NDArray[np.float64]) -> None:
        """Watch over `rows` (n,) from `since_ms` until before `until_ms`; known ones take their new end and period.

        `period_s`: how often the device is to report, 0: to be learnt.
        """
        if not len(rows):
            return
        self._health.reserve(int(rows.max()) + 1)
        self._silence.listen(rows, since_ms, until_ms, period_s)
        self._begin_pulse(int(since_ms.min()))

    def dump(self, rows: Rows) -> list[bytes]:
        """What `load` takes back, of rows (n,)."""
        silence, health_ = self._silence.rows[rows].tobytes(), self._health.rows[rows].tobytes()
        first, second = hearing.ROW.itemsize, health.ROW.itemsize
        return [
            silence[n * first : (n + 1) * first] + health_[n * second : (n + 1) * second] + " ".join(names).encode()
            for n, names in enumerate(self._areas.names_all(rows))
        ]

    def load(self, rows: Rows, states: Sequence[bytes]) -> None:
        """Take back what `dump` gave, for rows (n,) that were admitted or will be."""
        if not len(rows):
            return
        self._health.reserve(int(rows.max()) + 1)
        first, size = hearing.ROW.itemsize, hearing.ROW.itemsize + health.ROW.itemsize
        self._silence.load(rows, b"".join(state[:first] for state in states))
        self._health.rows[rows] = np.frombuffer(b"".join(state[first:size] for state in states), health.ROW)
        for row, state in zip(rows.tolist(), states, strict=True):
            self._areas.put(row, state[size:].decode().split())
        self._begin_pulse(int(self._silence.rows["heard_ms"][rows].max()))

    def _begin_pulse(self, since_ms: int) -> None:
        if self._source and self._pulse_due_ms == NEVER_MS:
            self._pulse_due_ms = since_ms // PULSE_MS * PULSE_MS + PULSE_MS

    def observe(
        self,
        reports: Reports,
        heard_ms: Ms,
        carriers: Sequence[str | None] | None = None,
        cell_ids: Sequence[str | None] | None = None,
    ) -> list[Emission]:
        """Take what fixes (n,) say, in the order of their arrival; `heard_ms`: when each was heard.

        Rows must have been admitted. `carriers`, `cell_ids`: None when no fix says any.
        """
        left = self._silence.hear_plain(reports.rows, heard_ms)
        fixes = _Fixes(reports, heard_ms, carriers, cell_ids)
        incidents = self._take(fixes.take(np.flatnonzero(~left)))
        # What is told of a silence is what was known before it ended, so where one may end, fixes are taken one by one.
        for place in np.flatnonzero(left).tolist():
            turns: list[Turn] = []
            self._silence.hear_one(int(reports.rows[place]), int(heard_ms[place]), turns)
            incidents += [self._told_of(turn) for turn in turns]
            incidents += self._take(fixes.take(np.array([place])))
        incidents.sort(key=lambda incident: (incident.detected_at, incident.type, incident.activation_id))
        return [emission(incident) for incident in incidents]

    def _take(self, fixes: "_Fixes") -> list[Incident]:
        reports = fixes.reports
        self._areas.place_all(reports.rows, reports.lat, reports.lon, fixes.carriers, fixes.cell_ids)
        incidents = []
        for finding in self._health.observe(reports):
            place = {name: round(float(getattr(reports, name)[finding.place]), 7) for name in ("lat", "lon")}
            incidents.append(self._tidings.found(finding, int(fixes.heard_ms[finding.place]), place))
        return incidents

    def next_wake_ms(self) -> int:
        """When `wake` next has something to do; `NEVER_MS`: never."""
        return min(self._silence.next_wake_ms(), self._pulse_due_ms)

    def wake(self, now_ms: int) -> list[Emission]:
        """Silences that are due, and the partition's pulse."""
        turns = self._silence.wake(now_ms)
        self.turned += [turn.row for turn in turns]
        emissions = [emission(self._told_of(turn)) for turn in turns]
        if self._pulse_due_ms <= now_ms:
            emissions += self._marked(now_ms)
            emissions += self._pulse(now_ms // PULSE_MS * PULSE_MS)
        return emissions

    def _pulse(self, at_ms: int) -> list[Emission]:
        rows = self._silence.rows
        self._pulse_due_ms = at_ms + PULSE_MS
        since_s = min(self._outages.open_since_s() or np.inf, at_ms / 1000 - MEMORY_S)
        heard_s = np.where((rows["hearings"] > 0) & (rows["until_ms"] > at_ms), rows["heard_ms"] / 1000, np.nan)
        quiet = at_ms - rows["heard_ms"] > rows["patience_ms"] // 2
        off_ms = self._health.rows["power_off_ms"][: len(rows)]
        off = (off_ms > 0) & (off_ms >= rows["heard_ms"] - OFF_BEFORE_MS)
        heard_s[(quiet & (heard_s < since_s)) | off] = np.nan
        if not (quiet & ~np.isnan(heard_s)).any():
            self._calm += 1
            if self._calm % CALM_PULSES:
                return []
        pulse = self._areas.pulse(self._source, at_ms / 1000, heard_s[: len(self._areas.of)], quiet)
        return [Emission("pulses", self._source, pulse, event_id("pulse", self._source, at_ms))]

    def _marked(self, now_ms: int) -> list[Emission]:
        """Silences told before their outage was known, again and marked."""
        emissions = []
        for row, incident in list(self._unmarked.items()):
            outage = self._outages.of(self._areas.names(row), incident.occurred_at.timestamp())
            if outage is not None:
                said = excused(incident, outage)
                again = event_id(incident.incident_id, "outage", outage.outage_id)
                emissions.append(msgspec.structs.replace(emission(said), id=again))
            if outage is not None or now_ms / 1000 - incident.detected_at.timestamp() > UNMARKED_S:
                del self._unmarked[row]
        return emissions

    def _told_of(self, turn: Turn) -> Incident:
        incident = self._tidings.turned(turn)
        if turn.kind == "back":
            self._unmarked.pop(turn.row, None)
        elif (
            self._source and incident.attributable and incident.evidence["likely_cause"] in ("unknown", "battery_empty")
        ):
            self._unmarked[turn.row] = incident
        return incident
