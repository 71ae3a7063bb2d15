"""Results as a table for people, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from musr_cli.metrics.comparison import Comparison
from musr_cli.metrics.pairing import Pair
from musr_cli.metrics.registry import METRICS, Metric
from musr_cli.metrics.summary import CONFIDENCE, Summary, summarise_all

Results = dict[str, tuple[Pair, Comparison]]
"""Finished comparisons by the name of their pair."""

_INTERVAL = f"{100 * CONFIDENCE:.0f} % interval"


def summaries(results: Results) -> dict[str, Summary]:
    """Mean and interval of every metric over all pairs."""
    found = summarise_all([comparison.metrics for _, comparison in results.values()])
    return {name: found[name] for name in METRICS if name in found}


def as_text(results: Results) -> str:
    """The table: for one pair every figure; for more the main figures of each, then the mean of every figure."""
    means = summaries(results)
    if len(results) == 1:
        return _aligned(_figure_rows(means))
    return f"{_aligned(_file_rows(results, means))}\n{_aligned(_figure_rows(means))}"


def as_json(results: Results, problems: Mapping[str, str]) -> dict[str, Any]:
    """Everything, with the convention of every metric; figures that are undefined are absent."""
    return {
        "files": [_json_file(pair, comparison) for pair, comparison in results.values()],
        "mean": {name: asdict(summary) for name, summary in summaries(results).items()},
        "failed": [{"file": name, "problem": problem} for name, problem in problems.items()],
        "metrics": {name: asdict(metric) for name, metric in METRICS.items()},
    }


def as_csv(results: Results) -> str:
    """One row per pair; cells of undefined figures are empty."""
    text = io.StringIO()
    columns = ["file", "reference", "estimate", "input", "seconds", "cutoff_hz", *METRICS]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for pair, comparison in results.values():
        described = _json_file(pair, comparison)
        writer.writerow({key: described[key] for key in columns[:6]} | comparison.metrics)
    return text.getvalue()


def _json_file(pair: Pair, comparison: Comparison) -> dict[str, Any]:
    return {
        "file": pair.name,
        "reference": str(pair.ref),
        "estimate": str(pair.est),
        "input": str(pair.input) if pair.input else None,
        "seconds": comparison.seconds,
        "cutoff_hz": comparison.cutoff_hz,
        "metrics": comparison.metrics,
        "notes": list(comparison.notes),
    }


def _file_rows(results: Results, means: Mapping[str, Summary]) -> list[list[str]]:
    shown = [metric for metric in METRICS.values() if metric.headline and metric.name in means]
    rows = [["file", *(_heading(metric) for metric in shown)]]
    for name, (_, comparison) in results.items():
        rows.append([name, *(_figure(metric, comparison.metrics.get(metric.name)) for metric in shown)])
    rows.append([f"mean of {len(results)}", *(_figure(metric, means[metric.name].mean) for metric in shown)])
    rows.append([_INTERVAL, *(_interval(metric, means[metric.name]) for metric in shown)])
    return rows


def _figure_rows(means: Mapping[str, Summary]) -> list[list[str]]:
    several = any(summary.clips > 1 for summary in means.values())
    rows = [["metric", *(["mean", _INTERVAL, "clips"] if several else ["value"]), "unit", "better", "how"]]
    for name, summary in means.items():
        metric = METRICS[name]
        sure = [_interval(metric, summary), str(summary.clips)] if several else []
        rows.append([metric.label, _figure(metric, summary.mean), *sure, metric.unit, metric.better, metric.convention])
    return rows


def _heading(metric: Metric) -> str:
    return f"{metric.label} dB" if metric.unit == "dB" else metric.label


def _figure(metric: Metric, value: float | None) -> str:
    if value is None:
        return "–"
    # adding 0.0 keeps a rounded −0.00 from showing its sign
    return f"{round(value, 2) + 0.0:.2f}" if metric.unit == "dB" else f"{round(value, 3) + 0.0:.3f}"


def _interval(metric: Metric, summary: Summary) -> str:
    if summary.low is None or summary.high is None:
        return "–"
    return f"{_figure(metric, summary.low)} … {_figure(metric, summary.high)}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
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
