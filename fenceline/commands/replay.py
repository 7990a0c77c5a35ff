"""`fenceline replay`: the worker's core over a file or over history, and what a draft of the rules would change."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import click
from aiokafka.errors import KafkaError

from fenceline.replaying import (
    Known,
    known_from_files,
    known_from_topics,
    lines_from_topic,
    locate_rules,
    tracks,
    within,
)
from fenceline.settings import settings
from fenceline.telling import parse_time, write_picture
from pipeline.explain.sentences import sentence
from pipeline.explain.words import LANGUAGES
from pipeline.locate import LocateCore
from pipeline.replay import replay
from pipeline.rules import Rules, read
from pipeline.step import Record
from pipeline.whatif import Breach, Comparison, compare
from pipeline.why import why
from schemas.incident import Incident, Rejection
from schemas.message import Invalid, to_builtins
from schemas.times import from_epoch, parse

SHIPPED = "builtin"
DONE, SOME_REFUSED, CANNOT, NO_BROKER = 0, 1, 2, 3
PICTURED = ("breach.", "passage", "device.tamper", "device.sos")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("replay")
@click.argument("fixes", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), required=False)
@click.option("--fences", type=_FILE, help="GeoJSON. With --broker, default: the topic fences.")
@click.option("--subjects", type=_FILE, help="Subjects, activations, or both (JSON array or a line each).")
@click.option("--activations", type=_FILE, help="Which device is on whom; see `load`.")
@click.option("--leaves", type=_FILE, help="Leaves; see `load`.")
@click.option("--rules", type=_FILE, help="YAML: the rules to judge by; see docs/replay.md.")
@click.option("--against", help="YAML, or `builtin`: tell only what --rules would change against these.")
@click.option("--from", "since", callback=parse_time, help="Only fixes from this time on (RFC 3339).")
@click.option("--to", "until", callback=parse_time, help="Only fixes up to this time.")
@click.option("--broker", help="Without FIXES: read them from the topics there; default: FENCELINE_BROKER.")
@click.option("--explain", is_flag=True, help="Add to each incident a sentence in English and in Chinese.")
@click.option("--png", type=click.Path(file_okay=False, path_type=Path), help="Draw incidents into this folder.")
@click.option("--why", "asked", metavar="DEVICE@TIME", help="Tell why no alert was raised for a device at a time.")
@click.option("--strict", is_flag=True, help="Exit with 1 when a line could not be used.")
def command(  # click passes all by name
    fixes: Path | None,
    fences: Path | None,
    subjects: Path | None,
    activations: Path | None,
    leaves: Path | None,
    rules: Path | None,
    against: str | None,
    since: datetime | None,
    until: datetime | None,
    broker: str | None,
    explain: bool,
    png: Path | None,
    asked: str | None,
    strict: bool,
) -> None:
    """Judge FIXES (NDJSON, a fix or an array of fixes a line; - for stdin) by the core that the worker runs, without a
    broker: incidents on stdout in the order of events, one JSON object a line, ids as the worker's.

    Without --subjects and --activations each device is its own subject, active throughout. Without FIXES the history on
    the broker is judged, by the fences, activations and leaves that its topics hold.

    With --against, incidents are not printed: a line for each breach that the draft would open, drop or move, then a
    line for each fence and person with the sums.

    \b
    Exit code: 0 done (lines that cannot be used are told on stderr by number), 1 the same with --strict if there were
               any, 2 a file that cannot be used at all, or wrong options, 3 no broker.
    """
    draft = _read_rules(rules)
    if asked is not None and fixes is None:
        _fail("--why needs FIXES")
    known, lines = _known(broker, fences, subjects, activations, leaves, fixes, since, until)
    for path, one in known.refused:
        click.echo(f"{path}: {one}", err=True)
    lines = list(within(lines, since, until))
    refused: list[str] = []
    try:
        if asked is not None:
            _tell_why(asked, known, draft, lines)
        elif against is not None:
            current = Rules() if against == SHIPPED else _read_rules(Path(against))
            told = [_run(known, these, lines, str(fixes or "fixes"), refused) for these in (current, draft)]
            _tell_changes(compare(*told), known)
        else:
            incidents = _run(known, draft, lines, str(fixes or "fixes"), refused)
            _tell(incidents, known, explain)
            if png is not None:
                _draw(incidents, known, draft, lines, png)
    except Invalid as wrong:
        _fail(str(wrong))
    for line in dict.fromkeys(refused):
        click.echo(line, err=True)
    sys.exit(SOME_REFUSED if strict and (refused or known.refused) else DONE)


def _fail(why: str, code: int = CANNOT) -> NoReturn:
    click.echo(why, err=True)
    sys.exit(code)


def _read_rules(path: Path | None) -> Rules:
    if path is None:
        return Rules()
    try:
        return read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"{path}: cannot be read: {error}")
    except Invalid as why:
        _fail(f"{path}: {why}")


def _known(  # the files of the command line
    broker: str | None,
    fences: Path | None,
    subjects: Path | None,
    activations: Path | None,
    leaves: Path | None,
    fixes: Path | None,
    since: datetime | None,
    until: datetime | None,
) -> tuple[Known, list[bytes]]:
    """What to judge by, and what."""
    try:
        if fixes is not None:
            if fences is None:
                _fail("--fences is needed with FIXES")
            known = known_from_files(fences, subjects, activations, leaves)
            raw = sys.stdin.buffer.read() if str(fixes) == "-" else fixes.read_bytes()
            return known, raw.splitlines()
        address = broker or settings().broker
        known = asyncio.run(known_from_topics(address, until))
        if fences is not None:
            drawn = known_from_files(fences)
            known = known._replace(fences=drawn.fences, refused=drawn.refused)
        return known, asyncio.run(lines_from_topic(address, since, until))
    except Invalid as why:
        _fail(str(why))
    except (KafkaError, OSError) as error:
        _fail(
            f"the broker at {broker or settings().broker} does not answer: {error or type(error).__name__}", NO_BROKER
        )


def _run(known: Known, rules: Rules, lines: Sequence[bytes], name: str, refused: list[str]) -> list[Incident]:
    """The incidents of `lines` by `rules`; lines that cannot be used are added to `refused`, for a person."""
    incidents = []
    for said in replay(lines, known.reference(rules), locate_rules(rules)):
        if isinstance(said, Rejection):
            line = int(said.source.rpartition("@")[2]) + 1
            refused.append(f"{name}: line {line}: {said.field}: {said.reason}")
        else:
            incidents.append(said)
    return incidents


def _say(line: Any) -> None:
    click.echo(json.dumps(line, ensure_ascii=False))


def _sentences(incident: Incident, known: Known) -> dict[str, str]:
    return {language: sentence(incident, language, known.subject(incident.subject_id)) for language in LANGUAGES}


def _tell(incidents: Sequence[Incident], known: Known, explain: bool) -> None:
    for incident in incidents:
        line = to_builtins(incident)
        _say(line | {"explanation": _sentences(incident, known)} if explain else line)


def _draw(incidents: Sequence[Incident], known: Known, rules: Rules, lines: Sequence[bytes], folder: Path) -> None:
    shown = [incident for incident in incidents if incident.type.startswith(PICTURED)]
    by_device = tracks(lines, {incident.device_id for incident in shown})
    for number, one in enumerate(shown, 1):
        fence = known.fence(one.fence_id, one.fence_version, rules)
        path = folder / f"{number:04d}-{one.type}-{one.incident_id}.png"
        write_picture(path, one, known.subject(one.subject_id), fence, by_device[one.device_id])


def _tell_changes(comparison: Comparison, known: Known) -> None:
    def told(breach: Breach | None) -> Any:
        if breach is None:
            return None
        until = None if breach.until is None else str(breach.until)
        return {"since": str(breach.since), "until": until, "incident_id": breach.opened.incident_id}

    for change in comparison.changes:
        if change.kind == "same":
            continue
        breach = change.after or change.before
        line = {"change": change.kind, "subject_id": change.subject_id, "fence_id": change.fence_id}
        line |= {"before": told(change.before), "after": told(change.after)}
        _say(line | {"explanation": _sentences(breach.opened, known)} if breach else line)
    for name, tallies in (("fence_id", comparison.by_fence), ("subject_id", comparison.by_subject)):
        for tally in tallies:
            sums = to_builtins(tally)
            _say({"sums": name, name: sums.pop("of")} | sums)
    for kind, (before, after) in comparison.others.items():
        _say({"sums": "type", "type": kind, "only_before": before, "only_after": after})


def _tell_why(asked: str, known: Known, rules: Rules, lines: Sequence[bytes]) -> None:
    device_id, _, text = asked.rpartition("@")
    try:
        at = parse(text)
    except ValueError as error:
        raise Invalid(
            f"{text!r} is not a time such as 2026-11-23T09:30:00Z; write --why DEVICE@TIME", "--why"
        ) from error
    core = LocateCore(known.reference(rules), locate_rules(rules))
    mine: Callable[[bytes], bool] = lambda line: device_id.encode() in line  # noqa: E731  # a first look
    kept = [(number, line) for number, line in enumerate(within(lines, None, at)) if mine(line)]
    track = tracks([line for _, line in kept], {device_id})[device_id]
    core.apply([Record("fixes", 0, number, b"", line, 0.0) for number, line in kept if line], from_epoch(0))
    core.wake(at)
    subject = known.subject(device_id)
    zone = ZoneInfo(subject.time_zone if subject else "UTC")
    _say(to_builtins(why(core, device_id, at.timestamp(), zone)) | {"fixes": len(track)})
