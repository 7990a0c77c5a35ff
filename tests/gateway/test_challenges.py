"""Challenges over a real Redis: for one person, once, in time; pictures once; the same again is the same."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from fenceline.embedded import embedded_redis
from gateway.challenges import MOST_IN_SPAN, Challenges, prompts
from gateway.problems import Refused

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATE = NOW + timedelta(seconds=180.001)


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with embedded_redis() as url:
        yield url


def _with(url: str, work: Callable[[Challenges], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        challenges = Challenges(url, good_for_s=180, pictures_kept_s=86400)
        try:
            await work(challenges)
        finally:
            await challenges.close()

    asyncio.run(run())


async def _refused(asked: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(Refused) as refused:
        await asked
    return refused.value.error


def test_a_challenge_is_good_once_and_the_same_answer_again_is_the_same(redis_url: str) -> None:
    """Also after its time, when the line broke in the last second; anything else is a second answer."""

    async def work(to: Challenges) -> None:
        challenge = await to.issue("s-1", NOW)
        assert await to.asked(challenge.nonce, "s-1") == challenge
        assert await to.use(challenge, ["a1", "a2"], b"{}", NOW) is True
        assert await to.use(challenge, ["a1", "a2"], b"{}", NOW) is False
        assert await to.use(challenge, ["a1", "a2"], b"{}", LATE) is False
        for shas, fix in ((["a1"], b"{}"), (["a3"], b"{}"), (["a1", "a2"], b'{"lat":1}')):
            assert await _refused(to.use(challenge, shas, fix, NOW)) == "used_nonce"
            assert await _refused(to.use(challenge, shas, fix, LATE)) == "used_nonce"
        assert await to.whose(challenge.checkin_id) == "s-1"
        assert await to.whose("another") == ""

    _with(redis_url, work)


def test_late_foreign_and_made_up_nonces_are_told_apart(redis_url: str) -> None:
    async def work(to: Challenges) -> None:
        challenge = await to.issue("s-1", NOW)
        assert await _refused(to.asked(challenge.nonce, "s-2")) == "wrong_subject"
        assert await _refused(to.asked("made-up", "s-1")) == "unknown_nonce"
        assert await _refused(to.use(challenge, ["b1"], b"", LATE)) == "expired_nonce"
        assert await to.use(challenge, ["b1"], b"", challenge.expires_at) is True

    _with(redis_url, work)


def test_pictures_that_came_once_are_refused_and_leave_the_challenge_open(redis_url: str) -> None:
    """Whoever picked the wrong file may take another picture for the same challenge; others' pictures count, too."""

    async def work(to: Challenges) -> None:
        first, second = await to.issue("s-1", NOW), await to.issue("s-2", NOW)
        await to.use(first, ["c1", "c2"], b"", NOW)
        assert await _refused(to.use(second, ["c9", "c2"], b"", NOW)) == "replayed"
        assert await to.use(second, ["c9"], b"", NOW) is True

    _with(redis_url, work)


def test_of_many_answers_at_once_one_wins(redis_url: str) -> None:
    async def work(to: Challenges) -> None:
        challenge = await to.issue("s-1", NOW)
        asked = [to.use(challenge, [f"d{number}"], b"", NOW) for number in range(20)]
        fates = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(fate is True for fate in fates) == 1
        assert {fate.error for fate in fates if isinstance(fate, Refused)} == {"used_nonce"}

    _with(redis_url, work)


def test_who_asks_without_end_is_refused_and_others_are_not(redis_url: str) -> None:
    async def work(to: Challenges) -> None:
        for _ in range(MOST_IN_SPAN):
            await to.issue("s-greedy", NOW)
        assert await _refused(to.issue("s-greedy", NOW)) == "too_many_challenges"
        assert await to.issue("s-other", NOW)

    _with(redis_url, work)


def test_without_redis_people_are_asked_to_send_the_same_again() -> None:
    async def work(to: Challenges) -> None:
        assert await _refused(to.issue("s-1", NOW)) == "challenges_away"
        assert await _refused(to.asked("n", "s-1")) == "challenges_away"

    _with("redis://127.0.0.1:1/0", work)


def test_prompts_vary_and_hold_a_turn_of_the_head() -> None:
    seen = {prompts(Random(number)) for number in range(200)}
    assert len(seen) == 8, "two turns, two others, two orders"
    assert all({"turn_left", "turn_right"} & set(one) and len(set(one)) == 2 for one in seen)
