"""`fenceline load`: write a file of fences, subjects, activations, leaves, rosters or plans to its topic, checked."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click
from aiokafka.errors import KafkaError

from fenceline.entries import KINDS, Entry, read_entries
from fenceline.loading import TopicMissing, Written, load
from fenceline.settings import settings
from schemas.message import Invalid

OK, SOME_REFUSED, NOTHING_LOADED, NO_BROKER = 0, 1, 2, 3


@click.command("load")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--all-or-nothing", is_flag=True, help="Write nothing if anything in the file cannot be used.")
@click.option("--check", "only_check", is_flag=True, help="Only check the file; write nothing, need no broker.")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def command(kind: str, file: Path, all_or_nothing: bool, only_check: bool, broker: str | None) -> None:
    """Write the entries of FILE (- for stdin) to the topic of KIND.

    fences: GeoJSON, a FeatureCollection or a Feature a line; a changed fence gets the next version, an unchanged one is
    not written again. The others: a JSON array, or one JSON object a line. plans: a person's check-ins; the seed of
    random times is drawn here and sealed with the master key.

    What cannot be used is told on stderr, by place and field; the rest is loaded unless --all-or-nothing. On stdout a
    line of JSON for each entry written, then the sums.

    \b
    Exit code: 0 all of it loaded, 1 some entries refused and the others loaded,
               2 nothing loaded (not readable, all refused, or --all-or-nothing), 3 no broker, or no topic there.
    """
    raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        entries, refused = read_entries(raw, kind)
    except Invalid as why:
        click.echo(f"{file}: {why}", err=True)
        sys.exit(NOTHING_LOADED)
    for one in refused:
        click.echo(f"{file}: {one}", err=True)
    if not entries or (refused and all_or_nothing) or only_check:
        _say({"written": 0, "unchanged": 0, "usable": len(entries), "refused": len(refused)})
        sys.exit(OK if only_check and not refused else NOTHING_LOADED)
    written = _load(kind, entries, broker or settings().broker)
    unchanged = sum(one.offset < 0 for one in written)
    _say({"written": len(written) - unchanged, "unchanged": unchanged, "refused": len(refused)})
    sys.exit(SOME_REFUSED if refused else OK)


def _load(kind: str, entries: list[Entry], broker: str) -> list[Written]:
    from agents.objectstore import NoMasterKey, vault_of  # noqa: PLC0415  # --help need not wait for it
    from agents.topics import TopicsWrong  # noqa: PLC0415

    def seal(plan_id: str, seed: bytes) -> bytes:
        return vault_of(settings()).seal_seed(plan_id, seed)

    try:
        written = asyncio.run(load(kind, entries, broker, seal))
    except NoMasterKey as error:
        click.echo(str(error), err=True)
        sys.exit(NOTHING_LOADED)
    except (TopicMissing, TopicsWrong) as missing:
        click.echo(str(missing), err=True)
        sys.exit(NO_BROKER)
    except (KafkaError, OSError) as error:
        click.echo(f"the broker at {broker} does not take it: {error or type(error).__name__}", err=True)
        sys.exit(NO_BROKER)
    for one in written:
        _say(one._asdict() | {"state": "unchanged" if one.offset < 0 else "written"})
    return written


def _say(line: dict[str, Any]) -> None:
    click.echo(json.dumps(line, ensure_ascii=False))
