from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenceline.embedded import embedded_redis, free_port
from fenceline.settings import Settings
from gateway.limits import Bucket, Rate, Rates, rate_of
from gateway.metrics import Metrics, Name
from schemas.credential import Credential
from schemas.times import from_epoch

RATE = Rate(per_s=10.0, burst=50.0)


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0, 30)), max_size=60))
def test_a_bucket_never_gives_more_than_burst_and_rate(asked: list[tuple[float, float]]) -> None:
    bucket, now, given_out = Bucket(RATE, 0.0), 0.0, 0.0
    for cost, pause_s in asked:
        now += pause_s
        wait_s = bucket.take(cost, now)
        given_out += 0 if wait_s else cost
        assert given_out <= RATE.burst + RATE.per_s * now + 1e-6


@given(st.floats(0.1, 50))
def test_a_bucket_gives_after_the_wait_it_named(cost: float) -> None:
    bucket = Bucket(RATE, 0.0)
    assert bucket.take(50, 0.0) == 0
    wait_s = bucket.take(cost, 0.0)
    assert bucket.take(cost, wait_s * 0.99) > 0
    assert bucket.take(cost, wait_s + 1e-6) == 0


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with embedded_redis() as url:
        yield url


@pytest.fixture
async def two(redis_url: str) -> AsyncIterator[tuple[Rates, Rates]]:
    rates = Rates(redis_url, Metrics()), Rates(redis_url, Metrics())
    yield rates
    for one in rates:
        await one.close()


async def test_two_gateways_share_one_rate(two: tuple[Rates, Rates], request: pytest.FixtureRequest) -> None:
    """Together they give out no more than the burst and what flows back in the meantime."""
    rate = Rate(per_s=0.5, burst=100.0)
    taken = 0
    for number in range(300):
        taken += (await two[number % 2].take(request.node.name, rate, 1)) == 0
    assert 100 <= taken <= 103
    assert 0 < await two[0].take(request.node.name, rate, 10) <= 20


async def test_a_request_beyond_the_burst_is_let_through_when_the_bucket_is_full(two: tuple[Rates, Rates]) -> None:
    """Else it could never be sent at all."""
    assert await two[0].take("big", RATE, 10_000) == 0
    assert await two[1].take("big", RATE, 10_000) > 0


async def test_leases_spare_redis(two: tuple[Rates, Rates]) -> None:
    """A thousand requests of a busy feed are a few calls."""
    before = (await two[0]._redis.info("commandstats")).get("cmdstat_evalsha", {}).get("calls", 0)
    rate = Rate(per_s=10_000.0, burst=100_000.0)
    for _ in range(1000):
        assert await two[0].take("feed", rate, 10) == 0
    after = (await two[0]._redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert after - before <= 6


async def test_without_redis_each_counts_for_itself() -> None:
    metrics = Metrics()
    rates = Rates(f"redis://127.0.0.1:{free_port()}/0", metrics, clock=lambda: 5.0)
    answers = [await rates.take("alone", RATE, 10) for _ in range(6)]
    assert answers == [0, 0, 0, 0, 0, 1.0]
    assert metrics.total(Name.SHARED_RATES) == 0
    await rates.close()


async def test_redis_is_used_again_once_it_is_back(redis_url: str) -> None:
    now = [0.0]
    metrics = Metrics()
    dead = Rates(f"redis://127.0.0.1:{free_port()}/0", metrics, clock=lambda: now[0])
    alive = Rates(redis_url, metrics, clock=lambda: now[0])
    assert await dead.take("back", RATE, 1) == 0
    dead._script = alive._script
    assert await dead.take("back", RATE, 1) == 0
    assert metrics.total(Name.SHARED_RATES) == 0
    now[0] = 3.0
    assert await dead.take("back", RATE, 1) == 0
    assert metrics.total(Name.SHARED_RATES) == 1
    await dead.close()
    await alive.close()


def test_the_rate_is_the_credentials_own_or_the_default_of_its_kind() -> None:
    settings = Settings()
    plain = {
        "token_id": "abcd",
        "principal": "p",
        "role": "device",
        "secret_sha256": "0" * 64,
        "created_at": from_epoch(0),
    }
    assert rate_of(Credential(**plain, device_ids=("d",)), settings).per_s == settings.gateway_device_fixes_per_s
    assert rate_of(Credential(**plain, device_ids=("*",)), settings).per_s == settings.gateway_feed_fixes_per_s
    assert rate_of(Credential(**plain, device_ids=("d",), fixes_per_s=3.0), settings).per_s == 3.0
