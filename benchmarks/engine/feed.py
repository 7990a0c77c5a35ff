"""How much memory does a core with many devices take? Told by a town in a process of its own.

So nothing of the town is measured: the process has the engine, and what came to it as bytes, as from the broker.
Counted is all that it grows by from then on, what is resident and what its allocator keeps after it was freed too; the
interpreter and the libraries, loaded before, are not, except in `peak_mb`, which is the whole process at its largest.
"""

import gc
import resource
import time
from collections.abc import Iterator
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engine.town import plan
from pipeline.locate import LocateCore
from pipeline.reference import Reference
from pipeline.step import Record
from schemas.message import encode
from schemas.times import from_epoch

FENCES, ROUNDS = 1000, 5
FRAME, FRAMES = 100, 100


def measured(devices: int) -> dict[str, Any]:
    """The memory of a core with so many devices, all of which reported five times."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    town = context.Process(target=tell, args=(devices, theirs))
    town.start()
    theirs.close()
    gc.collect()
    before, start = _resident(), time.process_time()
    reference = Reference()
    for topic in ("fences", "activations"):
        for value in _part(ours):
            wrong = reference.learn(topic, b"", value, from_epoch(0))
            if wrong is not None:
                raise wrong
    known = _resident()
    core = LocateCore(reference)
    frames = _part(ours)
    while batch := list(islice(frames, FRAMES)):
        core.apply([Record("fixes", 0, n, b"", value, 0.0) for n, value in enumerate(batch)], from_epoch(0))
    after = _resident()
    town.join()
    return {
        "devices": len(core),
        "reference_mb": round((known - before) / 1e6),
        "state_mb": round((after - known) / 1e6),
        "total_mb": round((after - before) / 1e6),
        "bytes_per_device": round((after - before) / devices),
        "peak_mb": round(_peak_mb()),
        "seconds": round(time.process_time() - start, 1),
    }


def tell(devices: int, out: Connection) -> None:
    """Send the fences of a town, its activations, and the frames of its devices, each part ended by an empty one."""
    town = plan(FENCES, devices)
    for fence in town.fences:
        out.send_bytes(encode(fence))
    out.send_bytes(b"")
    for activation in town.activations():
        out.send_bytes(encode(activation))
    out.send_bytes(b"")
    for _ in range(ROUNDS):
        for frame in _frames(town.devices, *town.report()):
            out.send_bytes(frame)
    out.send_bytes(b"")


def _frames(names: list[str], t: Any, lat: Any, lon: Any) -> Iterator[bytes]:
    millis = np.floor(t * 1000).astype("int64").astype("datetime64[ms]").astype(str).tolist()
    rows = zip(names, millis, lat.tolist(), lon.tolist(), strict=True)
    for _ in range(0, len(names), FRAME):
        fixes = [
            f'{{"device_id":"{name}","fix_time":"{at}Z","lat":{a:.7f},"lon":{o:.7f},"accuracy_m":8.5}}'
            for name, at, a, o in islice(rows, FRAME)
        ]
        yield f"[{','.join(fixes)}]".encode()


def _part(told: Connection) -> Iterator[bytes]:
    while value := told.recv_bytes():
        yield value


def _peak_mb() -> float:
    """Of this program: what `getrusage` tells is inherited from the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def _resident() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize()
