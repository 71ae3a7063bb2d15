"""The table of a task: means over clips, and 95 % bootstrap intervals over their sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clips import Clip
from musr_cli.metrics.registry import METRICS, Metric
from musr_cli.metrics.systems import System
from musr_cli.metrics.tables import figure
from quality import by_source, interval

RANKED_BY = "lsd_a_hf_19k"
MEANS = ("lsd_a", RANKED_BY, "visqol", "mrstft_sc", "mrstft_log", "hf_spread", "snr_db")
WORST = {"snr_given_db": "given band: lowest SNR (dB)", "level_given_db": "given band: largest gain (dB)"}
UNRANKED = {"snr_db", *WORST}
"""Guards: any new band, however good, lowers them, and the best is whoever adds nothing."""
NONE = "–"


@dataclass(frozen=True)
class Cell:
    """A figure, its interval, and whether no other system is better."""

    text: str
    sure: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """Systems in rows, the best first; `metrics` names what each column shows."""

    metrics: Sequence[str]
    rows: Mapping[str, Sequence[Cell]]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Table:
        """The inverse of `asdict`."""
        rows = {name: [Cell(**cell) for cell in cells] for name, cells in values["rows"].items()}
        return cls(values["metrics"], rows)

    @property
    def headings(self) -> list[str]:
        """Of the columns."""
        return [WORST.get(name) or heading(METRICS[name]) for name in self.metrics]

    def column(self, metric: str) -> dict[str, Cell]:
        """One figure by system; empty where the table lacks it."""
        if metric not in self.metrics:
            return {}
        return {name: cells[self.metrics.index(metric)] for name, cells in self.rows.items()}


def make_table(systems: Iterable[System], sources: Mapping[str, str]) -> Table:
    """Means with intervals, and the worst of the band that was given.

    Args:
        systems: that restored the same clips.
        sources: of the clips, by name.
    """
    placed = ranked(systems)
    shown = [name for name in (*MEANS, *WORST) if any(system.values(name) for system in placed)]
    columns = [[_cell(METRICS[name], system.values(name), sources) for system in placed] for name in shown]
    columns = [mark_best(name, cells) for name, cells in zip(shown, columns, strict=True)]
    return Table(shown, {system.name: cells for system, *cells in zip(placed, *columns, strict=True)})


def ranked(systems: Iterable[System]) -> list[System]:
    """The best above the edge first."""
    return sorted(systems, key=lambda system: (np.mean([*system.values(RANKED_BY).values()] or [np.inf]), system.name))


def heading(metric: Metric) -> str:
    """Label, with the unit where there is one that says something."""
    return f"{metric.label} (dB)" if metric.unit == "dB" else metric.label


def _cell(metric: Metric, values: Mapping[str, float], sources: Mapping[str, str]) -> Cell:
    if not values:
        return Cell(NONE)
    if metric.name in WORST:
        is_least = metric.better == "higher"
        return Cell(f"{min(values.values()):.0f}" if is_least else f"{max(map(abs, values.values())):.4f}")
    groups = by_source((Clip(Path(name), name, sources[name]) for name in values), values.values())
    mean, low, high = interval(groups)
    return Cell(figure(metric, mean), f"{low:.2f}–{high:.2f}" if len(groups) > 1 else "")


def mark_best(name: str, cells: Sequence[Cell]) -> list[Cell]:
    """The same cells of one metric, the best told apart; what looks the same counts as the same."""
    if name in UNRANKED:
        return [*cells]
    bad = [_badness(METRICS[name], cell.text) for cell in cells]
    is_telling = len(set(bad)) > 1
    return [Cell(cell.text, cell.sure, is_telling and it == min(bad)) for cell, it in zip(cells, bad, strict=True)]


def _badness(metric: Metric, text: str) -> float:
    if text == NONE:
        return np.inf
    if metric.better in {"lower", "higher"}:
        return float(text) if metric.better == "lower" else -float(text)
    return abs(float(text) - float(metric.better.removeprefix("nearest ")))


def as_markdown(table: Table, new: Sequence[str] = ()) -> str:
    """The table in Markdown; names of `new` systems are bold."""
    lines = ["| system | " + " | ".join(table.headings) + " |", "|---" * (len(table.metrics) + 1) + "|"]
    for name, cells in table.rows.items():
        figures = (f"{cell.text} ({cell.sure})" if cell.sure else cell.text for cell in cells)
        lines.append(f"| {f'**{name}**' if name in new else name} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"
