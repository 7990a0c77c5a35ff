"""What is remembered of the duties near a device changes no verdict."""

from benchmarks.engine.__main__ import _frames
from benchmarks.engine.town import build
from pipeline.locate import LocateCore
from schemas.message import encode
from schemas.times import from_epoch

NOW = from_epoch(0)


def test_whoever_remembers_says_the_same_as_whoever_looks_up_each_time() -> None:
    """People cross fences and zones; one core keeps what it looked up, the other forgets all before each batch."""
    town = build(200, 400, dense=6.0, moving=0.5)
    keeps, forgets = LocateCore(town.reference), LocateCore(town.reference)
    told: list[list[bytes]] = [[], []]
    for _ in range(18):
        for batch in _frames(town):
            told[0] += [encode(one.message) for one in keeps.apply(batch, NOW)]
            forgets.judgement.nearby.forget(slice(None))
            told[1] += [encode(one.message) for one in forgets.apply(batch, NOW)]
    assert len(told[0]) > 100
    assert told[0] == told[1]
