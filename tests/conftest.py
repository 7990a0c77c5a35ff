"""What several tests share: brokers, and the switch for those that need a real Apache Kafka."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fenceline.embedded import embedded_broker
from fenceline.settings import settings
from tests.support.kafka import ApacheKafka, KafkaMissing, fetch_jars


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kafka", action="store_true", help="run the tests that need a real Apache Kafka")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("kafka")]
    if not marked:
        return
    why = "" if config.getoption("--kafka") else "needs a real Apache Kafka: run with --kafka"
    if not why:
        try:
            fetch_jars()
        except KafkaMissing as missing:
            why = str(missing)
    if why:
        for item in marked:
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(autouse=True)
def _settings_anew() -> Iterator[None]:
    """A process reads its settings once; each test is as a process of its own, whichever ran before it."""
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def real_tracks() -> Path:
    """A folder with recorded tracks of real people (GeoLife as CSV); tests that need it are skipped where it is not."""
    folder = Path(os.environ.get("FENCELINE_TRACKS") or Path(__file__).parents[1].parent / "shared" / "data" / "tracks")
    if not (folder / "geolife_sample.csv").exists():
        pytest.skip("no recorded tracks: put geolife_sample.csv into a folder and name it in FENCELINE_TRACKS")
    return folder


@pytest.fixture
def broker() -> Iterator[str]:
    """An empty embedded broker of the test's own; its address."""
    with embedded_broker() as address:
        yield address


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """A real Apache Kafka, started once; tests on it use topics of their own."""
    kafka = ApacheKafka(tmp_path_factory.mktemp("kafka"))
    kafka.start()
    yield kafka
    kafka.stop()


@pytest.fixture
def kafka(apache_kafka: ApacheKafka) -> str:
    """The address of a real Apache Kafka."""
    return apache_kafka.bootstrap


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """A real Apache Kafka of the test's own, running, to be stopped and killed."""
    kafka = ApacheKafka(tmp_path / "kafka")
    kafka.start()
    yield kafka
    kafka.kill()
