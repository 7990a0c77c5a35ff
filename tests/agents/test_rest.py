import asyncio
import threading
import time

from agents.rest import IDLE_SHARE, LONGEST_S, Turn


def work(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


async def test_after_a_piece_the_process_is_idle_for_a_share_of_the_time() -> None:
    began = time.monotonic()
    turn = Turn()
    work(0.2)
    await turn.rest()
    assert time.monotonic() - began >= 0.2 / (1 - IDLE_SHARE)


async def test_where_there_is_always_more_to_do_it_goes_on_all_the_same() -> None:
    done = threading.Event()

    def busy() -> None:
        while not done.is_set():
            pass

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        turn = Turn()
        work(LONGEST_S)
        await asyncio.wait_for(turn.rest(), 60)
    finally:
        done.set()
        thread.join()
