"""How does an incident look? A PNG of track, accuracy circles, fence and crossing; below, distance and evidence."""

import io
import textwrap
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path
from shapely import LineString, MultiLineString
from shapely import Point as Spot
from shapely.ops import nearest_points

from pipeline.explain.drawing import Drawing, Point, Ring

INK, TRACK, GROUND, THROWN = "#1f2933", "#7b8794", "#0b69a3", "#9a5b13"
FENCE, BREACH = "#3f9142", "#c5221f"
MARGIN = 0.15
LEAST_M = 60.0
WIDTH = 96


def picture(drawing: Drawing, title: str, kind: Literal["png", "svg"] = "png") -> bytes:
    """`drawing` as a PNG of 1000 by 900 pixels, or as an SVG of that shape, under `title`."""
    # Only fonts that come with matplotlib are sure to be there; signs that they lack are shown as boxes, without noise.
    # The salt makes ids in an SVG the same each time.
    set_ = {"font.family": ["DejaVu Sans"], "axes.unicode_minus": False, "svg.hashsalt": "fenceline"}
    with mpl.rc_context(set_):
        figure = Figure(figsize=(10, 9), dpi=100, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, height_ratios=(3, 1))
        figure.suptitle("\n".join(textwrap.wrap(_latin(title), WIDTH)), fontsize=10, color=INK)
        _map(above, drawing)
        _course(below, drawing)
        sink = io.BytesIO()
        about = {"Software": "fenceline"} if kind == "png" else {"Creator": "fenceline", "Date": None}
        figure.savefig(sink, format=kind, metadata=about)
    return sink.getvalue()


def _latin(text: str) -> str:
    """`text` with a question mark for each sign beyond the Basic Multilingual Plane's first alphabets."""
    return "".join(sign if ord(sign) < 0x2E80 else "?" for sign in text)


def _map(axes: Axes, drawing: Drawing) -> None:
    colour = BREACH if drawing.keep_out else FENCE
    if drawing.rings:
        patch = PathPatch(_path(drawing.rings), facecolor=colour, alpha=0.15, edgecolor="none")
        axes.add_patch(patch)
        for ring in drawing.rings:
            axes.plot(ring.east_m, ring.north_m, color=colour, linewidth=1.2)
    points = drawing.points
    way = [p for p in points if not p.thrown]
    axes.plot([p.east_m for p in way], [p.north_m for p in way], color=TRACK, linewidth=0.8, zorder=2)
    for point in points:
        if point.accuracy_m:
            shade = GROUND if point.ground else TRACK
            axes.add_patch(
                Circle(
                    (point.east_m, point.north_m), point.accuracy_m, color=shade, alpha=0.1 if point.ground else 0.03
                )
            )
    rest = [p for p in points if not p.ground and not p.thrown]
    grounds, thrown = [p for p in points if p.ground], [p for p in points if p.thrown]
    _dots(axes, rest, TRACK, 10, "other positions")
    _dots(axes, grounds, GROUND, 28, "positions it rests on")
    if thrown:
        places = [p.east_m for p in thrown], [p.north_m for p in thrown]
        axes.scatter(*places, s=40, marker="x", color=THROWN, zorder=4, label="thrown off, not believed")
    if drawing.crossing is not None:
        axes.scatter(*drawing.crossing, marker="*", s=160, color=BREACH, zorder=5, label="crossing")
    frame(axes, drawing)
    axes.set_aspect("equal")
    axes.set_xlabel(f"metres east of {drawing.lat:.5f}, {drawing.lon:.5f}", color=INK)
    axes.set_ylabel("metres north", color=INK)
    axes.grid(alpha=0.2)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", fontsize=8)


def _dots(axes: Axes, points: list[Point], colour: str, size: int, label: str) -> None:
    if points:
        axes.scatter(
            [p.east_m for p in points], [p.north_m for p in points], s=size, color=colour, zorder=4, label=label
        )


def _path(rings: list[Ring]) -> Path:
    return Path.make_compound_path(
        *(Path(list(zip(ring.east_m, ring.north_m, strict=True)), closed=True) for ring in rings)
    )


def frame(axes: Axes, drawing: Drawing) -> None:
    """Show what it rests on whole, and the boundary where it is nearest; the rest of a long track or a large fence may
    run out of the frame."""
    shown = [p for p in drawing.points if p.ground] or drawing.points
    east, north = [p.east_m for p in shown] + [0.0], [p.north_m for p in shown] + [0.0]
    if drawing.rings and shown:
        here = Spot(shown[-1].east_m, shown[-1].north_m)
        edge = MultiLineString([LineString(list(zip(r.east_m, r.north_m, strict=True))) for r in drawing.rings])
        near = nearest_points(edge, here)[0]
        east, north = [*east, near.x], [*north, near.y]
    reach = max((p.accuracy_m or 0.0 for p in shown), default=0.0)
    half = max(max(east) - min(east), max(north) - min(north), LEAST_M) * (0.5 + MARGIN) + min(reach, 500.0)
    middle = (max(east) + min(east)) / 2, (max(north) + min(north)) / 2
    axes.set_xlim(middle[0] - 1.4 * half, middle[0] + 1.4 * half)
    axes.set_ylim(middle[1] - half, middle[1] + half)


def _course(axes: Axes, drawing: Drawing) -> None:
    measured = [(_day(p), p.distance_m, p) for p in drawing.points if p.distance_m is not None]
    axes.axhline(0.0, color=FENCE, linewidth=1)
    if measured:
        days, away_m = [day for day, _, _ in measured], [away_m for _, away_m, _ in measured]
        reach_m = [point.accuracy_m or 0.0 for _, _, point in measured]
        axes.errorbar(days, away_m, yerr=reach_m, fmt="o-", markersize=4, linewidth=1, elinewidth=0.8, color=GROUND)
    sure = [(_day(p), p.p_outside) for p in drawing.points if p.p_outside is not None]
    if sure:
        beside = axes.twinx()
        beside.plot([day for day, _ in sure], [p for _, p in sure], color=BREACH, linewidth=1.2, linestyle="--")
        beside.set_ylim(-0.02, 1.02)
        beside.set_ylabel("certainty of outside", color=BREACH, fontsize=9)
    axes.axvline(float(date2num(drawing.occurred_at)), color=BREACH, linewidth=1, label="happened")
    axes.axvline(float(date2num(drawing.detected_at)), color=INK, linewidth=1, linestyle=":", label="settled")
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_ylabel("metres outside", color=INK, fontsize=9)
    axes.legend(loc="upper left", fontsize=8)
    axes.grid(alpha=0.2)


def _day(point: Point) -> float:
    return float(date2num(point.at))
