"""Who looks at the pictures? Processes beside the event loop, so many at a time, each with a time limit.

A process that takes too long, or dies of a picture, is replaced; the others go on. More jobs than may wait are refused,
so that whoever brings them slows down.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

import msgspec
import structlog

from agents.examination import Findings, Job
from agents.faceworker import LONGEST_JOB, Hello

START_S = 60.0
JOB_S = 12.0
WAITING_PER_PROCESS = 8

log = structlog.get_logger()

_ENCODE = msgspec.msgpack.Encoder().encode
_FINDINGS = msgspec.msgpack.Decoder(Findings).decode
_HELLO = msgspec.msgpack.Decoder(Hello).decode


class Unable(Exception):
    """The pool can examine nothing; says what is missing."""


class Busy(Exception):
    """Too many jobs are waiting; come again later."""


class _Process:
    """One process of the pool."""

    def __init__(self, process: asyncio.subprocess.Process, hello: Hello) -> None:
        self._process = process
        self.hello = hello

    async def examine(self, job: Job) -> Findings:
        body = _ENCODE(job)
        assert self._process.stdin is not None  # noqa: S101  # it was started with a pipe
        self._process.stdin.write(len(body).to_bytes(4) + body)
        await self._process.stdin.drain()
        return _FINDINGS(await _message(self._process))

    async def end(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


async def _message(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None  # noqa: S101  # it was started with a pipe
    head = await process.stdout.readexactly(4)
    return await process.stdout.readexactly(int.from_bytes(head))


async def _started(model: str, home: str) -> _Process:
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "agents.faceworker", model, home),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=None,
        limit=LONGEST_JOB,
        env=environ,
        start_new_session=True,  # a Ctrl-C reaches the parent, which ends its processes in order
    )
    try:
        async with asyncio.timeout(START_S):
            hello = _HELLO(await _message(process))
    except (TimeoutError, asyncio.IncompleteReadError) as error:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise Unable(f"the process that compares faces did not start ({type(error).__name__})") from error
    if hello.fault:
        await process.wait()
        raise Unable(hello.fault)
    return _Process(process, hello)


class FacePool:
    """`processes` examiners of one model.

        async with FacePool("Dlib", home, 2) as pool:
            findings = await pool.examine(Job((picture,)))

    Raises (when entered):
        Unable: the model's weights are missing, or its process does not start.
    """

    def __init__(self, model: str, home: str, processes: int = 1, job_s: float = JOB_S) -> None:
        self._model, self._home = model, home
        self._processes = processes
        self._job_s = job_s
        self._idle: asyncio.Queue[_Process | None] = asyncio.Queue()
        self._all: set[_Process] = set()
        self._waiting = 0
        self.model_version = ""
        self.replaced = 0

    async def __aenter__(self) -> "FacePool":
        try:
            for process in await asyncio.gather(*(self._new() for _ in range(self._processes))):
                self._idle.put_nowait(process)
        except Unable:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(process.end() for process in self._all))
        self._all.clear()

    async def _new(self) -> _Process:
        process = await _started(self._model, self._home)
        self._all.add(process)
        self.model_version = process.hello.model_version
        return process

    async def examine(self, job: Job) -> Findings:
        """What is measured on the pictures of `job`; with a problem too_slow or unreadable when a process broke on it.

        Raises:
            Busy: too many wait already.
            Unable: no process can be started any more.
        """
        if self._waiting >= self._processes * WAITING_PER_PROCESS:
            raise Busy(f"{self._waiting} wait for a face to be compared")
        self._waiting += 1
        try:
            process = await self._idle.get()
        finally:
            self._waiting -= 1
        broken = True
        try:
            if process is None:
                process = await self._new()
            async with asyncio.timeout(self._job_s):
                findings = await process.examine(job)
            broken = False
            return findings
        except TimeoutError:
            return self._no("too_slow", f"the pictures took more than {self._job_s:g} s; send smaller ones")
        except (asyncio.IncompleteReadError, OSError, msgspec.MsgspecError) as error:
            log.warning("face_process_died", error=type(error).__name__)
            return self._no("unreadable", "the pictures cannot be examined; send others")
        finally:
            await asyncio.shield(self._back(process, broken))

    def _no(self, problem: str, detail: str) -> Findings:
        return Findings(self._model, self.model_version, problem, detail)  # type: ignore[arg-type]

    async def _back(self, process: _Process | None, broken: bool) -> None:
        """Put the process back, or make room for a new one, which is started when it is needed."""
        if broken and process is not None:
            self.replaced += 1
            self._all.discard(process)
            await process.end()
            process = None
        self._idle.put_nowait(process)


Examine = Callable[[Job], Awaitable[Findings]]
"""The form of `FacePool.examine`."""
