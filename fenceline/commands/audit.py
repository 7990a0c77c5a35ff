"""`fenceline audit`: is the record of who did what, and who looked at whose record, whole?"""

import sys
from pathlib import Path

import click
import msgspec

from fenceline.asking import ask, say
from fenceline.settings import settings
from pipeline.audit import Head, against_records, verify
from schemas.message import to_builtins

WHOLE, BROKEN, BAD_HEADS = 0, 1, 2


@click.group()
def command() -> None:
    """Verify the hash chains over commands and readings."""


@command.command("verify")
@click.option(
    "--heads",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Heads that an earlier run printed: shows too whether the end of a chain was cut off.",
)
@click.option("--records", is_flag=True, help="Also compare with the commands and readings themselves, where kept.")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def verify_(heads: Path | None, records: bool, broker: str | None) -> None:
    """Hold the topic `audit` against itself. A line for each break, then each chain's head, then the sums.

    Keep the heads somewhere else (on paper, with another agency) and give them back with --heads.

    \b
    Exit code: 0 whole, 1 broken, 2 the heads cannot be read, 3 no broker.
    """
    broker = broker or settings().broker
    known = _read_heads(heads)
    values = ask(broker, _values(broker))
    verdict = verify(values, known)
    breaks = list(verdict.breaks)
    if records:
        breaks += against_records(values, ask(broker, _records(broker)))
    for one in breaks:
        say({"break": one.fault, "chain": one.chain, "seq": one.seq, "detail": one.detail})
    for head in verdict.heads:
        say(to_builtins(head))
    say({"links": verdict.links, "chains": len(verdict.heads), "breaks": len(breaks)})
    sys.exit(BROKEN if breaks else WHOLE)


def _read_heads(path: Path | None) -> list[Head]:
    """The heads in a file of `verify`'s lines; other lines are passed over."""
    if path is None:
        return []
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            raw = msgspec.json.decode(line)
            if isinstance(raw, dict) and "sha256" in raw:
                found.append(msgspec.convert(raw, Head))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            click.echo(f"{path}, line {number}: {error}; give a file of lines that audit verify printed", err=True)
            sys.exit(BAD_HEADS)
    if not found:
        click.echo(f"{path} holds no heads; give a file of lines that audit verify printed", err=True)
        sys.exit(BAD_HEADS)
    return found


async def _values(broker: str) -> list[bytes]:
    from fenceline.history import records  # noqa: PLC0415  # --help need not wait for it

    return [record.value async for chunk in records(broker, "audit") for record in chunk]


async def _records(broker: str) -> dict[str, bytes]:
    from fenceline.history import records  # noqa: PLC0415  # --help need not wait for it

    return {
        f"{topic}/{record.partition}@{record.offset}": record.value
        for topic in ("commands", "readings")
        async for chunk in records(broker, topic)
        for record in chunk
    }
