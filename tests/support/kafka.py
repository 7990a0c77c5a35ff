"""A real Apache Kafka for tests and benchmarks: one node in KRaft mode, from Maven's jars, on free ports."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from fenceline.embedded import free_port

VERSION = "4.1.0"
POM = Path(__file__).parent / "kafka" / "pom.xml"
START_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 300.0
INSTALL = "sudo apt-get install default-jdk-headless maven"


class KafkaMissing(RuntimeError):
    """Apache Kafka cannot run here; says what is missing and the command that mends it."""


def jars_dir() -> Path:
    """Where the jars are kept between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "fenceline" / "kafka" / VERSION


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise KafkaMissing(f"Java is not installed; {INSTALL}")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    major = told.split('"')[1].split(".")[0] if '"' in told else "0"
    if not major.isdigit() or int(major) < 17:
        raise KafkaMissing(f"Java 17 is needed, this is {major}; {INSTALL}")
    return java


def fetch_jars() -> Path:
    """The folder with Kafka's jars, fetched by Maven the first time.

    Raises:
        KafkaMissing: no Java or Maven, or Maven could not fetch them.
    """
    _java()
    folder = jars_dir()
    if (folder / "complete").exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaMissing(f"Maven is not installed; {INSTALL}")
    command = [maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(
            [*command, "-DincludeScope=runtime"], capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise KafkaMissing(f"Maven did not fetch Kafka within {FETCH_TIMEOUT_S:g} s; is there a network?") from None
    if done.returncode:
        raise KafkaMissing(f"Maven could not fetch Kafka: {(done.stdout + done.stderr)[-800:]}")
    (folder / "complete").touch()
    return folder


class ApacheKafka:
    """A broker whose data lives in `folder`, so that it can be stopped, killed and started again with what it had."""

    def __init__(self, folder: Path, heap_mb: int = 512, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._heap_mb = heap_mb
        self._settings = dict(settings or {})
        self._port, self._controller_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "kafka.log"

    @property
    def bootstrap(self) -> str:
        """The address to connect to."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert self._process is not None
        return self._process.pid

    def _config(self) -> Path:
        properties = {
            "node.id": "1",
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "log.cleaner.backoff.ms": "1000",
            "log.retention.check.interval.ms": "1000",
            **self._settings,
        }
        path = self._folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        return path

    def _command(self, main: str, *arguments: str) -> list[str]:
        options = [f"-Xmx{self._heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4"]
        quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return [_java(), *options, *quiet, "-cp", f"{fetch_jars()}/*", main, *arguments]

    def start(self) -> str:
        """Start it, with the data that it had if any, and wait until it answers; its address.

        Raises:
            KafkaMissing: it cannot run here, or did not come up.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        config = str(self._config())
        if not (self._folder / "data").exists():
            formatted = subprocess.run(
                self._command("kafka.tools.StorageTool", "format", "-t", uuid4().hex[:22], "-c", config),
                capture_output=True,
                text=True,
                check=False,
            )
            if formatted.returncode:
                raise KafkaMissing(f"Kafka's storage could not be formatted: {formatted.stdout}{formatted.stderr}")
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command("kafka.Kafka", config), stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=0.5):
                    return self.bootstrap
            except OSError:
                time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-2000:]
        self.kill()
        raise KafkaMissing(f"Kafka did not come up on {self.bootstrap}: {tail}")

    def stop(self, patience_s: float = 20.0) -> None:
        """Let it end in good order."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
