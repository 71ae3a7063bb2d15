"""Results as tables for people, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from musr_cli.metrics.comparison import Comparison
from musr_cli.metrics.pairing import Pair
from musr_cli.metrics.registry import METRICS, Metric
from musr_cli.metrics.summary import CONFIDENCE, Summary
from musr_cli.metrics.systems import Duel, System, duels

_INTERVAL = f"{100 * CONFIDENCE:.0f} % interval"


def as_text(systems: Sequence[System]) -> str:
    """For one pair every figure; for more the main figures of each, then all means; for several systems their means."""
    if len(systems) > 1:
        return aligned(_system_rows(systems)) + _duel_text(duels(systems, HEADLINE))
    (system,) = systems
    if len(system.results) == 1:
        return aligned(_figure_rows(system.summaries))
    return f"{aligned(_file_rows(system))}\n{aligned(_figure_rows(system.summaries))}"


def as_json(systems: Sequence[System]) -> dict[str, Any]:
    """Everything, with the convention of every metric; figures that are undefined are absent."""
    return {
        "systems": [system.name for system in systems],
        "files": [_json_file(system.name, *result) for system in systems for result in system.results.values()],
        "mean": {s.name: {name: asdict(summary) for name, summary in s.summaries.items()} for s in systems},
        "paired": [json_duel(duel) for duel in duels(systems, list(METRICS))],
        "failed": [
            {"system": system.name, "file": name, "problem": problem}
            for system in systems
            for name, problem in system.problems.items()
        ],
        "metrics": {name: asdict(metric) for name, metric in METRICS.items()},
    }


def json_duel(duel: Duel) -> dict[str, Any]:
    """One paired test, flat."""
    return {"metric": duel.metric, "a": duel.first, "b": duel.second, **asdict(duel.test), "winner": duel.winner}


def as_csv(systems: Sequence[System]) -> str:
    """One row per pair and system; cells of undefined figures are empty."""
    text = io.StringIO()
    columns = ["file", "system", "reference", "estimate", "input", "seconds", "cutoff_hz", "end_hz"]
    writer = csv.DictWriter(text, [*columns, *METRICS], lineterminator="\n")
    writer.writeheader()
    for system in systems:
        for pair, comparison in system.results.values():
            described = _json_file(system.name, pair, comparison)
            writer.writerow({key: described[key] for key in columns} | comparison.metrics)
    return text.getvalue()


def _json_file(system: str, pair: Pair, comparison: Comparison) -> dict[str, Any]:
    return {
        "file": pair.name,
        "system": system,
        "reference": str(pair.ref),
        "estimate": str(pair.est),
        "input": str(pair.input) if pair.input else None,
        "seconds": comparison.seconds,
        "cutoff_hz": comparison.cutoff_hz,
        "end_hz": comparison.end_hz,
        "metrics": comparison.metrics,
        "notes": list(comparison.notes),
    }


HEADLINE = [metric.name for metric in METRICS.values() if metric.headline]


def _file_rows(system: System) -> list[list[str]]:
    means = system.summaries
    shown = [METRICS[name] for name in HEADLINE if name in means]
    rows = [["file", *(_heading(metric) for metric in shown)]]
    for name, (_, comparison) in system.results.items():
        rows.append([name, *(figure(metric, comparison.metrics.get(metric.name)) for metric in shown)])
    rows.append([f"mean of {len(system.results)}", *(figure(metric, means[metric.name].mean) for metric in shown)])
    rows.append([_INTERVAL, *(_interval(metric, means[metric.name]) for metric in shown)])
    return rows


def _figure_rows(means: Mapping[str, Summary]) -> list[list[str]]:
    several = any(summary.clips > 1 for summary in means.values())
    rows = [["metric", *(["mean", _INTERVAL, "clips"] if several else ["value"]), "unit", "better", "how"]]
    for name, summary in means.items():
        metric = METRICS[name]
        sure = [_interval(metric, summary), str(summary.clips)] if several else []
        rows.append([metric.label, figure(metric, summary.mean), *sure, metric.unit, metric.better, metric.convention])
    return rows


def _system_rows(systems: Sequence[System]) -> list[list[str]]:
    means = [system.summaries for system in systems]
    title = f"mean ({_INTERVAL})" if any(len(system.results) > 1 for system in systems) else "metric"
    rows = [[title, *(system.name for system in systems), "unit", "better", "how"]]
    for metric in METRICS.values():
        found = [summaries.get(metric.name) for summaries in means]
        if any(found):
            cells = [_mean_with_interval(metric, summary) for summary in found]
            rows.append([metric.label, *cells, metric.unit, metric.better, metric.convention])
    clips = [str(len(system.results)) for system in systems]
    return [*rows, ["clips", *clips, "", "", ""]]


def _mean_with_interval(metric: Metric, summary: Summary | None) -> str:
    if summary is None:
        return "–"
    sure = "" if summary.low is None else f" ({_interval(metric, summary)})"
    return figure(metric, summary.mean) + sure


def _duel_text(found: Sequence[Duel]) -> str:
    """The paired tests of the main figures; nothing where no two systems share a clip."""
    if not found:
        return ""
    rows = [["in pairs", "metric", "difference", _INTERVAL, "p (Holm)", "clips", "better"]]
    for duel in found:
        metric, test = METRICS[duel.metric], duel.test
        told = "–" if test.p_holm is None else "< 0.001" if test.p_holm < 0.001 else f"{test.p_holm:.3f}"
        bounds = _interval(metric, Summary(test.mean, test.low, test.high, test.clips))
        pair, winner = f"{duel.first} − {duel.second}", duel.winner or "not certain"
        rows.append([pair, metric.label, figure(metric, test.mean), bounds, told, str(test.clips), winner])
    return f"\n{aligned(rows)}"


def _heading(metric: Metric) -> str:
    return f"{metric.label} dB" if metric.unit == "dB" else metric.label


def figure(metric: Metric, value: float | None) -> str:
    """A value as tables show it."""
    if value is None:
        return "–"
    # adding 0.0 keeps a rounded −0.00 from showing its sign
    return f"{round(value, 2) + 0.0:.2f}" if metric.unit.startswith("dB") else f"{round(value, 3) + 0.0:.3f}"


def _interval(metric: Metric, summary: Summary) -> str:
    if summary.low is None or summary.high is None:
        return "–"
    return f"{figure(metric, summary.low)} … {figure(metric, summary.high)}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart: the first and whatever is not a figure to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = [any(cell[:1].isdigit() or cell[:1] == "-" for cell in column[1:]) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (
            cell.rjust(width) if is_figure and index else cell.ljust(width)
            for index, (cell, width, is_figure) in enumerate(zip(row, widths, right, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"
