"""What do fixes say that come after later ones were judged? A batch from a time without a network fills a gap.

When a device comes back after a gap, its state from before the gap is kept, and its first fixes after it. Fixes from
inside the gap that come later are judged as they would have been, by a shadow that starts from that state; what it
finds is told, marked late, unless what is known from after the gap tells it already:

| the shadow says | and | then |
| --- | --- | --- |
| opened | a breach that began in the gap stands already | held: it is the same, unless the shadow closes it |
| opened | else | told |
| closed | of one held | both are told: it was another |
| closed | of one told late, or one from before the gap that still stands | told; the latter stands no more |
| closed | of one from before the gap that was closed since | nothing |

When nothing more comes for a while, the shadow is shown the fixes after the gap, so that what it opened is closed. Late
fixes that fall in no gap lie between neighbours that were judged, and change nothing.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.duties import NEVER, Breach, Concern
from pipeline.judgement import GAP_S, NO_FIXES, Judged, Judgement, Told
from pipeline.step import Emission
from schemas.incident import Incident

AFTER = 6
"""So many fixes after a gap are kept."""

PER_ROW = 3
MOST = 50_000
"""Gaps remembered of one activation, and of all."""

PATIENCE_S = 30.0


class Fix(msgspec.Struct, frozen=True, array_like=True):
    """A fix as it is judged: seconds since 1970, degrees WGS 84, metres."""

    t: float
    lat: float
    lon: float
    accuracy_m: float


class Gap(msgspec.Struct, array_like=True):
    """See above. `shadow`: the row of the shadow, -1 while nothing came; `last_s`: the newest late fix taken."""

    start_s: float
    end_s: float
    tracked: bytes
    concerns: list[Concern]
    after: list[Fix]
    last_s: float = 0.0
    shadow: int = -1
    due_s: float = NEVER
    held: dict[str, bytes] = {}
    told: list[str] = []


class LateTracks:
    """The gaps of a core's activations, and the shadows that late fixes fill them with."""

    def __init__(self, judgement: Judgement) -> None:
        self._live = judgement
        self._shadow = Judgement(judgement.reference, judgement.tracker.model, judgement.rule, judgement.rule_version)
        self._shadow.grace_s = judgement.grace_s
        self._free: list[int] = []
        self._gaps: dict[int, list[Gap]] = {}
        self._order: OrderedDict[tuple[int, float], None] = OrderedDict()
        self._open: set[int] = set()  # rows with a gap that still takes fixes after it
        self._filling: set[int] = set()

    # while live fixes are judged

    def before(self, judged: Judged) -> None:
        """Keep the state of rows that come back after a gap; at most the first fix of each row follows one."""
        tracker = self._live.tracker.rows
        last = tracker["t"][judged.rows]
        back = np.flatnonzero((judged.t - last > GAP_S) & (last > 0))
        back = back[np.sort(np.unique(judged.rows[back], return_index=True)[1])]
        for row, t in zip(judged.rows[back].tolist(), judged.t[back].tolist(), strict=True):
            start = float(tracker["t"][row])
            if t <= start + GAP_S:
                continue
            concerns = [_copied(one) for one in self._live.concerns.get(row, {}).values()]
            gaps = self._gaps.setdefault(row, [])
            gaps.append(Gap(start, t, self._live.tracker.dump(_one(row))[0], concerns, []))
            self._order[row, start] = None
            self._open.add(row)
            for old in gaps[:-PER_ROW]:
                self._forget(row, old)
            while len(self._order) > MOST:
                oldest_row, oldest = next(iter(self._order))
                for gap in [gap for gap in self._gaps.get(oldest_row, ()) if gap.start_s == oldest]:
                    self._forget(oldest_row, gap)

    def after(self, judged: Judged) -> list[Told]:
        """Remember the first fixes after a gap; finish gaps for which no more is expected."""
        told: list[Told] = []
        if not self._open:
            return told
        for n, row in enumerate(judged.rows.tolist()):
            if row not in self._open:
                continue
            t = float(judged.t[n])
            gap = self._gaps[row][-1]
            if len(gap.after) < AFTER:
                gap.after.append(Fix(t, float(judged.lat[n]), float(judged.lon[n]), float(judged.accuracy_m[n])))
            if row in self._filling:
                told += [Told(int(judged.place[n]), one) for one in self.fire(row, t)]
            if len(gap.after) >= AFTER and row not in self._filling:
                self._open.discard(row)
        return told

    def _forget(self, row: int, gap: Gap) -> None:
        gaps = self._gaps[row]
        gaps.remove(gap)
        self._order.pop((row, gap.start_s), None)
        if gap.shadow >= 0:
            self._release(gap)
        if not gaps:
            del self._gaps[row]
            self._open.discard(row)
        self._note(row)

    def _note(self, row: int) -> None:
        """See whether late fixes are filling a gap of `row`."""
        if self.due_s(row) < NEVER:
            self._filling.add(row)
        else:
            self._filling.discard(row)

    # late fixes

    def take(self, row: int, fix: Fix, clock_s: float) -> tuple[list[Emission], bool]:
        """What follows from a fix that is older than the last one judged; and whether it fell in a gap."""
        gap = next((one for one in self._gaps.get(row, ()) if one.start_s < fix.t < one.end_s), None)
        if gap is None or fix.t <= gap.last_s:
            return [], False
        if gap.shadow < 0:
            self._begin(row, gap)
        gap.last_s = fix.t
        gap.due_s = max(clock_s, gap.due_s if gap.due_s < NEVER else 0.0) + PATIENCE_S
        self._open.add(row)
        self._filling.add(row)
        return list(self._judge(row, gap, fix)), True

    def _begin(self, row: int, gap: Gap) -> None:
        shadow = self._shadow
        if self._free:
            gap.shadow = self._free.pop()
        else:
            gap.shadow = len(shadow.activation)
            shadow.activation.append(0)
            shadow.reserve(gap.shadow + 1)
        shadow.activation[gap.shadow] = self._live.activation[row]
        shadow.tracker.load(_one(gap.shadow), gap.tracked)
        shadow.renew(gap.shadow)
        if gap.concerns:
            shadow.concerns[gap.shadow] = {one.duty: _copied(one) for one in gap.concerns}
        shadow.tracker.rows["watched"][gap.shadow] = 1

    def _judge(self, row: int, gap: Gap, fix: Fix) -> Iterator[Emission]:
        values = (gap.shadow, fix.t, fix.lat, fix.lon, fix.accuracy_m, fix.t, 0, True)
        columns: list[Any] = [np.array([value], had.dtype) for value, had in zip(values, NO_FIXES, strict=True)]
        one = Judged(*columns)
        for told in self._shadow.judge(one):
            yield from self._told(row, gap, told.emission)
        self._shadow.tracker.rows["watched"][gap.shadow] = 1

    def _told(self, row: int, gap: Gap, emission: Emission) -> Iterator[Emission]:
        incident: Incident = emission.message
        breach_id = incident.breach_id
        late = msgspec.structs.replace(emission, message=msgspec.structs.replace(incident, late=True))
        if incident.type == "breach.opened":
            stands = self._standing(row, incident)
            if stands is not None and gap.start_s <= stands.occurred_s <= gap.end_s:
                gap.held[breach_id] = _ENCODE(incident)
                return
            gap.told.append(breach_id)
            yield late
            self._adopt(row, gap, incident)
        elif incident.type in ("breach.closed", "breach.corrected"):
            if breach_id in gap.held:
                opened = _DECODE(gap.held.pop(breach_id))
                if incident.type == "breach.closed":
                    yield Emission(
                        emission.topic,
                        emission.key,
                        msgspec.structs.replace(opened, late=True),
                        opened.incident_id,
                    )
                    yield late
            elif breach_id in gap.told:
                gap.told.remove(breach_id)
                self._drop(row, breach_id)
                yield late
            elif self._drop(row, breach_id):
                yield late
        else:
            yield late

    def _concerns(self, row: int) -> dict[int, Concern]:
        return self._live.concerns.get(row, {})

    def _standing(self, row: int, incident: Incident) -> Breach | None:
        """The breach of the incident's fence that stands after the gap."""
        for concern in self._concerns(row).values():
            fence_id = self._live.reference.fence(concern.duty).properties.fence_id
            if fence_id == incident.fence_id and concern.breach is not None:
                return concern.breach
        return None

    def _adopt(self, row: int, gap: Gap, incident: Incident) -> None:
        """A breach told late goes on if the duty is still broken and no breach stands."""
        for duty, concern in self._concerns(row).items():
            mine = self._shadow.concerns.get(gap.shadow, {}).get(duty)
            same = mine is not None and mine.breach is not None and mine.breach.breach_id == incident.breach_id
            if same and mine is not None and concern.broken and concern.breach is None:
                concern.breach = _copied(mine).breach
                self._live.renew(row)

    def _drop(self, row: int, breach_id: str) -> bool:
        for concern in self._concerns(row).values():
            if concern.breach is not None and concern.breach.breach_id == breach_id:
                concern.breach = None
                return True
        return False

    def filling(self) -> set[int]:
        """Rows with a gap that late fixes are filling: what each of their fixes ends must not wait for the next."""
        return self._filling

    def due_s(self, row: int) -> float:
        """When the first of the row's gaps is to be finished; inf: none."""
        return min((gap.due_s for gap in self._gaps.get(row, ())), default=NEVER)

    def fire(self, row: int, due_s: float) -> list[Emission]:
        """Finish the row's gaps that are due: show the shadow what came after, so that what it opened is closed."""
        emissions: list[Emission] = []
        for gap in [gap for gap in self._gaps.get(row, ()) if gap.shadow >= 0 and gap.due_s <= due_s]:
            for fix in gap.after:
                if fix.t > gap.last_s:
                    emissions += self._judge(row, gap, fix)
            stands = {one.breach.breach_id for one in self._concerns(row).values() if one.breach is not None}
            left = self._shadow.concerns.get(gap.shadow, {})
            for concern in left.values():
                breach = concern.breach
                if breach is not None and breach.breach_id in gap.told and breach.breach_id not in stands:
                    closed = self._shadow.teller.closed(
                        self._live.activation[row], concern, breach, None, gap.end_s, gap.end_s, "late_fixes"
                    )
                    emissions += self._told(row, gap, closed)
            self._release(gap)
            gap.due_s = NEVER
        self._note(row)
        return emissions

    def _release(self, gap: Gap) -> None:
        self._shadow.concerns.pop(gap.shadow, None)
        self._shadow.tracker.forget(gap.shadow)
        self._free.append(gap.shadow)
        gap.shadow = -1
        gap.concerns = []

    def flush(self) -> list[Emission]:
        """Finish all gaps: nothing more will come."""
        return [one for row in sorted(self._open) for one in self.fire(row, NEVER)]

    # state

    def dump(self, row: int) -> Any:
        """What `load` takes back."""
        if row not in self._gaps:
            return []
        return [
            (
                gap,
                self._shadow.tracker.dump(_one(gap.shadow))[0],
                list(self._shadow.concerns.get(gap.shadow, {}).values()),
            )
            if gap.shadow >= 0
            else (gap, b"", [])
            for gap in self._gaps.get(row, ())
        ]

    def load(self, row: int, state: Any) -> None:
        """Take back what `dump` gave, as plain data."""
        for gap, tracked, concerns in msgspec.convert(state, list[tuple[Gap, bytes, list[Concern]]]):
            self._gaps.setdefault(row, []).append(gap)
            self._order[row, gap.start_s] = None
            if gap.shadow >= 0:
                self._begin(row, gap)
                self._shadow.tracker.load(_one(gap.shadow), tracked)
                self._shadow.concerns.pop(gap.shadow, None)
                if concerns:
                    self._shadow.concerns[gap.shadow] = {one.duty: one for one in concerns}
            if gap.shadow >= 0 or len(gap.after) < AFTER:
                self._open.add(row)
        self._note(row)


def _one(row: int) -> NDArray[np.int64]:
    return np.array([row])


def _copied(concern: Concern) -> Concern:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(concern), type=Concern)


_ENCODE = msgspec.msgpack.Encoder(enc_hook=str).encode
_DECODE = msgspec.msgpack.Decoder(Incident).decode
