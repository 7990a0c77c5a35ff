"""The processes that look at pictures: one that dies or takes too long is replaced, and too many jobs are refused."""

import asyncio
import os
import signal

import pytest

from agents.examination import Job
from agents.facepool import WAITING_PER_PROCESS, Busy, FacePool
from fenceline.comparing import deepface_home
from fenceline.settings import Settings
from tests.support.checkins import collins, jpeg

HOME = deepface_home(Settings())
JOB = Job((jpeg(collins()),))


def test_a_process_that_dies_or_takes_too_long_costs_one_answer_and_too_many_jobs_are_refused() -> None:
    asyncio.run(_run())


async def _run() -> None:
    async with FacePool("Dlib", HOME) as pool:
        (process,) = pool._all
        os.kill(process._process.pid, signal.SIGSTOP)  # so that it dies with the job in hand
        waiting = [asyncio.create_task(pool.examine(JOB)) for _ in range(WAITING_PER_PROCESS + 1)]
        while pool._waiting < WAITING_PER_PROCESS:
            await asyncio.sleep(0)
        with pytest.raises(Busy):
            await pool.examine(JOB)
        for task in waiting[3:]:
            task.cancel()  # whoever asked has gone; their place is free again
        os.kill(process._process.pid, signal.SIGKILL)
        found = await asyncio.gather(*waiting[:3])
        assert [one.problem for one in found] == ["unreadable", "", ""]
        assert found[2].values
        assert (pool.replaced, pool._waiting) == (1, 0)

        pool._job_s = 0.0
        assert (await pool.examine(JOB)).problem == "too_slow"
        assert not pool._all, "its process is gone"
        pool._job_s = 60.0
        assert (await pool.examine(JOB)).seen[0].measures.faces == 1
        assert pool.replaced == 2
