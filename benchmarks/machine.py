"""On what was it measured? And how a process is seen from outside."""

import os
import platform
import resource
import time
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """What the figures depend on; `load` is the number of processes that wanted to run in the last minute."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory_kb / 1e6, 1),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "at": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime()),
    }


def resident_mb(pid: int) -> float:
    """Memory of a process that lies in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
