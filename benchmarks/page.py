"""`python -m benchmarks.page`: docs/speed.md and its plots, from the results in benchmarks/results/.

What is said of limits stands in benchmarks/limits.md, by hand; every figure comes from the results.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"
OURS, THEIRS = "#2b6cb0", "#a0aec0"
BAR, GAP, LABEL, WIDTH = 18, 8, 290, 360


def _read(name: str) -> dict[str, Any] | None:
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else None


def _number(value: Any) -> str:
    if isinstance(value, float) and value != int(value):
        return f"{value:,.2f}".rstrip("0") if abs(value) < 100 else f"{value:,.0f}"
    return f"{int(value):,}" if isinstance(value, (int, float)) else str(value)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown; figures with thousands apart."""
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    lines += ["| " + " | ".join(_number(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def bars(title: str, rows: Sequence[tuple[str, float, bool]]) -> str:
    """An SVG of horizontal bars: (name, value, ours)."""
    most = max((value for _, value, _ in rows), default=1.0) or 1.0
    height = 30 + len(rows) * (BAR + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + WIDTH + 100}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="white"/><text x="8" y="18" font-weight="bold">{title}</text>'
    ]
    for place, (name, value, ours) in enumerate(rows):
        top, long = 28 + place * (BAR + GAP), WIDTH * value / most
        parts.append(
            f'<text x="{LABEL - 8}" y="{top + 13}" text-anchor="end">{name}</text>'
            f'<rect x="{LABEL}" y="{top}" width="{long:.1f}" height="{BAR}" fill="{OURS if ours else THEIRS}"/>'
            f'<text x="{LABEL + long + 6:.1f}" y="{top + 13}">{_number(value)}</text>'
        )
    return "".join(parts) + "</svg>\n"


def _taken(result: dict[str, Any]) -> str:
    at = result.get("machine", {})
    told = ", ".join(f"{name} {value}" for name, value in at.items()) if isinstance(at, dict) else str(at)
    return f"Measured on: {told}.\n"


def engine(found: dict[str, Any]) -> str:
    """The engine's chapter."""
    rates = found["rates"]
    bar = [(f"{one['fences']:,} fences, {one['moving']:.0%} on the move", one["judged_per_s"], True) for one in rates]
    (DOCS / "speed-engine.svg").write_text(bars("fixes a second on one core, full verdict", bar))
    text = "## The engine, one core\n\n`python -m benchmarks.engine`. " + _taken(found)
    text += "\n![fixes a second](speed-engine.svg)\n\n" + table(
        ["fences", "on the move", "near a boundary", "judged/s (median)", "least", "best", "decoded/s", "both/s"],
        [
            [one["fences"], f"{one['moving']:.0%}", f"{one['near_a_boundary']:.0%}", one["judged_per_s"],
             one["judged_per_s_least"], one["judged_per_s_best"], one["decoded_per_s"], one["both_per_s"]]
            for one in rates
        ],
    )  # fmt: skip
    if not found["near"] or not found["memory"]:
        return text
    text += "\nFences near each place, at 2,000 fences:\n\n" + table(
        ["fences within a km2", "judged/s"], [[one["fences_near"], one["judged_per_s"]] for one in found["near"]]
    )
    text += "\n### Memory\n\n" + table(
        ["devices", "reference MB", "state MB", "both MB", "bytes a device", "peak MB of the process"],
        [
            [one["devices"], one["reference_mb"], one["state_mb"], one["total_mb"], one["bytes_per_device"],
             one["peak_mb"]]
            for one in found["memory"]
        ],
    )  # fmt: skip
    return text


def _summed(rows: Iterable[Sequence[Any]], name: str) -> str:
    """A table of microseconds a fix by stage, and `name` for their sum."""
    stages = list(rows)
    return table(["where", "µs a fix"], [*stages, [f"**{name}**", round(sum(spent for _, spent in stages), 2)]])


def profile(engine: dict[str, Any], latency: dict[str, Any] | None, end_to_end: dict[str, Any] | None) -> str:
    """Where a fix's time goes, from the socket to the incident, and in the engine."""
    text = "## Where a fix's time goes\n\nMicroseconds of processor time a fix.\n"
    if latency:
        known = latency["stages_us_per_fix"]
        rows = [[f"gateway: {name}", spent] for name, spent in known["gateway"].items()]
        rows.append(["Kafka's broker", latency["cpu_us_per_fix"]["broker"]])
        rows += [[f"worker: {name}", spent] for name, spent in known["worker"].items()]
        text += (
            f"\nAt {_number(latency['sent']['fixes_per_s'])} fixes a second through the gateway, where each part wakes "
            "up for a few fixes at a time (`python -m benchmarks.latency`; the shares of gateway and worker are of "
            "samples of their stacks):\n\n" + _summed(rows, "from socket to incident")
        )
    for one in (end_to_end or {"results": []})["results"]:
        if stages := one.get("stages_us_per_fix"):
            text += (
                f"\nThe worker with more to do than it can, {one['contender'].partition(', ')[2]} "
                "(`python -m benchmarks.end_to_end`; by samples):\n\n" + _summed(stages.items(), "worker")
            )
    own = sorted(engine["stages"][0]["us_per_fix"].items(), key=lambda one: -one[1])
    return (
        text
        + "\nThe engine by itself, in batches of 10,000 fixes (`python -m benchmarks.engine`; by its own clock, each "
        "stage less those inside it):\n\n" + _summed(own, "engine")
    )


def end_to_end(found: dict[str, Any]) -> str:
    """Producer to incident."""
    rows, bar, ours = [], [], 0.0
    for one in found["results"]:
        if "not measured" in one:
            rows.append([one["contender"], "not measured: " + one["not measured"].splitlines()[0][:80], *[""] * 6])
            continue
        best = one["sustained"] or one["steps"][0]
        rate = best["judged_fixes_per_s"]
        ours = ours or rate
        seen = best["latency"]
        rows.append([
            one["contender"], one["does"], rate, f"{ours / max(rate, 1):.1f}", best["cpu_us_per_fix"], best["cores"],
            seen.get("p50_ms", "-"), seen.get("p99_ms", "-"),
        ])  # fmt: skip
        bar.append((one["contender"], float(rate), one["contender"].startswith("fenceline")))
    (DOCS / "speed-end-to-end.svg").write_text(bars("fixes a second, sustained, over Apache Kafka", bar))
    text = "## End to end, on Apache Kafka\n\n`python -m benchmarks.end_to_end`. " + _taken(found)
    text += "\nBroker, producer and worker share the machine. " + (
        f"{found['fences']:,} fences of 32 corners, {found['partitions']} partitions. The rate rises by a "
        "quarter at each step, without a pause, until a contender no longer keeps up; the row is the step before.\n"
    )
    text += "\n![fixes a second](speed-end-to-end.svg)\n\n" + table(
        ["who", "does", "fixes/s", "first row is faster, times", "CPU µs a fix", "cores", "p50 ms", "p99 ms"], rows
    )
    steps = [
        [one["contender"], f"{seen['offered_fixes_per_s'] / one['sustained']['judged_fixes_per_s']:.0%}",
         seen["offered_fixes_per_s"], seen["lag_at_the_end_s"], seen["cores"],
         *[seen["latency"].get(f"{p}_ms", "-") for p in ("p50", "p90", "p99")]]
        for one in found["results"]
        if one.get("sustained") and one["contender"].startswith("fenceline")
        for seen in one["steps"]
    ]  # fmt: skip
    if steps:
        text += "\nFenceline at each step:\n\n" + table(
            ["who", "of its sustained rate", "offered/s", "behind at the end s", "cores", "p50 ms", "p90 ms", "p99 ms"],
            steps,
        )
    return text


def latency(found: dict[str, Any]) -> str:
    """Gateway to incident."""
    seen = found["gateway_to_incident"]
    sent = found["sent"]
    return (
        "## From the gateway to the incident\n\n`python -m benchmarks.latency`. "
        + _taken(found)
        + "\n"
        + table(
            ["fixes/s", "incidents", "p50 ms", "p90 ms", "p99 ms", "longest ms", "gateway's answer p50 ms", "p99 ms"],
            [[sent["fixes_per_s"], seen["events"], *[seen.get(f"{p}_ms", "-") for p in ("p50", "p90", "p99", "max")],
              sent["answer_p50_ms"], sent["answer_p99_ms"]]],
        )
    )  # fmt: skip


def recovery(found: dict[str, Any]) -> str:
    """Kills and rebalances."""
    heads = [
        "devices",
        "worker_mb",
        "of_it_state_mb",
        "first_start_s",
        "restart_to_first_judged_s",
        "restart_to_all_judged_s",
    ]
    text = "## After a kill\n\n`python -m benchmarks.recovery`. " + _taken(found) + "\n"
    text += table(
        [head.replace("_", " ") for head in heads],
        [[one.get(head, one.get("not measured", "-")) for head in heads] for one in found["killed"]],
    )
    if "rebalance" in found:
        moved = found["rebalance"]
        text += f"\nTwo workers, {_number(moved['devices'])} devices, {_number(moved['offered_fixes_per_s'])} fixes/s, "
        text += f"session timeout {moved['session_timeout_s']:g} s; for how long a partition stood still:\n\n"
        text += table(
            ["what happened", "longest s", "median partition s"],
            [[name.replace("_", " "), seen["longest_s"], seen["median_partition_s"]]
             for name, seen in moved.items() if isinstance(seen, dict)],
        )  # fmt: skip
    return text


def fence_lookup(found: dict[str, Any]) -> str:
    """Lookups only."""
    names = [name for name in ("rtree_per_point", "shapely_bulk", "tile38", "tile38_libraries")
             if any(name in case for case in found["cases"])]  # fmt: skip
    rows = [
        [case["fences"], case["corners"], case["fenceline"]["fixes_per_s"],
         *[f"{_number(case[name]['fixes_per_s'])} ({case[name]['fenceline_is_faster']}x)" for name in names],
         max(case[name]["disputed_farthest_m"] for name in names)]
        for case in found["cases"]
    ]  # fmt: skip
    notes = "".join(f"\n{name}: {why}.\n" for name, why in found["notes"].items())
    return (
        "## Fence lookups\n\n`python -m benchmarks.fence_lookup`. " + _taken(found)
        + "\nFixes a second; in brackets how many times faster Fenceline is. The last column: how far from a boundary "
        "the places lie about which any two disagree.\n\n"
        + table(["fences", "corners", "fenceline", *names, "disputed up to m"], rows)
        + notes
    )  # fmt: skip


def gateway(found: dict[str, Any]) -> str:
    """HTTP."""
    rows = [
        [size, one["gateway"]["requests_per_s"], one["gateway"]["fixes_per_s"], one["gateway"]["p99_ms"],
         one["bare_litestar"]["requests_per_s"], one["gateway_to_bare"]["requests_per_cpu_s"]]
        for size, one in found["fixes_per_request"].items()
    ]  # fmt: skip
    heads = ["fixes a request", "requests/s", "fixes/s", "p99 ms", "bare Litestar requests/s", "ratio per CPU second"]
    return "## The gateway\n\n`python -m benchmarks.gateway`. " + _taken(found) + "\n" + table(heads, rows)


def main() -> None:
    """Write the page."""
    found = {name: _read(name) for name in ("engine", "latency", "end_to_end", "recovery", "fence_lookup", "gateway")}
    chapters = {"engine": engine, "end_to_end": end_to_end, "latency": latency, "recovery": recovery,
                "fence_lookup": fence_lookup, "gateway": gateway}  # fmt: skip
    text = "# Speed\n\n" + (HERE / "limits.md").read_text() + "\n"
    for name, chapter in chapters.items():
        one = found[name]
        if one is None:
            text += f"## {name}\n\nNot measured yet: `make bench`.\n\n"
            continue
        text += chapter(one) + "\n"
        if name == "engine" and one["stages"]:
            text += profile(one, found["latency"], found["end_to_end"]) + "\n"
    (DOCS / "speed.md").write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
