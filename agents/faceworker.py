"""The process in which pictures are decoded and faces compared: `python -m agents.faceworker MODEL HOME`.

Jobs come in on standard input, findings go out on standard output, each as four bytes of length and MessagePack. What a
library prints goes to standard error. The process can take no more memory than it is given, write no file, and is ended
by its parent when it takes too long.
"""

import os
import resource
import sys
from typing import BinaryIO

import msgspec

MEMORY_BYTES = 1_500 * 1024 * 1024
"""On top of what the process needs for its models."""

LONGEST_JOB = 64 * 1024 * 1024


class Hello(msgspec.Struct, frozen=True):
    """The first message: what the process can do, or `fault`: why it can do nothing."""

    model: str
    model_version: str = ""
    fault: str = ""


def main() -> None:
    """Serve jobs until standard input ends."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    model, home = sys.argv[1], sys.argv[2]
    os.environ["ORT_LOGGING_LEVEL"] = "4"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from agents.examination import Findings, Job, examine  # noqa: PLC0415  # heavy, and it may fail
    from agents.faces import Examiner, MissingWeights  # noqa: PLC0415

    try:
        examiner = Examiner(model, home)
    except (MissingWeights, ImportError, ValueError, OSError, RuntimeError) as error:
        _write(sink, Hello(model, fault=str(error) or type(error).__name__))
        return
    _limit_memory()
    _write(sink, Hello(model, examiner.version))
    decode = msgspec.msgpack.Decoder(Job).decode
    while (raw := _read(source)) is not None:
        try:
            findings = examine(examiner, decode(raw))
        except MemoryError:
            findings = Findings(model, examiner.version, "too_large", "the pictures take too much memory")
        except Exception as error:  # a fault of ours or of a library; the next picture may be fine
            findings = Findings(model, examiner.version, "unreadable", f"could not be examined: {type(error).__name__}")
            sys.excepthook(type(error), error, error.__traceback__)
        _write(sink, findings)


def _limit_memory() -> None:
    with open("/proc/self/statm") as statm:  # noqa: PTH123  # a file of the kernel, not of ours
        size = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY_BYTES, size + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LONGEST_JOB, LONGEST_JOB))


def _read(source: BinaryIO) -> bytes | None:
    head = source.read(4)
    if len(head) < 4:
        return None
    return source.read(int.from_bytes(head))


def _write(sink: BinaryIO, message: msgspec.Struct) -> None:
    body = msgspec.msgpack.encode(message, enc_hook=str)
    sink.write(len(body).to_bytes(4) + body)
    sink.flush()


if __name__ == "__main__":
    main()
