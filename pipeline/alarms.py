"""Which alarms did a device raise? Tampering and calls for help are told at once, as they arrive, in whatever order.

A device repeats an alarm in fix after fix; that is one episode, told once. It ends with a fix that no longer has it,
and what comes within the same minute as a told one is the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.breaches import Teller
from pipeline.columns import FixColumns
from pipeline.judgement import Told
from schemas.ids import event_id
from schemas.incident import IncidentType
from schemas.reference import Severity
from schemas.times import from_epoch

SAME_S = 60.0
_KINDS: dict[str, tuple[IncidentType, Severity]] = {
    "sos": ("device.sos", "critical"),
    "tamper": ("device.tamper", "critical"),
}


class Alarms:
    """The alarms that stand, by row: name to (begun, last told by a fix), seconds since 1970."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._standing: dict[int, dict[str, list[float]]] = {}

    def tell(
        self, fixes: FixColumns, rows: NDArray[np.int64], activation: Sequence[int], usable: NDArray[np.bool_]
    ) -> list[Told]:
        """Incidents of alarms in `fixes`; a fix whose position is not usable can still call for help."""
        told: list[Told] = []
        for place in self._places(fixes, rows):
            row = int(rows[place])
            told += self._told(place, row, activation[row], float(fixes.t[place]), fixes, bool(usable[place]))
        return told

    def _places(self, fixes: FixColumns, rows: NDArray[np.int64]) -> list[int]:
        """The fixes of somebody that have alarms, or may end or go on with one of their row."""
        alarmed = np.array(fixes.alarmed, np.int64)
        concerned = np.union1d(np.fromiter(self._standing, np.int64, len(self._standing)), rows[alarmed])
        return np.flatnonzero(np.isin(rows, concerned[concerned >= 0])).tolist() if len(concerned) else []

    def _told(self, place: int, row: int, slot: int, t: float, fixes: FixColumns, usable: bool) -> list[Told]:
        raised = [name for name in dict.fromkeys(fixes.fixes[place].alarms) if name in _KINDS]
        mine = self._standing.get(row, {})
        told = []
        for name in raised:
            known = mine.get(name)
            if (known is not None and known[0] - SAME_S <= t <= known[1] + SAME_S) or (
                known and known[2] and t > known[0]
            ):
                known[0], known[1], known[2] = min(known[0], t), max(known[1], t), 1.0 if t >= known[1] else known[2]
                continue
            mine[name] = [t, t, 1.0]
            told.append(Told(place, self._incident(name, slot, t, place, fixes, usable)))
        for name, known in mine.items():
            if name not in raised and t > known[1]:
                known[2] = 0.0  # the next is a new one
        for name in [name for name, known in mine.items() if not known[2] and t > known[1] + SAME_S]:
            del mine[name]
        if mine:
            self._standing[row] = mine
        else:
            self._standing.pop(row, None)
        return told

    def _incident(self, name: str, slot: int, t: float, place: int, fixes: FixColumns, usable: bool) -> Any:
        kind, severity = _KINDS[name]
        fix = fixes.fixes[place]
        activation_id = self._teller.activation_id(slot)
        evidence: dict[str, Any] = {"alarms": list(fix.alarms)}
        if usable:
            evidence |= {"lat": round(float(fixes.lat[place]), 7), "lon": round(float(fixes.lon[place]), 7)}
        if fix.accuracy_m is not None:
            evidence["accuracy_m"] = fix.accuracy_m
        if fix.battery_pct is not None:
            evidence["battery_pct"] = fix.battery_pct
        incident_id = event_id(kind, activation_id, from_epoch(t))
        return self._teller.incident(kind, slot, incident_id, t, t, severity=severity, evidence=evidence)

    def dump(self, row: int) -> Any:
        """What `load` takes back."""
        return self._standing.get(row)

    def load(self, row: int, state: Any) -> None:
        """Take back what `dump` gave."""
        if state:
            self._standing[row] = state
