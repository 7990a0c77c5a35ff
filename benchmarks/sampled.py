"""What does a process spend its time on? Its stacks, looked at from outside while it works (py-spy), by stage.

A stack belongs to the first rule that knows any of its frames, so what is done for a checkpoint is the checkpoint's,
and to Faust is left what it does itself.
"""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

Rule = tuple[str, tuple[str, ...]]
"""A stage, and parts of frames `function (path:line)` by which it is known."""

REST = "event loop and the rest"

WORKER: Sequence[Rule] = (
    ("checkpoints", ("(agents/changelog.py", "_save (agents/partitions.py", "_save_in_pieces (agents/partitions.py")),
    ("sending", ("(agents/sender.py", "(aiokafka/producer/")),
    ("JSON to columns", ("(pipeline/columns.py",)),
    ("judging", ("(pipeline/", "(fences/")),
    ("batches, positions, reference", ("(agents/",)),
    ("Kafka's client: fetching, committing", ("(aiokafka/",)),
    ("Faust", ("(faust/", "(mode/")),
)
GATEWAY: Sequence[Rule] = (
    ("producing", ("(aiokafka/",)),
    ("token, checks, frames", ("(gateway/",)),
    ("HTTP", ("(litestar/", "(uvicorn/")),
)


def stage_of(stack: str, rules: Sequence[Rule]) -> str:
    """The stage of a stack, as py-spy writes it: frames `function (path:line)` with `;` between."""
    for name, parts in rules:
        if any(part in stack for part in parts):
            return name
    return REST


def shares_of(raw: str, rules: Sequence[Rule]) -> dict[str, float]:
    """Each stage's share of the samples; they add up to one. Empty for no samples.

    `raw`: lines of a stack, a space and how often it was seen.
    """
    seen: Counter[str] = Counter()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        seen[stage_of(stack, rules)] += int(count)
    total = seen.total()
    return {name: count / total for name, count in seen.most_common()}


async def sampled(pid: int, seconds: float, rules: Sequence[Rule]) -> dict[str, float]:
    """Shares by stage of the time that the interpreter of `pid` works, over the next `seconds`. Empty where it may not
    be looked at."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as out:
        look = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid), "--subprocesses",
            "--gil", "--rate", "50", "--duration", str(round(seconds)), "--format", "raw", "--output", out.name,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        await look.wait()
        return shares_of(Path(out.name).read_text(), rules)


def in_us(shares: dict[str, float], us_per_fix: float) -> dict[str, float]:
    """Microseconds a fix by stage."""
    return {name: round(share * us_per_fix, 2) for name, share in shares.items()}
