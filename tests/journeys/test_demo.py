"""The demo, as a newcomer runs it: the whole system on one machine, every planted breach found, nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIMIT_S = 150


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FENCELINE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "fenceline", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environ, "FENCELINE_DATA_DIR": str(folder)},
        start_new_session=True,
    )


def left_running(folder: Path) -> list[str]:
    """Command lines of processes that the demo started (they name its folder, or have it in their environment)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"FENCELINE_DATA_DIR={folder}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_it_finds_every_planted_breach_and_loses_nothing(tmp_path: Path) -> None:
    process = demo(tmp_path, "--seconds", "20", "--json")
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, f"{out}\n{err}"
    (line,) = out.splitlines()
    summary = json.loads(line)
    assert summary.keys() >= {"fixes", "incidents", "breaches_expected", "breaches_found", "p50_ms", "p99_ms"}
    assert summary["devices"] >= 50
    assert summary["breaches_found"] == summary["breaches_expected"] >= 8
    assert summary["fixes_lost"] == 0
    assert summary["p50_ms"] > 0
    assert summary["untold"] == []
    assert summary["alerts"] >= 8
    assert summary["messages"] > summary["alerts"]
    assert summary["messages_dead"] == 0
    assert left_running(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for left-over processes in /proc")
def test_ctrl_c_ends_it_cleanly_and_leaves_nothing_running(tmp_path: Path) -> None:
    process = demo(tmp_path)
    assert process.stdout is not None
    deadline = time.monotonic() + LIMIT_S
    for line in process.stdout:
        if " left “" in line:
            break
        assert time.monotonic() < deadline, "no breach was printed"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Planted breaches found" in out
    assert "Traceback" not in err
    assert left_running(tmp_path) == []
