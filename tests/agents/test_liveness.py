"""When does a worker count as stalled? When there was work at every look, and none of it was done, for too long."""

from agents.liveness import Liveness

IDLE, BUSY = ("notify", "alerts", 2), ("locate", "fixes", 0)


def _looks(*looks: tuple[float, dict[tuple[str, str, int], tuple[int, int]]]) -> list[str]:
    """What each look says: (time, where: (offset, behind))."""
    liveness = Liveness("nowhere:1", 60.0, (), lambda _: None)
    return [
        liveness._stuck(
            {place: offset for place, (offset, _) in seen.items()}, {p: b for p, (_, b) in seen.items()}, at
        )
        for at, seen in looks
    ]


def test_work_that_came_a_moment_ago_is_no_stall_however_long_nothing_had_come() -> None:
    """A worker was ended for one message that came two minutes after its start, right before a look."""
    idle = [(at, {IDLE: (0, 0)}) for at in range(0, 120, 10)]
    assert not any(_looks(*idle, (121.0, {IDLE: (0, 1)}), (181.0, {IDLE: (0, 1)})))
    assert (
        "notify/alerts/2 stands at 0, 1 behind" in _looks(*idle, (121.0, {IDLE: (0, 1)}), (181.5, {IDLE: (0, 1)}))[-1]
    )


def test_progress_or_being_done_begins_anew() -> None:
    moved = [(0.0, {BUSY: (5, 9)}), (50.0, {BUSY: (6, 9)}), (100.0, {BUSY: (6, 9)}), (110.0, {BUSY: (6, 9)})]
    assert not any(_looks(*moved))
    done = [(0.0, {BUSY: (5, 9)}), (50.0, {BUSY: (5, 0)}), (70.0, {BUSY: (5, 3)}), (130.0, {BUSY: (5, 3)})]
    assert not any(_looks(*done))
    assert _looks(*moved, (110.5, {BUSY: (6, 12)}))[-1]


def test_one_that_stands_is_found_beside_others_that_go() -> None:
    assert _looks(*[(10.0 * n, {BUSY: (n, 100), IDLE: (4, 1)}) for n in range(8)])[-1].startswith("notify/alerts/2")
