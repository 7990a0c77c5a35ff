"""`fenceline identity`: the master key, seeds of check-in plans, and how often the comparison is wrong."""

import sys
from pathlib import Path
from typing import Any

import click

from fenceline.asking import ask, say
from fenceline.settings import settings


@click.group()
def command() -> None:
    """Keys of pictures and templates, the audit of random check-ins, and how often faces are told apart wrongly."""


@command.command("make-key")
@click.option("--file", "to_file", is_flag=True, help="Write it into the data folder (for trials) and print its place.")
def make_key(*, to_file: bool) -> None:
    """Make a master key for FENCELINE_MASTER_KEY and print it, this once.

    With it the data keys of all persons are wrapped: who loses it loses all pictures and templates, who has it can
    read them. Keep it apart from the object store's backups.
    """
    from agents.objectstore import MASTER_KEY_FILE, NoMasterKey, master_key_of, new_master_key  # noqa: PLC0415

    if not to_file:
        click.echo(new_master_key())
        return
    try:
        master_key_of(settings(), make=True)
    except NoMasterKey as error:
        raise click.ClickException(str(error)) from error
    say({"file": str(Path(settings().data_dir) / MASTER_KEY_FILE)})


@command.command("reveal-seed")
@click.argument("subject_id")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def reveal_seed(subject_id: str, broker: str | None) -> None:
    """Publish the seed of SUBJECT_ID's plan, when the plan is over, so that anybody can draw its times again."""
    from agents.objectstore import Damaged, NoMasterKey, vault_of  # noqa: PLC0415
    from fenceline.planning import StillRuns, reveal  # noqa: PLC0415
    from schemas.message import Invalid  # noqa: PLC0415

    try:
        told = ask(broker or settings().broker, reveal(broker or settings().broker, subject_id, vault_of(settings())))
    except (NoMasterKey, Damaged, StillRuns, Invalid) as error:
        raise click.ClickException(str(error)) from error
    say(told)


@command.command("audit-plan")
@click.argument("subject_id")
@click.option("--broker", help="Bootstrap address; default: FENCELINE_BROKER.")
def audit_plan(subject_id: str, broker: str | None) -> None:
    """Draw SUBJECT_ID's check-ins again from the published seed and compare them with those that were called.

    A line for each random check-in, then the sums. Exit code: 0 all called were drawn, 1 some were not, or the seed is
    not the one whose hash was published, 2 the seed is not published yet.
    """
    from fenceline.planning import audit  # noqa: PLC0415
    from schemas.message import Invalid  # noqa: PLC0415

    try:
        lines: list[dict[str, Any]] = ask(broker or settings().broker, audit(broker or settings().broker, subject_id))
    except Invalid as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    for line in lines:
        say(line)
    sys.exit(0 if lines[-1]["fair"] else 1)


@command.command("evaluate")
@click.argument("pairs", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
@click.option("--roc", type=click.Path(dir_okay=False, path_type=Path), help="Draw the ROC into this file (PNG, SVG).")
@click.option(
    "--calibrate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rates by distance into this file, for FENCELINE_FACE_CALIBRATION.",
)
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64))
def evaluate(pairs: Path, roc: Path | None, calibrate: Path | None, processes: int, *, as_json: bool) -> None:
    """Compare the pictures of PAIRS and say how often that was wrong: FMR, FNMR and failures to acquire, with 95 %
    intervals, in all and by group.

    PAIRS is a CSV file with the columns `reference`, `probe` (paths, relative to it), `same` (1 or 0) and, if wanted,
    `group`. Pictures that cannot be used are named on standard error and counted as failures to acquire.

    \b
    Exit code: 0 there is a result, 1 a file or the model cannot be used.
    """
    import asyncio  # noqa: PLC0415  # --help need not wait for these
    import logging  # noqa: PLC0415

    from agents.facepool import Unable  # noqa: PLC0415
    from agents.faces import metric_of  # noqa: PLC0415
    from fenceline import comparing, evaluating, logs  # noqa: PLC0415
    from pipeline.identity import evaluation  # noqa: PLC0415
    from pipeline.identity.comparison import thresholds  # noqa: PLC0415
    from schemas.message import Invalid, encode, to_builtins  # noqa: PLC0415

    logs.configure(logging.WARNING)
    chosen = settings()

    def failed(path: Path, why: str) -> None:
        click.echo(f"{path}: {why}", err=True)

    async def scored() -> list[evaluation.Scored]:
        async with comparing.pool_of(chosen, processes) as pool:
            return await evaluating.score(pool, read, metric, calibration, rates, failed, processes)

    try:
        calibration = comparing.calibration_of(chosen)
        read = evaluating.read_pairs(pairs)
        rates = comparing.rates_of(chosen)
        metric = calibration.metric if calibration else metric_of(chosen.face_model)
        found = asyncio.run(scored())
        if calibrate is not None:
            source = f"{pairs.name}, {len(found)} pairs"
            made = evaluation.calibrated(found, chosen.face_model, metric, source)
            calibrate.write_bytes(encode(made))
        if roc is not None:
            points = evaluation.curve(found)
            if not points:
                raise comparing.Unusable("no ROC can be drawn: pairs of one person and of two are needed")
            evaluating.draw(points, thresholds(calibration, rates).match if calibration else None, roc)
    except (comparing.Unusable, Unable, Invalid, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    limits = thresholds(calibration, rates) if calibration else None
    # a model whose rates are not known settles nothing
    at = (limits.match, limits.no_match) if limits else (-1.0, float("inf"))
    whole = to_builtins(evaluation.report(found, *at))
    groups = {name: to_builtins(one) for name, one in evaluation.by_group(found, *at).items()}
    intervals = {name: whole[name] for name in ("fmr", "fnmr", "false_no_match", "undetermined", "failure_to_acquire")}
    answer = {
        "pairs": whole["pairs"],
        "compared": whole["compared"],
        **{name: one["rate"] for name, one in intervals.items()},
        "threshold": round(limits.match, 4) if limits else None,
        "no_match_above": round(limits.no_match, 4) if limits else None,
        "fmr_target": rates.fmr,
        "model": chosen.face_model,
        "calibration": calibration.source if calibration else None,
        "intervals": intervals,
        "groups": groups,
    }
    if as_json:
        say(answer)
        return
    click.echo(f"{whole['compared']} of {whole['pairs']} pairs were compared; a match is up to {answer['threshold']}")
    for name, one in (("all", whole), *groups.items()):
        click.echo(f"{name}:")
        for rate in intervals:
            part = one[rate]
            told = "nothing to count" if part["rate"] is None else f"{part['rate']:.4f}"
            between = "" if part["rate"] is None else f"  (95 %: {part['low']:.4f} to {part['high']:.4f})"
            click.echo(f"  {rate.replace('_', ' '):20}{told}{between}  {part['count']} of {part['of']}")
