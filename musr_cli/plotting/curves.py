"""Diagrams of lines: long-term spectra, their differences, band edges over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.plotting import style
from musr_cli.plotting.edges import PartEdge
from musr_cli.plotting.panel import Panel
from musr_cli.plotting.pictures import floor, holes_of, widest_difference
from musr_cli.plotting.scales import Scale, line
from musr_cli.plotting.spectrogram import WINDOW_S

SPECTRUM_RANGE_DB = 120.0
"""From the highest line down, at most."""

NOISE_DB = 10 * math.log10(2 * 1.5 / WINDOW_S)
"""Level of noise in a spectrogram above its density: 1.5 bins of the window, against the power of a sine, 1/2."""

UNSURE = 0.5
"""Confidence below which the edge of a part is drawn faint."""

Array = NDArray[np.float64]


def draw_spectra(axes: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    """Long-term spectra of all files in one diagram."""
    lines = []
    points = [line(panel.density_db, panel.sample_rate / 2000, scale, top_khz) for panel in panels]
    for index, panel in enumerate(panels):
        lines += axes.plot(*points[index], linewidth=1.3, **style.line_style(index))
        if not panel.edge.full_band:
            axes.axvline(panel.edge.cutoff_hz / 1000, linewidth=0.8, alpha=0.7, **style.line_style(index))
    top_db = 5 * math.ceil(max(values_db.max() for _, values_db in points) / 5) + 5
    bottom_db = 5 * math.floor(min(values_db.min() for _, values_db in points) / 5)
    axes.set_ylim(max(bottom_db, top_db - SPECTRUM_RANGE_DB), top_db)
    axes.set_ylabel("power density (dB/Hz)")
    _finish_frequencies(axes, scale, top_khz)
    style.legend(axes, lines, [style.name(index, panels) for index in range(len(panels))])


def draw_spectrum_differences(axes: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    """Long-term spectra of all files but the first minus that of the first; wider differences run along the border.

    Densities below those of noise at the floor of the pictures count as just that.
    """
    points = [line(panel.density_db, panel.sample_rate / 2000, scale, top_khz) for panel in panels]
    first, *others = (np.maximum(density_db, floor(panels) - NOISE_DB) for _, density_db in points)
    widest_db = widest_difference([other - first for other in others], 100)
    axes.axhline(0, color="black", linewidth=0.8)
    lines = []
    for index, other in enumerate(others, start=1):
        difference_db = np.clip(other - first, -widest_db, widest_db)
        lines += axes.plot(points[0][0], difference_db, linewidth=1.3, **style.line_style(index))
    axes.set_ylim(-1.1 * widest_db, 1.1 * widest_db)
    axes.set_ylabel("difference (dB)")
    _finish_frequencies(axes, scale, top_khz)
    minus = f" − {style.letter(0)}"
    style.legend(axes, lines, [style.name(index, panels) + minus for index in range(1, len(panels))])


def draw_edges(axes: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    """Band edges over time of all files in one diagram."""
    lines = []
    for index, panel in enumerate(panels):
        lines.append(draw_track(axes, panel.parts, linewidth=1.8, **style.line_style(index)))
    axes.grid(color="0.9")
    scale.set(axes, "y", top_khz)
    # room for what runs along the top
    bottom, top = (scale.forward(khz) for khz in axes.get_ylim())
    axes.set_ylim(top=float(scale.inverse(top + 0.05 * (top - bottom))))
    style.legend(axes, lines, [style.name(index, panels) for index in range(len(panels))])


def draw_hole_shares(axes: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    """How often cells of each frequency are empty, of all files in one diagram."""
    lines = []
    for index, panel in enumerate(panels):
        is_empty = holes_of(panel) > 0
        khz = np.linspace(0, panel.sample_rate / 2000, len(is_empty))
        lines += axes.plot(khz, 100 * is_empty.mean(axis=1), linewidth=1.3, **style.line_style(index))
        if not panel.edge.full_band:
            axes.axvline(panel.edge.cutoff_hz / 1000, linewidth=0.8, alpha=0.7, **style.line_style(index))
    axes.set_ylim(0, 105)
    axes.set_ylabel("empty (% of the time)")
    _finish_frequencies(axes, scale, top_khz)
    style.legend(axes, lines, [style.name(index, panels) for index in range(len(panels))])


def draw_track(axes: Any, parts: Sequence[PartEdge], **look: Any) -> Any:
    """Steps at the edge of each part, faint where it is not sure, none in silence; returns the line that is sure."""
    times_s, khz, confidence = steps(parts)
    axes.plot(times_s, np.where(confidence > 0, khz, np.nan), **{**look, "alpha": 0.35})
    return axes.plot(times_s, np.where(confidence >= UNSURE, khz, np.nan), **look)[0]


def steps(parts: Sequence[PartEdge]) -> tuple[Array, Array, Array]:
    """Times in s, edges in kHz and their confidences at the two ends of each part, [2 · parts] each."""
    times_s = np.array([[part.start_s, part.end_s] for part in parts]).ravel()
    khz = np.repeat([part.edge.cutoff_hz / 1000 for part in parts], 2)
    return times_s, khz, np.repeat([part.edge.confidence for part in parts], 2)


def _finish_frequencies(axes: Any, scale: Scale, top_khz: float) -> None:
    scale.set(axes, "x", top_khz)
    axes.grid(color="0.9")
