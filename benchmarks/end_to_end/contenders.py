"""Who is measured, how each is started, and what is missing where one cannot be."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.fence_lookup.server import peer_program, tile38_program

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fenceline"
FLINK = CACHE / "flink" / "bin" / "python"
BUILD_TIMEOUT_S = 600
DEVICE_PERIOD_S = 40.0


class Missing(RuntimeError):
    """A contender cannot run here; says why, and how it could."""


class Start(NamedTuple):
    """What a contender is given. `fences`: the GeoJSON file; `topic`: of the fixes; `folder`: for its own use."""

    broker: str
    fences: Path
    topic: str
    folder: Path


class Contender(NamedTuple):
    """`group`: whose committed offsets tell its progress. `output`: the topic it writes to. `frames`: reads frames.
    `first`, `most`: the lowest and the highest rate that is tried, fixes a second; devices are so many that each
    reports every `DEVICE_PERIOD_S` at the lowest. `settle_s`: how long it is not measured at first; ours holds a
    device's first fixes back for 20 s, because others may still be on their way."""

    name: str
    does: str
    group: str
    output: str
    frames: bool
    command: Callable[[Start], list[str]]
    first: float
    most: float
    settle_s: float = 5.0

    @property
    def devices(self) -> int:
        """How many devices report to it."""
        return int(self.first * DEVICE_PERIOD_S)


def _worker(_: Start) -> list[str]:
    return [sys.executable, "-m", "fenceline", "worker", "--agents", "locate"]


def _faust(start: Start) -> list[str]:
    return [sys.executable, "-m", "benchmarks.end_to_end.plain_faust", start.broker, str(start.fences), start.topic]


def _tile38(start: Start) -> list[str]:
    program = tile38_program() or peer_program(start.folder)
    if program is None:
        raise Missing("neither tile38-server nor Go, to build a server from Tile38's libraries, is here")
    arguments = [start.broker, str(start.fences), start.topic, program]
    return [sys.executable, "-m", "benchmarks.end_to_end.tile38_feed", *arguments]


def _streams(start: Start) -> list[str]:
    maven, java = shutil.which("mvn"), shutil.which("java")
    if maven is None or java is None:
        raise Missing("Java or Maven is missing; sudo apt-get install default-jdk-headless maven")
    built = CACHE / "streams"
    build = [maven, "-q", "-B", "-f", str(HERE / "streams" / "pom.xml"), "package", "dependency:copy-dependencies"]
    options = [f"-Dbuilt.in={built}", f"-DoutputDirectory={built / 'jars'}", "-DincludeScope=runtime"]
    done = subprocess.run([*build, *options], capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
    if done.returncode:
        raise Missing(f"Maven could not build the Kafka Streams job: {done.stdout[-500:]}")
    classes = f"{built / 'classes'}:{built / 'jars'}/*"
    arguments = [start.broker, str(start.fences), start.topic, "2", str(start.folder / "streams")]
    return [java, "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, "fenceline.Lookup",
            *arguments]  # fmt: skip


def _flink(start: Start) -> list[str]:
    if not FLINK.exists():
        raise Missing(f"no PyFlink at {FLINK}; python3.11 -m venv, then pip install apache-flink rtree shapely")
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Maven, for Flink's Kafka connector, is missing; sudo apt-get install maven")
    jars = CACHE / "flink-jars"
    fetch = [maven, "-q", "-B", "-f", str(HERE / "flink" / "pom.xml"), "dependency:copy-dependencies"]
    done = subprocess.run(
        [*fetch, f"-DoutputDirectory={jars}", "-DincludeScope=runtime"],
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise Missing(f"Maven could not fetch Flink's Kafka connector: {done.stdout[-500:]}")
    return [str(FLINK), str(HERE / "flink_job.py"), start.broker, str(start.fences), start.topic, str(jars)]


LOOKUP = "one lookup"
CONTENDERS = [
    Contender(
        "fenceline, frames", "full verdict", "fenceline-locate", "incidents", True, _worker, 10_000, 400_000, 90.0
    ),
    Contender(
        "fenceline, single fixes", "full verdict", "fenceline-locate", "incidents", False, _worker, 2_500, 100_000, 90.0
    ),
    Contender("plain Faust, single fixes", LOOKUP, "plain-faust", "hits", False, _faust, 1_000, 20_000),
    Contender("Tile38 over its pipeline, frames", LOOKUP, "tile38-feed", "hits", True, _tile38, 10_000, 400_000),
    Contender("Kafka Streams with JTS, single fixes", LOOKUP, "streams", "hits", False, _streams, 10_000, 400_000),
    Contender("Kafka Streams with JTS, frames", LOOKUP, "streams", "hits", True, _streams, 10_000, 400_000),
    Contender("PyFlink, single fixes", LOOKUP, "flink", "hits", False, _flink, 1_000, 100_000),
    Contender("PyFlink, frames", LOOKUP, "flink", "hits", True, _flink, 2_500, 100_000),
]
