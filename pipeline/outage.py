"""Has a whole area gone quiet at once? Then nobody is at fault.

Devices of an area (a carrier, a cell, a district, all) are spread over the partitions, so nobody who holds state sees
them together. Each partition counts its own every few seconds (`pipeline.areas`); one judge adds the counts up
(`OutageCore`) and says which areas are out, on a compacted topic that all partitions read (`Outages`) while they hold a
silence back for some seconds.

A device counts as quiet from half its patience on, so an outage is mostly known before the first silence is due. An
area is out when, within `window_s` of last hearings, at least `least_devices` and `share` of its devices fell quiet
(`share_of_all` of all together, so that one large carrier's outage does not excuse the others); it is back when less
than `back_share` of them still are. Those that said they were being switched off do not count, nor those silent for
long before.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from pipeline.rejection import rejected
from pipeline.step import Change, Emission, Entry, Record
from schemas.ids import event_id
from schemas.message import Invalid, decode, encode
from schemas.outage import Outage, Pulse
from schemas.times import from_epoch, instant

MEMORY_S = 3600
"""How far back a last hearing still counts as falling quiet now, where no outage is known."""

KEEP_S = 2 * 86400
"""How long an ended outage is remembered, to tell that a device that comes back had been part of it."""

STALE_S = 180.0
"""A partition's count is left out when it is older than this against the newest: its holder is gone."""


class OutageRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an area is out; part of the rules that a supervisor may draft."""

    least_devices: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)] = 5
    share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    share_of_all: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8
    back_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.25
    window_s: Annotated[float, msgspec.Meta(ge=60, le=3600)] = 600.0


class Outages:
    """The outages known, as the topic `outages` tells them."""

    def __init__(self) -> None:
        self._by_area: dict[str, dict[str, Outage]] = {}

    def learn(self, outage: Outage) -> None:
        """Take in what is known of an outage; what ended long before it is let go."""
        there = self._by_area.setdefault(outage.area, {})
        there[outage.outage_id] = outage
        for old in [o for o in there.values() if o.ended_at and seconds_between(o.ended_at, outage.since) > KEEP_S]:
            del there[old.outage_id]

    def open_since_s(self) -> float | None:
        """Since when the oldest open outage has lasted."""
        return min(
            (o.since.timestamp() for there in self._by_area.values() for o in there.values() if o.ended_at is None),
            default=None,
        )

    def of(self, areas: Sequence[str], heard_s: float) -> Outage | None:
        """The outage in which a device of `areas`, last heard at `heard_s`, fell quiet: that of the greatest share."""
        found = [
            outage
            for area in areas
            for outage in self._by_area.get(area, {}).values()
            if outage.since.timestamp() <= heard_s + 60
            and (outage.ended_at is None or heard_s < outage.ended_at.timestamp())
        ]
        return max(found, key=lambda o: (o.quiet / o.devices, o.quiet, o.outage_id), default=None)


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Elapsed seconds from `earlier` to `later`."""
    return (later - earlier).total_seconds()


class OutageCore:
    """The judge over all areas: pulses in, outages out. A `pipeline.step.Core` of the topic's one partition."""

    def __init__(self, rule: OutageRule | None = None, outages_topic: str = "outages") -> None:
        self.rule = rule or OutageRule()
        self._topic = outages_topic
        self._pulses: dict[str, Pulse] = {}
        self._open: dict[str, Outage] = {}
        self._changed: set[str] = set()

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take back open outages; counts come anew within seconds."""
        for key, value, _ in entries:
            if value:
                self._open[key.decode()] = decode(value, Outage)

    def apply(self, batch: Sequence[Record], now: datetime) -> list[Emission]:
        """Take counts in, and say which areas went out or came back with the newest of them."""
        emissions = []
        for record in batch:
            try:
                pulse = decode(record.value, Pulse)
            except Invalid as error:
                emissions.append(rejected(record, error, now))
                continue
            self._pulses[pulse.source] = pulse
            emissions += self._judge(pulse.at)
        return emissions

    def _judge(self, at: datetime) -> list[Emission]:
        devices: Counter[str] = Counter()
        quiet: dict[str, Counter[int]] = {}
        for pulse in self._pulses.values():
            if seconds_between(pulse.at, at) > STALE_S:
                continue
            for part in pulse.areas:
                devices[part.area] += part.devices
                if part.quiet:
                    quiet.setdefault(part.area, Counter()).update(part.quiet)
        emissions = []
        for area in sorted(quiet.keys() | self._open.keys()):
            known = self._open.get(area)
            said = (
                self._went_out(area, quiet[area], devices[area], at)
                if known is None
                else self._still_out(known, quiet.get(area, Counter()), devices[area], at)
            )
            if said is not None:
                emissions.append(self._say(said))
        return emissions

    def _went_out(self, area: str, quiet: Counter[int], devices: int, at: datetime) -> Outage | None:
        first, count = densest(quiet, max(int(self.rule.window_s // 60), 1))
        share = self.rule.share_of_all if area == "all" else self.rule.share
        if count < self.rule.least_devices or count < share * devices:
            return None
        since = from_epoch(first * 60)
        return Outage(
            outage_id=event_id("outage", area, since),
            area=area,
            since=since,
            detected_at=instant(at),
            quiet=count,
            devices=devices,
        )

    def _still_out(self, known: Outage, quiet: Counter[int], devices: int, at: datetime) -> Outage | None:
        first = known.since.timestamp() // 60
        count = sum(number for minute, number in quiet.items() if minute >= first)
        if devices and count < self.rule.back_share * devices:
            return msgspec.structs.replace(known, ended_at=instant(at))
        if count > 1.2 * known.quiet:
            return msgspec.structs.replace(known, quiet=count, devices=max(devices, count))
        return None

    def _say(self, outage: Outage) -> Emission:
        if outage.ended_at is None:
            self._open[outage.area] = outage
        else:
            del self._open[outage.area]
        self._changed.add(outage.area)
        said = event_id("outage.said", outage.outage_id, outage.quiet, outage.ended_at)
        return Emission(self._topic, outage.outage_id, outage, said)

    def wake(self, now: datetime) -> list[Emission]:
        """Nothing: areas are judged when a count comes, and counts come all the time."""
        return []

    def next_wake(self) -> datetime | None:
        """Never."""
        return None

    def changed(self) -> Iterator[list[Change]]:
        """The open outages that are new, changed or over: all in one piece."""
        changed, self._changed = self._changed, set()
        yield [(area.encode(), encode(self._open[area]) if area in self._open else None) for area in sorted(changed)]


def densest(quiet: Mapping[int, int], minutes: int) -> tuple[int, int]:
    """The first minute of the `minutes` in which most fell quiet, and how many; the earliest of equals."""
    return max(
        ((first, sum(quiet.get(first + n, 0) for n in range(minutes))) for first in quiet),
        key=lambda found: (found[1], -found[0]),
        default=(0, 0),
    )
