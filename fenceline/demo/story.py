"""What came of the demo: incidents beside what was planted, how quickly they came, and whether a fix was lost; pure."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import msgspec

from fenceline.demo.chapters import Chapters
from schemas.alert import Alert
from schemas.fix import Fix
from schemas.incident import Incident
from schemas.notification import Notification


class Summary(msgspec.Struct, frozen=True):
    """The demo's last word. `p50_ms`, `p99_ms`: from the gateway's receipt of the fix that settled an incident to the
    incident on its topic. `fixes_lost`: acknowledged by the gateway, but not on the topic. `told`, `untold`: the
    chapters of one person's story, from the breach to somebody who acts, that came and that did not."""

    fixes: int
    incidents: int
    breaches_expected: int
    breaches_found: int
    p50_ms: float | None
    p99_ms: float | None
    false_alarms: int
    fixes_lost: int
    fixes_rejected: int
    devices: int
    seconds: float
    alerts: int = 0
    messages: int = 0
    messages_dead: int = 0
    told: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()

    def good(self) -> bool:
        """Whether every planted breach was found, nothing was lost, and the one story went all the way."""
        return self.breaches_found == self.breaches_expected and self.kept() and not self.untold

    def kept(self) -> bool:
        """Whether nothing was lost."""
        return not self.fixes_lost and not self.fixes_rejected and not self.messages_dead


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest of `values` that at least `share` (0..1) of them do not exceed; None of none."""
    ranked = sorted(values)
    return ranked[max(math.ceil(share * len(ranked)) - 1, 0)] if ranked else None


@dataclass(slots=True)
class Story:
    """What was seen on the topics so far."""

    received_at_s: dict[tuple[str, int], float] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    opened: set[tuple[str, str]] = field(default_factory=set)
    latencies_ms: list[float] = field(default_factory=list)
    rejected: int = 0
    alerts: set[str] = field(default_factory=set)
    messages: dict[str, str] = field(default_factory=dict)

    def fix_seen(self, fix: Fix) -> None:
        """A fix stands on its topic."""
        if fix.received_at is not None:
            self.received_at_s[(fix.device_id, round(fix.fix_time.timestamp() * 1000))] = fix.received_at.timestamp()

    def incident_seen(self, incident: Incident, written_at_s: float) -> bool:
        """An incident stands on its topic since `written_at_s`; False when it did so before."""
        if incident.incident_id in self.incidents:
            return False
        self.incidents[incident.incident_id] = incident
        if incident.type == "breach.opened":
            self.opened.add((incident.subject_id, incident.fence_id))
        settled_by = (incident.device_id, round(incident.detected_at.timestamp() * 1000))
        if settled_by in self.received_at_s:
            self.latencies_ms.append((written_at_s - self.received_at_s[settled_by]) * 1000)
        return True

    def alert_seen(self, alert: Alert) -> None:
        """An alert stands on its topic."""
        self.alerts.add(alert.alert_id)

    def message_seen(self, message: Notification) -> None:
        """A message to somebody stands on its topic as it now is."""
        self.messages[message.notification_id] = message.state

    def found(self, planted: Collection[tuple[str, str]]) -> bool:
        """Whether all planted breaches were opened."""
        return self.opened >= set(planted)

    def summary(
        self,
        planted: Collection[tuple[str, str]],
        accepted: Collection[tuple[str, int]],
        devices: int,
        seconds: float,
        chapters: Chapters | None = None,
    ) -> Summary:
        """What came of it. `accepted`: (device_id, epoch second) of the fixes that the gateway acknowledged."""
        on_topic = {(device_id, millis // 1000) for device_id, millis in self.received_at_s}
        p50, p99 = percentile(self.latencies_ms, 0.5), percentile(self.latencies_ms, 0.99)
        return Summary(
            fixes=len(accepted),
            incidents=len(self.incidents),
            breaches_expected=len(set(planted)),
            breaches_found=len(self.opened & set(planted)),
            p50_ms=p50 and round(p50, 1),
            p99_ms=p99 and round(p99, 1),
            false_alarms=len(self.opened - set(planted)),
            fixes_lost=len(set(accepted) - on_topic),
            fixes_rejected=self.rejected,
            devices=devices,
            seconds=round(seconds, 1),
            alerts=len(self.alerts),
            messages=len(self.messages),
            messages_dead=sum(state == "dead" for state in self.messages.values()),
            told=() if chapters is None else chapters.told(),
            untold=() if chapters is None else chapters.untold(),
        )
