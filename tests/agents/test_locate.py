import subprocess
import sys
from pathlib import Path

PROGRAM = """
import random, sys
from numba.core.dispatcher import Dispatcher
from agents.locate import AGENT, warm_up
from pipeline.step import Record
from schemas.message import encode
from tests.support import homes
import json

def compiled():
    return {
        f"{name}.{part}": len(value.signatures)
        for name, module in list(sys.modules.items()) if name.startswith(("fences.", "pipeline."))
        for part, value in vars(module).items() if isinstance(value, Dispatcher)
    }

warm_up()
before = compiled()
reference = AGENT.knowledge()
from schemas.times import from_epoch
for number in range(5):
    for topic, key, value in homes.reference_of(number):
        assert reference.learn(topic, key.encode(), json.dumps(value).encode(), from_epoch(1.7e9)) is None
core = AGENT.core(0, reference)
chance = random.Random(1)
emissions = 0
for step in range(60):
    frame = [homes.fix(number, step, chance) for number in range(5)]
    at_s = homes.BEGIN.timestamp() + 10 * step
    record = Record("fixes", 0, step, b"d", json.dumps(frame).encode(), at_s)
    emissions += len(core.apply([record], from_epoch(at_s)))
assert emissions > 0
after = compiled()
assert after == before, {name: (before.get(name), count) for name, count in after.items() if before.get(name) != count}
print(len(after))
"""


def test_after_the_warm_up_nothing_is_left_to_be_compiled() -> None:
    """Compiling holds up heartbeats, so a worker does it before it joins the group."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 5
