"""`fenceline fences`: look after files of fences."""

import sys
from collections import Counter
from typing import BinaryIO

import click

from fences.lint import Finding, lint, read_features
from schemas.fix import Fix, decode_fixes_apart
from schemas.message import Invalid, encode


@click.group()
def command() -> None:
    """Look after files of fences."""


@command.command("lint")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--fixes",
    "fixes_file",
    type=click.File("rb"),
    help="Fixes (a fix or frame a line): where devices really were, to tell a wrong datum by.",
)
def lint_file(file: BinaryIO, fixes_file: BinaryIO | None) -> None:
    """Find what is wrong, or looks wrong, with the fences in FILE (GeoJSON, or a Feature a line; - for stdin).

    Findings go to stdout, one JSON object a line, and in words to stderr. Exits with 1 if there are errors, which a
    worker would refuse; warnings alone exit with 0.
    """
    try:
        features = read_features(file.read())
    except Invalid as invalid:
        raise click.ClickException(f"{file.name}: {invalid}") from invalid
    findings = lint(features, _read_fixes(fixes_file) if fixes_file else ())
    for finding in findings:
        sys.stdout.buffer.write(encode(finding) + b"\n")
        click.echo(_words(finding), err=True)
    sys.stdout.flush()
    count = Counter(finding.severity for finding in findings)
    click.echo(f"{len(features)} fences, {count['error']} errors, {count['warning']} warnings", err=True)
    sys.exit(1 if count["error"] else 0)


def _words(finding: Finding) -> str:
    name = finding.fence_id or "without a readable fence_id"
    return (
        f"{finding.severity}: feature {finding.feature} ({name}), {finding.field}: {finding.what}\n    {finding.mend}"
    )


def _read_fixes(file: BinaryIO) -> list[Fix]:
    fixes: list[Fix] = []
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            good, bad = decode_fixes_apart(line)
        except Invalid as invalid:
            click.echo(f"{file.name}, line {number} left out: {invalid}", err=True)
            continue
        fixes.extend(good)
        for _, _, reason in bad:
            click.echo(f"{file.name}, line {number}, a fix left out: {reason}", err=True)
    return fixes
