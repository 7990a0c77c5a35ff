"""Where does the engine's time go? Each stage's own time, so that the stages add up to the whole."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pipeline.columns
import pipeline.judgement
import pipeline.locate
from pipeline.locate import LocateCore

REST = "everything else"


class Stages:
    """Own seconds by stage. A stage inside another is not counted in it."""

    def __init__(self) -> None:
        self.own_s: dict[str, float] = defaultdict(float)
        self._inside: list[str] = []
        self._since = 0.0

    def _turn(self) -> None:
        now = time.process_time()
        if self._inside:
            self.own_s[self._inside[-1]] += now - self._since
        self._since = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What happens inside is `name`'s."""
        self._turn()
        self._inside.append(name)
        try:
            yield
        finally:
            self._turn()
            self._inside.pop()

    def wrapped(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, timed; what it generates is made at once."""

        def timed(*given: Any, **named: Any) -> Any:
            with self.stage(name):
                found = work(*given, **named)
                return list(found) if isinstance(found, Iterator) else found

        return timed


@contextmanager
def timed(core: LocateCore) -> Iterator[Stages]:
    """The stages of `core` while the block runs."""
    stages = Stages()
    judgement = core.judgement
    places: list[tuple[Any, str, str]] = [
        (core, "_who", "who wears the device"),
        (core.vitals, "observe", "battery, silence, clock"),
        (core.alarms, "tell", "alarms"),
        (core.order, "admit", "order"),
        (judgement.tracker, "advance", "the filter: where, how sure"),
        (judgement, "_pairs", "which fences, how deep, what chance"),
        (judgement, "_consider", "breaches: begin, weigh, end, tell"),
        (judgement, "_settle", "how far until the next look"),
        (pipeline.judgement, "passages", "ways through a zone"),
        (pipeline.columns, "decode_fixes", "JSON to fixes"),
        (pipeline.locate, "fix_columns", "fixes to columns"),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, said in places:
        setattr(owner, name, stages.wrapped(said, getattr(owner, name)))
    try:
        yield stages
    finally:
        for owner, name, work in before:
            setattr(owner, name, work)
