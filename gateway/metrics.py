"""What does the gateway count? Every name in one list, and their form for Prometheus."""

from bisect import bisect_left
from collections import defaultdict
from enum import StrEnum
from typing import NamedTuple


class Name(StrEnum):
    """The metrics; seconds are seconds."""

    REQUESTS = "fenceline_gateway_requests_total"
    FIXES = "fenceline_gateway_fixes_total"
    REJECTED = "fenceline_gateway_rejected_total"
    REFUSED = "fenceline_gateway_refused_total"
    IGNORED = "fenceline_gateway_ignored_total"
    FRAMES = "fenceline_gateway_frames_total"
    FAILED_FRAMES = "fenceline_gateway_failed_frames_total"
    IN_FLIGHT = "fenceline_gateway_in_flight_fixes"
    CREDENTIALS = "fenceline_gateway_credentials"
    SHARED_RATES = "fenceline_gateway_shared_rates"
    REQUEST_SECONDS = "fenceline_gateway_request_seconds"
    BROKER_SECONDS = "fenceline_gateway_broker_seconds"
    MQTT_CONNECTED = "fenceline_gateway_mqtt_connected"


class _About(NamedTuple):
    kind: str
    text: str


ABOUT: dict[Name, _About] = {
    Name.REQUESTS: _About("counter", "HTTP requests by route and status"),
    Name.FIXES: _About("counter", "fixes that the broker acknowledged, by way in"),
    Name.REJECTED: _About("counter", "records written to fixes.rejected, by way in"),
    Name.REFUSED: _About("counter", "requests not served, by reason; their sender keeps what it has"),
    Name.IGNORED: _About("counter", "well-formed messages without a position, by way in and kind"),
    Name.FRAMES: _About("counter", "frames that the broker acknowledged"),
    Name.FAILED_FRAMES: _About("counter", "frames that the broker did not acknowledge in time"),
    Name.IN_FLIGHT: _About("gauge", "fixes on their way to the broker"),
    Name.CREDENTIALS: _About("gauge", "credentials known"),
    Name.SHARED_RATES: _About("gauge", "1: rates are shared through Redis; 0: this gateway counts for itself"),
    Name.REQUEST_SECONDS: _About("histogram", "time to answer a request, by route"),
    Name.BROKER_SECONDS: _About("histogram", "time from a frame's sending to its acknowledgement"),
    Name.MQTT_CONNECTED: _About("gauge", "1 while subscribed at the MQTT broker"),
}

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters, gauges and histograms of one event loop. `part`: whose they are, in place of the gateway."""

    def __init__(self, part: str = "gateway") -> None:
        self._part = part
        self._values: dict[tuple[Name, Labels], float] = defaultdict(float)
        self._buckets: dict[tuple[Name, Labels], list[int]] = {}

    def count(self, name: Name, by: float = 1, **labels: str) -> None:
        """Add `by` to a counter."""
        self._values[name, tuple(labels.items())] += by

    def set(self, name: Name, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._values[name, tuple(labels.items())] = value

    def observe(self, name: Name, seconds: float, **labels: str) -> None:
        """Enter a duration into a histogram."""
        key = (name, tuple(labels.items()))
        self._values[key] += seconds
        self._buckets.setdefault(key, [0] * (len(BUCKETS_S) + 1))[bisect_left(BUCKETS_S, seconds)] += 1

    def total(self, name: Name, **labels: str) -> float:
        """The sum of a metric over all labels that include `labels`."""
        wanted = set(labels.items())
        return sum(value for (of, given), value in self._values.items() if of is name and wanted <= set(given))

    def text(self) -> str:
        """All of it in Prometheus' text format."""
        lines: list[str] = []
        for name, about in ABOUT.items():
            keys = sorted(labels for of, labels in self._values if of is name)
            if keys:
                lines += [f"# HELP {name} {about.text}", f"# TYPE {name} {about.kind}"]
            for labels in keys:
                lines += self._histogram(name, labels) if about.kind == "histogram" else [self._plain(name, labels)]
        text = "\n".join(lines) + "\n"
        return text.replace("fenceline_gateway_", f"fenceline_{self._part}_")

    def _plain(self, name: Name, labels: Labels) -> str:
        return f"{name}{_shown(labels)} {self._values[name, labels]:.10g}"

    def _histogram(self, name: Name, labels: Labels) -> list[str]:
        lines: list[str] = []
        below = 0
        for bound, entries in zip((*map(str, BUCKETS_S), "+Inf"), self._buckets[name, labels], strict=True):
            below += entries
            lines.append(f"{name}_bucket{_shown((*labels, ('le', bound)))} {below}")
        total = self._values[name, labels]
        return [*lines, f"{name}_sum{_shown(labels)} {total:.10g}", f"{name}_count{_shown(labels)} {below}"]


def _shown(labels: Labels) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{{{inside}}}" if inside else ""
