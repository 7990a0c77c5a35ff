"""What does one partition of an agent do with records and time? Skips what it has seen, fires timers in order, judges.

A partition has a clock of its own: the time at which the broker took the newest record that was judged. Timers due in
one second fire after all records of that second and before the first of a later one, by this clock; while nothing
comes, the wall's clock, a little back, stands in for it. So it is the same whether records are judged as they come or
all at once after a crash.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from agents.changelog import Marker, checkpoint
from agents.sender import Entry
from pipeline.rejection import rejected
from pipeline.step import Core, Emission, Record
from schemas.message import Invalid
from schemas.times import from_epoch, instant

GRACE_S = 1.0
"""How far back the wall's clock is read, so that a record on its way is judged before timers due after it."""

RETRY_TIMERS_S = 60.0

CHECKPOINTS_TO_REMEMBER = 3
"""After so many checkpoints nothing from before the crash can be emitted again."""

log = structlog.get_logger()


class Faulty(Exception):
    """The core raised while it judged; its state can no longer be trusted. `records`: what it was judging."""

    def __init__(self, records: Sequence[Record]) -> None:
        super().__init__(f"could not judge {len(records)} records")
        self.records = records


def rejected_by(fault: Faulty, record: Record, clock_s: float) -> Emission:
    """`record`, for its rejected topic, because it made a core raise."""
    cause = fault.__cause__
    return rejected(record, Invalid(f"could not be judged: {type(cause).__name__}: {cause}"), from_epoch(clock_s))


class Partition:
    """One core, and how far it is.

    `reached`: for each input topic the last offset that was judged; `positions`: that whose emissions are acknowledged.
    `already`: ids of emissions that are on their topics since before a crash. `poison`: records that are not judged.
    """

    def __init__(self, agent: str, number: int, core: Core, positions: dict[str, int], clock_s: float) -> None:
        self.number = number
        self.core = core
        self.src = f"{agent}/{number}"
        self.positions = dict(positions)
        self.reached = dict(positions)
        self.clock_s = clock_s
        self.generation = 0
        self.already: set[str] = set()
        self.poison: dict[tuple[str, int], str] = {}
        self.saved_positions: dict[str, int] | None = None
        self._saving_positions: dict[str, int] = {}
        self._timers_fired = False
        self.changelog_end = 0
        self.outputs: dict[str, list[int]] = {}
        self.checkpoints_since_recovery = 0
        self._timers_rest_until_s = 0.0

    def is_fresh(self, record: Record) -> bool:
        """Whether `record` has not been judged yet."""
        return record.offset > self.reached[record.topic]

    def judge(self, records: Sequence[Record], now_s: float) -> list[Emission]:
        """Judge `records` in the order given, with the timers that fall between them; what is to be sent.

        Raises:
            Faulty: the core did; recover it, and leave out what cannot be judged.
        """
        emissions: list[Emission] = []
        for clock_s, run in self._runs(records, now_s):
            if int(clock_s) > int(self.clock_s):
                emissions += self._wake(float(int(clock_s)))
            self.clock_s = clock_s
            emissions += self._apply(run)
        return [emission for emission in emissions if emission.id not in self.already]

    def _runs(self, records: Sequence[Record], now_s: float) -> Iterator[tuple[float, list[Record]]]:
        """Fresh records by the second of their time, which never goes back and is not ahead of `now_s`; each run with
        the time of its last."""
        clock_s = self.clock_s
        run: list[Record] = []
        for record in records:
            if record.offset <= self.reached[record.topic]:
                continue
            self.reached[record.topic] = record.offset
            at = max(clock_s, min(record.timestamp_s, now_s))
            if int(at) != int(clock_s) and run:
                yield clock_s, run
                run = []
            clock_s = at
            run.append(record)
        if run:
            yield clock_s, run

    def _apply(self, run: list[Record]) -> list[Emission]:
        now = from_epoch(self.clock_s)
        emissions: list[Emission] = []
        if self.poison:
            emissions += [
                rejected(record, Invalid(f"could not be judged: {why}"), now)
                for record in run
                if (why := self.poison.get((record.topic, record.offset)))
            ]
            run = [record for record in run if (record.topic, record.offset) not in self.poison]
        try:
            emissions += self.core.apply(run, now)
        except Exception as fault:
            raise Faulty(run) from fault
        self._tell_faults()
        return emissions

    def _tell_faults(self) -> None:
        """Log the errors that the core has dealt with by itself."""
        faults: list[str] | None = getattr(self.core, "faults", None)
        while faults:
            log.error("a rule raised", src=self.src, trace=faults.pop(0))

    def tick(self, until_s: float) -> list[Emission]:
        """Fire timers that are due, by the wall's clock; all records of before `until_s` have been judged."""
        boundary = int(until_s - GRACE_S)
        if boundary <= int(self.clock_s):
            return []
        due = self.core.next_wake()
        if due is None or due >= from_epoch(boundary):
            return []
        emissions = self._wake(float(boundary))
        self.clock_s = float(boundary)
        return [emission for emission in emissions if emission.id not in self.already]

    def _wake(self, boundary_s: float) -> list[Emission]:
        """Fire timers due before `boundary_s`."""
        if boundary_s < self._timers_rest_until_s:
            return []
        until = from_epoch(boundary_s) - timedelta(milliseconds=1)
        try:
            due: datetime | None = self.core.next_wake()
            if due is None or due > until:
                return []
            self._timers_fired = True
            emissions = list(self.core.wake(until))
            self._tell_faults()
            return emissions
        except Exception:
            # A fault of ours. Records still have to be judged; timers are tried again later.
            self._timers_rest_until_s = boundary_s + RETRY_TIMERS_S
            log.exception("timers could not be fired", src=self.src)
            return []

    def settle(self) -> None:
        """What was judged has been acknowledged."""
        self.positions = dict(self.reached)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything that a checkpoint would add."""
        return self._timers_fired or self.positions != self.saved_positions

    def checkpoint(self, outputs: dict[str, list[int]], worker: str) -> Iterator[list[Entry]]:
        """The records of a checkpoint in pieces; it is of the moment in which the first is drawn. In between, records
        may be judged. What is not drawn stays changed; call `saved` when the changelog has all of it.

        `outputs`: where the output topics ended before that.
        """
        self.saved_positions, self._saving_positions = None, dict(self.positions)
        self._timers_fired = False
        marker = Marker(
            positions=self._saving_positions,
            clock_s=self.clock_s,
            outputs=outputs,
            written_at=instant(datetime.now(UTC)),
            worker=worker,
            generation=self.generation,
        )
        yield from checkpoint(self.core.changed(), marker, lambda: self.positions)

    def saved(self, end: int) -> None:
        """The checkpoint that began last is in the changelog, which ends at `end`."""
        self.saved_positions = self._saving_positions
        self.changelog_end = end
        self.checkpoints_since_recovery += 1
        if self.checkpoints_since_recovery > CHECKPOINTS_TO_REMEMBER:
            self.already.clear()
