"""`fenceline verify`: are these two pictures of one person?"""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from fenceline import logs
from fenceline.settings import settings

EXIT_CODES = {"match": 0, "no_match": 1, "undetermined": 3}


@click.command()
@click.argument("reference", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("probe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
@click.option("--exit-code", is_flag=True, help="End with 0 for a match, 1 for none, 3 for undetermined.")
def command(reference: Path, probe: Path, *, as_json: bool, exit_code: bool) -> None:
    """Compare the face in PROBE with the one in REFERENCE: match, no_match or undetermined.

    Pictures are JPEG or PNG and hold one face each (a clip is taken by its best frame). Undetermined says why: no face,
    several, too blurred to tell, or a distance between the two thresholds.

    Exit code: 0 whenever there is an answer (see --exit-code), 2 for wrong usage or a missing file, 1 when nothing
    could be compared at all: a file is no picture, is broken or too large, or a model's weights are missing.
    """
    from agents.facepool import Unable  # noqa: PLC0415  # --help need not wait for it
    from agents.faces import metric_of  # noqa: PLC0415
    from fenceline import comparing  # noqa: PLC0415

    logs.configure(logging.WARNING)
    chosen = settings()
    try:
        calibration = comparing.calibration_of(chosen)
        pictures = [comparing.read_picture(path) for path in (reference, probe)]
        one, two = asyncio.run(_looks(pictures))
    except (comparing.Unusable, Unable) as error:
        raise click.ClickException(str(error)) from error
    metric = calibration.metric if calibration else metric_of(chosen.face_model)
    found, reasons = comparing.compare_looks(one, two, metric, calibration, comparing.rates_of(chosen))
    answer: dict[str, Any] = {
        "outcome": found.outcome,
        "distance": found.distance,
        "threshold": found.threshold,
        "no_match_above": found.no_match_above,
        "fmr_target": found.fmr_target,
        "reasons": list(reasons),
        "model": chosen.face_model,
        "model_version": one.model_version,
        "metric": metric,
        "quality": {"reference": one.told(), "probe": two.told()},
    }
    if as_json:
        click.echo(msgspec.json.encode(answer).decode())
    else:
        click.echo(_said(answer))
    unreadable = [(path, look) for path, look in ((reference, one), (probe, two)) if look.measures is None]
    for path, look in unreadable:
        click.echo(f"Error: {path}: {look.why[0]}", err=True)
    if unreadable:
        sys.exit(1)
    if exit_code:
        sys.exit(EXIT_CODES[found.outcome])


async def _looks(pictures: list[bytes]) -> list[Any]:
    from fenceline import comparing  # noqa: PLC0415

    async with comparing.pool_of(settings()) as pool:
        return [await comparing.look_at(pool, raw) for raw in pictures]


def _said(answer: dict[str, Any]) -> str:
    words = {"match": "the same person", "no_match": "not the same person", "undetermined": "undetermined"}
    lines = [words[answer["outcome"]]]
    if answer["distance"] is not None and answer["threshold"] is not None:
        lines.append(
            f"distance {answer['distance']:.3f}; a match up to {answer['threshold']:.3f} (false match rate "
            f"{answer['fmr_target']:g}), none above {answer['no_match_above']:.3f}"
        )
    return "\n".join([*lines, *answer["reasons"]])
