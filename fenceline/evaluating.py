"""How do pairs of labelled pictures compare? Read from a CSV file, examined in the pool, each picture once."""

import asyncio
import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from agents.facepool import FacePool
from fenceline.comparing import Look, Unusable, compare_looks, look_at, read_picture
from pipeline.identity.calibration import Calibration
from pipeline.identity.comparison import Rates
from pipeline.identity.evaluation import CurvePoint, Scored

SAME = {"1": True, "true": True, "yes": True, "same": True, "0": False, "false": False, "no": False, "different": False}
MOST_PAIRS = 1_000_000


class Pair(NamedTuple):
    """A line of the file; paths are relative to it."""

    reference: Path
    probe: Path
    same: bool
    group: str


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a CSV file with the columns `reference`, `probe`, `same` and, if there are groups, `group`.

    Raises:
        Unusable: it cannot be read, lacks a column, or a line says neither same nor different; says which line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines)
            lacking = {"reference", "probe", "same"} - set(rows.fieldnames or ())
            if lacking:
                raise Unusable(f"{path} has no column {', '.join(sorted(lacking))}; it needs reference, probe, same")
            pairs = [_pair(path, rows.line_num, row) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unusable(f"{path} cannot be read: {error}") from error
    if not pairs:
        raise Unusable(f"{path} holds no pairs")
    return pairs


def _pair(path: Path, line: int, row: dict[str, str | None]) -> Pair:
    same = SAME.get((row["same"] or "").strip().lower())
    if same is None:
        raise Unusable(f"{path}, line {line}: same is {row['same']!r}; write 1 for one person, 0 for two")
    reference, probe = ((row[name] or "").strip() for name in ("reference", "probe"))
    if not reference or not probe:
        raise Unusable(f"{path}, line {line}: reference and probe are paths of pictures")
    return Pair(path.parent / reference, path.parent / probe, same, (row.get("group") or "").strip())


async def score(
    pool: FacePool,
    pairs: Sequence[Pair],
    metric: str,
    calibration: Calibration | None,
    rates: Rates,
    failed: Callable[[Path, str], None],
    processes: int = 1,
) -> list[Scored]:
    """The distances of `pairs`, as `fenceline verify` would find them. `failed` hears of pictures of no use."""
    looks: dict[Path, Look] = {}
    turns = asyncio.Semaphore(2 * processes)

    async def look(path: Path) -> None:
        async with turns:
            try:
                looks[path] = await look_at(pool, read_picture(path))
            except Unusable as error:
                looks[path] = Look(None, (), (str(error),), pool.model_version)
        if looks[path].why:
            failed(path, looks[path].why[0])

    wanted = dict.fromkeys(path for pair in pairs for path in (pair.reference, pair.probe))
    await asyncio.gather(*(look(path) for path in wanted))
    scored = []
    for pair in pairs:
        one, two = looks[pair.reference], looks[pair.probe]
        found, _ = compare_looks(one, two, metric, calibration, rates)
        scored.append(Scored(pair.same, None if one.why or two.why else found.distance, pair.group))
    return scored


def draw(points: Sequence[CurvePoint], match: float | None, path: Path) -> None:
    """The ROC as a picture: false non-matches over false matches, with the point that is in force."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7, 6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.step([one.fmr for one in points], [1 - one.fnmr for one in points], where="post", color="#0b69a3")
    within = [one for one in points if match is not None and one.distance <= match]
    if within:
        axes.plot(within[-1].fmr, 1 - within[-1].fnmr, "o", color="#c5221f", label=f"match up to {match:.3f}")
        axes.legend(loc="lower right")
    axes.set_xscale("symlog", linthresh=1e-4)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("false matches, as a share of pairs of different people (logarithmic above 0.0001)")
    axes.set_ylabel("true matches, as a share of pairs of one person")
    axes.grid(alpha=0.3)
    figure.savefig(path)
