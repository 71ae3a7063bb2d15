"""Long-term spectra as lines of text, for terminals: a small diagram for each, one below the other on common axes.

What is given back are spans of text with a style as rich names them; `console.show` prints them, on a
`console.canvas` only: where somebody looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Span = tuple[str, str]
"""Text, and its style: a colour such as "#56B4E9", "bold", "dim" or nothing."""

Line = list[Span]

RANGE_DB = 90.0
"""From the strongest column of all spectra down to the bottom of each diagram."""

ROWS_ALONE = 6
ROWS_TOGETHER = 3
LEAST_COLUMNS = 20
MOST_COLUMNS = 100

# Okabe & Ito's, those that show on black and on white
_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#D55E00")
_EDGE = "bold"
_QUIET = "dim"
_GUTTER = 12
"""Columns at the left: those of the names in what `inspect` prints."""

_FLOOR = 1e-20
_STEPS_KHZ = tuple(digit * 10.0**power for power in (-2, -1, 0, 1, 2) for digit in (1, 2, 5))


@dataclass(frozen=True)
class TerminalSpectrum:
    """One long-term spectrum.

    Attributes:
        label: what it is called, such as "reference".
        density: power density [F] at equal distances from 0 Hz to `nyquist_hz`, as `LongTermSpectrum.mean` gives it.
        nyquist_hz: where it ends.
        edge_hz: band edge to be marked; None for none.
    """

    label: str
    density: NDArray[np.floating]
    nyquist_hz: float
    edge_hz: float | None = None


@dataclass(frozen=True)
class _Glyphs:
    levels: str
    edge: str
    mark: str
    rule: str
    tick: str
    minus: str


_BLOCKS = _Glyphs(" ▁▂▃▄▅▆▇█", "┊", "▲", "─", "┴", "−")
_ASCII = _Glyphs(" .:|", "!", "^", "-", "+", "-")


def draw_spectra(
    spectra: Sequence[TerminalSpectrum], width: int, *, rows: int | None = None, blocks: bool = True
) -> list[Line]:
    """Draw spectra below each other, dB below the strongest of all, on one frequency axis in kHz.

    A line above each tells its label and band edge; the edge is marked in the diagram and on the axis.

    Args:
        spectra: one or more, on one scale of levels.
        width: columns that there are: 12 for labels, 20 to 100 for the spectra.
        rows: height of each diagram (default: 6 for one spectrum, 3 for each of several).
        blocks: whether Unicode's eighth blocks can be shown; else ASCII.

    Returns:
        Lines, from top to bottom; none is wider than `width`, unless that is under 32 or a label is long.
    """
    glyphs = _BLOCKS if blocks else _ASCII
    rows = rows or (ROWS_ALONE if len(spectra) == 1 else ROWS_TOGETHER)
    columns = max(min(width - _GUTTER, MOST_COLUMNS), LEAST_COLUMNS)
    top_hz = max(spectrum.nyquist_hz for spectrum in spectra)
    levels_db = [column_levels(spectrum, columns, top_hz) for spectrum in spectra]
    # silence has no strongest column to be compared with
    loudest_db = max(*(float(np.nanmax(level_db)) for level_db in levels_db), 10 * math.log10(_FLOOR) + RANGE_DB)
    lines: list[Line] = []
    for index, (spectrum, level_db) in enumerate(zip(spectra, levels_db, strict=True)):
        colour = _COLOURS[index % len(_COLOURS)]
        edge = _column_of(spectrum.edge_hz, columns, top_hz)
        lines.append(_heading(spectrum, colour))
        lines += _diagram(1 + (level_db - loudest_db) / RANGE_DB, rows, edge, colour, glyphs)
    edges = {_column_of(spectrum.edge_hz, columns, top_hz) for spectrum in spectra}
    return [*lines, *_axis(columns, top_hz, edges - {None}, glyphs)]


def column_levels(spectrum: TerminalSpectrum, columns: int, top_hz: float) -> NDArray[np.float64]:
    """Mean power density in each of `columns` from 0 Hz to `top_hz`, in dB; NaN beyond the spectrum."""
    last = len(spectrum.density) - 1
    bounds = np.linspace(0, top_hz, columns + 1) / spectrum.nyquist_hz * last
    total = np.concatenate([[0.0], np.cumsum(spectrum.density, dtype=np.float64)])
    # a bin reaches half a bin to each side; the outermost columns end in the middle of the outermost bins
    places = np.minimum(bounds, last) + 0.5
    width = np.diff(places)
    mean = np.diff(np.interp(places, np.arange(last + 2), total)) / np.where(width > 0, width, np.inf)
    covered = width > 0.5 * (bounds[1] - bounds[0])
    return np.where(covered, 10 * np.log10(np.maximum(mean, _FLOOR)), np.nan)


def _heading(spectrum: TerminalSpectrum, colour: str) -> Line:
    edge = "" if spectrum.edge_hz is None else f"band edge {spectrum.edge_hz / 1000:.1f} kHz"
    label = f"  {spectrum.label:<{_GUTTER - 4}}"
    return [(label, colour), (f"  {edge}" if edge else "", _EDGE)]


def _diagram(height: NDArray[np.float64], rows: int, edge: int | None, colour: str, glyphs: _Glyphs) -> list[Line]:
    """Columns of relative height [columns], 0 to 1, with levels beside them; NaN for none."""
    steps = len(glyphs.levels) - 1
    filled = np.rint(np.nan_to_num(np.clip(height, 0, 1)) * rows * steps).astype(int)
    lines = []
    for row in range(rows):
        cells = np.clip(filled - (rows - 1 - row) * steps, 0, steps)
        spans: Line = [(_level_label(row, rows, glyphs), _QUIET)]
        text = "".join(glyphs.levels[cell] for cell in cells)
        lines.append(spans + _with_edge(text, edge, colour, glyphs))
    return lines


def _with_edge(text: str, edge: int | None, colour: str, glyphs: _Glyphs) -> Line:
    """A row of cells, with the mark of the edge where nothing else is."""
    if edge is None or text[edge] != " ":
        return [(text, colour)]
    return [(text[:edge], colour), (glyphs.edge, _EDGE), (text[edge + 1 :], colour)]


def _level_label(row: int, rows: int, glyphs: _Glyphs) -> str:
    """The level at the top of a row, at the top and in the middle."""
    if row == 0:
        return f"{'0 dB ':>{_GUTTER}}"
    if row == (rows + 1) // 2:
        return _number(RANGE_DB * row / rows, glyphs)
    return " " * _GUTTER


def _number(below_db: float, glyphs: _Glyphs) -> str:
    return f"{glyphs.minus}{below_db:.0f}    ".rjust(_GUTTER)


def _axis(columns: int, top_hz: float, edges: set[int | None], glyphs: _Glyphs) -> list[Line]:
    """A rule with ticks and marks of the edges, and frequencies below it."""
    ticks = _ticks(columns, top_hz)
    rule = [glyphs.tick if column in ticks else glyphs.rule for column in range(columns)]
    spans: Line = [(_number(RANGE_DB, glyphs), _QUIET)]
    spans += [(glyphs.mark, _EDGE) if column in edges else (cell, _QUIET) for column, cell in enumerate(rule)]
    labels = [" "] * columns
    for column, label in ticks.items():
        start = min(max(column - (len(label) - 1) // 2, 0), columns - len(label))
        labels[start : start + len(label)] = label
    return [spans, [(f"{'kHz ':>{_GUTTER}}" + "".join(labels).rstrip(), _QUIET)]]


def _ticks(columns: int, top_hz: float) -> dict[int, str]:
    """Columns that have a tick, and the frequency there in kHz."""
    step_khz = next(step for step in _STEPS_KHZ if step * 1000 / top_hz * columns >= 7)
    count = math.floor(top_hz / 1000 / step_khz)
    places = {min(round(each * step_khz * 1000 / top_hz * columns), columns - 1): each for each in range(count + 1)}
    return {column: f"{each * step_khz:g}" for column, each in places.items()}


def _column_of(hz: float | None, columns: int, top_hz: float) -> int | None:
    return None if hz is None or hz >= top_hz else int(hz / top_hz * columns)
