"""Which signals wait for the judge, where, and until when?"""

from collections import defaultdict
from datetime import datetime, timedelta
from heapq import heappop, heappush

from schemas.alert import Signal
from schemas.message import Message, Moment
from schemas.times import Instant, instant


class Pending(Message, frozen=True, kw_only=True):
    """A signal that waits in a place (`bucket`)."""

    signal: Signal
    bucket: str
    since: Moment
    until: Moment

    @property
    def spot(self) -> tuple[str, str, str]:
        """Those with the same may be one outage."""
        return self.signal.area_key, self.signal.rule, self.bucket


class WaitingRoom:
    """All signals that wait, by incident, by place and by the end of their hold."""

    def __init__(self) -> None:
        self._by_id: dict[str, Pending] = {}
        self._by_spot: defaultdict[tuple[str, str, str], dict[str, Pending]] = defaultdict(dict)
        self._timers: list[tuple[Instant, str]] = []

    def __contains__(self, incident_id: str) -> bool:
        return incident_id in self._by_id

    def get(self, incident_id: str) -> Pending | None:
        """The one that waits with this incident."""
        return self._by_id.get(incident_id)

    def put(self, pending: Pending) -> None:
        """Let one wait."""
        incident_id = pending.signal.incident_id
        self._by_id[incident_id] = pending
        self._by_spot[pending.spot][incident_id] = pending
        heappush(self._timers, (instant(pending.until), incident_id))

    def drop(self, incident_id: str) -> bool:
        """Let one go; False when it did not wait."""
        pending = self._by_id.pop(incident_id, None)
        if pending is None:
            return False
        there = self._by_spot[pending.spot]
        del there[incident_id]
        if not there:
            del self._by_spot[pending.spot]
        return True

    def together(self, pending: Pending, span: timedelta) -> list[Pending]:
        """All that wait in the same place and came no longer than `span` before `pending`, which is one of them."""
        least: datetime = pending.since - span
        return [one for one in self._by_spot[pending.spot].values() if one.since >= least]

    def next_due(self) -> Instant | None:
        """When the next hold is over."""
        while self._timers:
            until, incident_id = self._timers[0]
            pending = self._by_id.get(incident_id)
            if pending is not None and pending.until == until:
                return until
            heappop(self._timers)
        return None

    def take_due(self, due: datetime) -> list[Pending]:
        """Let those go whose hold is over by `due`, in order."""
        taken = []
        while (until := self.next_due()) is not None and until <= due:
            pending = self._by_id[self._timers[0][1]]
            self.drop(pending.signal.incident_id)
            taken.append(pending)
        return taken
