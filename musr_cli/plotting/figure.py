"""The picture: spectrograms on one scale of level and frequency, long-term spectra below them in one diagram."""

from __future__ import annotations

import math
import string
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from musr_cli.errors import UnavailableError, UsageError
from musr_cli.plotting.panel import Panel

RANGE_DB = 90.0
"""Between the loudest and the darkest colour."""

SPECTRUM_RANGE_DB = 120.0
"""Of the diagram below, at most."""

PANELS_PER_ROW = 3
MAX_PANELS = 12

# Okabe & Ito's colours, told apart with any kind of colour vision; the dashes tell them apart in print
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_DASHES = ("-", "--", "-.", ":")
_COLOUR_MAP = "viridis"
_NO_SIGNAL = "0.88"

DOTS_PER_INCH = 130
LONGEST_NAME = 48
LONGEST_IN_SECONDS = 180


def picture_format(out: Path) -> str:
    """The format that the name of a picture tells; asked before the work, since it may be that nothing can be drawn.

    Raises:
        UnavailableError: matplotlib is not installed.
        UsageError: `out` names a format that it does not write.
    """
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise UnavailableError("matplotlib, which draws, is not installed; pip install 'musr[plot]'") from error
    suffix = out.suffix[1:].lower()
    if suffix not in FigureCanvasBase.get_supported_filetypes():
        raise UsageError(f"{out}: pictures are written as .png, .pdf or .svg, as the name says")
    return suffix


def draw(panels: Sequence[Panel], out: BinaryIO, format: str, max_hz: float | None = None) -> None:
    """Draw some files.

    Args:
        panels: at least one and at most `MAX_PANELS`.
        out: takes the picture.
        format: its format, as `picture_format` tells it.
        max_hz: highest frequency shown (default: the highest Nyquist frequency).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    top_khz = (max_hz or max(panel.sample_rate / 2 for panel in panels)) / 1000
    rows = -(-len(panels) // PANELS_PER_ROW)
    across = -(-len(panels) // rows)
    figure = Figure(figsize=(max(5.0 * across, 8.0) + 1, 3.4 * rows + 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows + 1, across, height_ratios=[3.4] * rows + [3.0])
    axes = [figure.add_subplot(grid[index // across, index % across]) for index in range(len(panels))]
    _draw_spectrograms(figure, axes, panels, top_khz)
    _draw_spectra(figure.add_subplot(grid[rows, :]), panels, top_khz)
    with warnings.catch_warnings():
        # a file name in a script that the font lacks is no reason for a page of warnings
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(out, dpi=DOTS_PER_INCH, format=format)


def _draw_spectrograms(figure: Any, axes: Sequence[Any], panels: Sequence[Panel], top_khz: float) -> None:
    loudest_db = 5 * math.ceil(max(panel.columns_db.max() for panel in panels) / 5)
    scale = {"cmap": _COLOUR_MAP, "vmin": loudest_db - RANGE_DB, "vmax": loudest_db, "interpolation": "nearest"}
    for index, (axis, panel) in enumerate(zip(axes, panels, strict=True)):
        nyquist_khz = panel.sample_rate / 2000
        extent = (panel.start_s, panel.start_s + panel.seconds, 0, nyquist_khz)
        image = axis.imshow(panel.columns_db, origin="lower", aspect="auto", extent=extent, **scale)
        axis.set_facecolor(_NO_SIGNAL)
        axis.set_ylim(0, top_khz)
        axis.set_title(f"{_name(index, panels)}\n{_about(panel)}", fontsize=10, parse_math=False)
        _label_time(axis, panel)
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("frequency (kHz)")
        if nyquist_khz < top_khz:
            _say_no_signal(axis, nyquist_khz, top_khz)
        if not panel.edge.full_band:
            _mark_edge(axis, panel.edge.cutoff_hz / 1000)
    figure.colorbar(image, ax=list(axes), label="dB, a full-scale sine being 0", pad=0.01)


def _label_time(axis: Any, panel: Panel) -> None:
    if panel.start_s + panel.seconds < LONGEST_IN_SECONDS:
        axis.set_xlabel("time (s)")
        return
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_xlabel("time (min:s)")
    axis.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 1.5, 3, 6]))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: f"{time_s // 60:.0f}:{time_s % 60:02.0f}"))


def _mark_edge(axis: Any, cutoff_khz: float) -> None:
    from matplotlib.patheffects import withStroke

    # white on dark, with a dark rim for bright places
    rim = withStroke(linewidth=2.6, foreground="black")
    axis.axhline(cutoff_khz, color="white", linestyle=(0, (6, 4)), linewidth=1.3, path_effects=[rim])


def _say_no_signal(axis: Any, nyquist_khz: float, top_khz: float) -> None:
    middle = (nyquist_khz + top_khz) / 2 / top_khz
    place = {"transform": axis.transAxes, "ha": "center", "va": "center"}
    axis.text(0.5, middle, "beyond this file's sample rate", fontsize=9, color="0.35", **place)


def _draw_spectra(axis: Any, panels: Sequence[Panel], top_khz: float) -> None:
    lines = []
    for index, panel in enumerate(panels):
        colour = _COLOURS[index % len(_COLOURS)]
        frequency_khz = np.linspace(0, panel.sample_rate / 2000, len(panel.density_db))
        style = _DASHES[index % len(_DASHES)]
        lines += axis.plot(frequency_khz, panel.density_db, color=colour, linestyle=style, linewidth=1.3)
        if not panel.edge.full_band:
            axis.axvline(panel.edge.cutoff_hz / 1000, color=colour, linestyle=style, linewidth=0.8, alpha=0.7)
    top_db = 5 * math.ceil(max(panel.density_db.max() for panel in panels) / 5) + 5
    bottom_db = max(5 * math.floor(min(panel.density_db.min() for panel in panels) / 5), top_db - SPECTRUM_RANGE_DB)
    axis.set_xlim(0, top_khz)
    axis.set_ylim(bottom_db, top_db)
    axis.set_xlabel("frequency (kHz)")
    axis.set_ylabel("power density (dB/Hz)")
    axis.set_title("Long-term spectra; upright lines mark band edges", fontsize=10)
    axis.grid(color="0.9")
    legend = axis.legend(lines, [_name(index, panels) for index in range(len(panels))], fontsize=9, loc="lower left")
    for text in legend.get_texts():
        text.set_parse_math(False)


def _name(index: int, panels: Sequence[Panel]) -> str:
    """A letter and the file's name; with its folder where names alone would be the same."""
    path = panels[index].path
    shared = sum(panel.path.name == path.name for panel in panels) > 1
    name = f"{path.parent.name}/{path.name}" if shared else path.name
    return f"{string.ascii_uppercase[index]}  {name if len(name) <= LONGEST_NAME else '…' + name[1 - LONGEST_NAME :]}"


def _about(panel: Panel) -> str:
    channels = {1: "mono", 2: "stereo"}.get(panel.channels, f"{panel.channels} channels")
    edge = "full band" if panel.edge.full_band else f"band edge {panel.edge.cutoff_hz / 1000:.1f} kHz"
    return f"{panel.sample_rate / 1000:g} kHz, {channels}, {edge}"
