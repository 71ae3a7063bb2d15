"""The picture: which diagrams each kind has, where they lie and what is written about them; and writing it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from musr_cli.errors import UnavailableError, UsageError
from musr_cli.plotting import style
from musr_cli.plotting.curves import (
    draw_edges,
    draw_hole_shares,
    draw_spectra,
    draw_spectrum_differences,
    draw_track,
)
from musr_cli.plotting.panel import Panel
from musr_cli.plotting.pictures import draw_differences, draw_holes, draw_levels, draw_phases, label_time, mark_edge
from musr_cli.plotting.scales import SCALES, Scale

PANELS_PER_ROW = 3
MAX_PANELS = 12
DOTS_PER_INCH = 130

LEVEL = "dB, a full-scale sine being 0"

_WRITING: Any = {"svg.fonttype": "none", "svg.hashsalt": "musr", "pdf.fonttype": 42}
_UNDATED: Mapping[str, Mapping[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


@dataclass(frozen=True)
class View:
    """How frequencies are shown.

    Attributes:
        scale: a name of `SCALES`.
        max_hz: highest frequency (default: the highest Nyquist frequency).
    """

    scale: str = "linear"
    max_hz: float | None = None


def require_matplotlib() -> None:
    """Ask before the work whether anything can be drawn.

    Raises:
        UnavailableError: matplotlib is not installed.
    """
    try:
        import matplotlib.backend_bases  # noqa: F401
    except ImportError as error:
        raise UnavailableError("matplotlib, which draws, is not installed; pip install 'musr[plot]'") from error


def picture_format(out: Path) -> str:
    """The format that the name of a picture tells; asked before the work, since it may be that nothing can be drawn.

    Raises:
        UnavailableError: matplotlib is not installed.
        UsageError: `out` names a format that it does not write.
    """
    require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    suffix = out.suffix[1:].lower()
    if suffix not in FigureCanvasBase.get_supported_filetypes():
        raise UsageError(f"{out}: pictures are written as .png, .pdf or .svg, as the name says")
    return suffix


def draw(panels: Sequence[Panel], out: BinaryIO, format: str, kind: str = "spectrogram", view: View = View()) -> None:
    """Draw some files.

    Args:
        panels: at least one and at most `MAX_PANELS`, with what the kind needs: two or more on one grid (`align`) for
            "difference", read with their parts for "edge", with their phase for "phase", with their holes for "holes".
        out: takes the picture.
        format: its format, as `picture_format` tells it.
        kind: a name of `KINDS`.
        view: how frequencies are shown.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    top_khz = (view.max_hz or max(panel.sample_rate / 2 for panel in panels)) / 1000
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    KINDS[kind](figure, panels, SCALES[view.scale], top_khz)
    save(figure, out, format)


def save(figure: Any, out: BinaryIO, format: str) -> None:
    """Write a figure of matplotlib: text as text, and equal bytes for equal figures."""
    import matplotlib as mpl

    with mpl.rc_context(_WRITING), warnings.catch_warnings():
        # a file name in a script that the font lacks is no reason for a page of warnings
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(out, dpi=DOTS_PER_INCH, format=format, metadata=_UNDATED.get(format))


def _draw_spectrogram(figure: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    axes, below = _grid(figure, len(panels))
    _say(figure, "Spectrograms and long-term spectra", "Dashed lines mark band edges (−12 dB), where one is found.")
    _bar(figure, axes, draw_levels(axes, panels, scale, top_khz), LEVEL)
    for axis, panel in zip(axes, panels, strict=True):
        if not panel.edge.full_band:
            mark_edge(axis, panel.edge.cutoff_hz / 1000)
    style.title(below, "Long-term spectra")
    draw_spectra(below, panels, scale, top_khz)


def _draw_difference(figure: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    axes, below = _grid(figure, len(panels) - 1)
    _say(figure, "Difference of levels", "Red: louder than A. Blue: quieter than A. White: as loud, or both silent.")
    image = draw_differences(axes, panels, scale, top_khz)
    _bar(figure, axes, image, "dB louder (red) or quieter (blue) than A", extend="both")
    style.title(below, "Differences of long-term spectra")
    draw_spectrum_differences(below, panels, scale, top_khz)


def _draw_spectrum(figure: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    figure.set_size_inches(12, 7)
    _say(figure, "Long-term spectra", "Means over time and channels; upright lines mark band edges.")
    draw_spectra(figure.add_subplot(), panels, scale, top_khz)


def _draw_edge(figure: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    axes, below = _grid(figure, len(panels))
    lengths = sorted({f"{panel.parts[0].end_s - panel.parts[0].start_s:.3g}" for panel in panels}, key=float)
    part = " to ".join(dict.fromkeys((lengths[0], lengths[-1])))
    how = f"−12 dB point of every {part} s; at the Nyquist frequency where no edge is found, faint where unsure."
    _say(figure, "Band edges over time", how)
    _bar(figure, axes, draw_levels(axes, panels, scale, top_khz), LEVEL)
    for axis, panel in zip(axes, panels, strict=True):
        draw_track(axis, panel.parts, color="white", linewidth=1.6, path_effects=style.rim(3.0))
    style.title(below, "Band edges of all files")
    draw_edges(below, panels, scale, top_khz)
    label_time(below, max(panels, key=lambda panel: panel.start_s + panel.seconds))


def _draw_phase(figure: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    rows, across = _rows_and_columns(len(panels))
    figure.set_size_inches(max(5.0 * across, 8.0) + 1, 6.4 * rows + 0.8)
    grid = figure.add_gridspec(2 * rows, across)
    axes = [
        [figure.add_subplot(grid[2 * (index // across) + place, index % across]) for place in (0, 1)]
        for index in range(len(panels))
    ]
    _say(
        figure,
        "Phase of every bin: group delay, and instantaneous frequency",
        "An onset is where red turns blue, a partial where red (below) turns blue (above); grey: hardly any signal.",
    )
    delay, deviation = draw_phases(axes, panels, scale, top_khz)
    for first in range(0, len(panels), across):
        delays, deviations = zip(*axes[first : first + across], strict=True)
        _bar(figure, delays, delay, "ms after the middle of the frame", extend="both")
        _bar(figure, deviations, deviation, "Hz above the middle of the bin", extend="both")


def _draw_holes(figure: Any, panels: Sequence[Panel], scale: Scale, top_khz: float) -> None:
    axes, below = _grid(figure, len(panels))
    how = "Pale: as much as is expected, or more. Dashed lines mark band edges (−12 dB); all is missing above."
    _say(figure, "Holes: what lacks where sound is expected", how)
    _bar(figure, axes, draw_holes(axes, panels, scale, top_khz), "dB below what is expected", extend="max")
    for axis, panel in zip(axes, panels, strict=True):
        if not panel.edge.full_band:
            mark_edge(axis, panel.edge.cutoff_hz / 1000)
    style.title(below, "How often each frequency is empty")
    draw_hole_shares(below, panels, scale, top_khz)


KINDS: Mapping[str, Callable[[Any, Sequence[Panel], Scale, float], None]] = {
    "spectrogram": _draw_spectrogram,
    "difference": _draw_difference,
    "spectrum": _draw_spectrum,
    "edge": _draw_edge,
    "phase": _draw_phase,
    "holes": _draw_holes,
}


def _grid(figure: Any, count: int) -> tuple[list[Any], Any]:
    """Axes for `count` pictures, and for one diagram across below them."""
    rows, across = _rows_and_columns(count)
    figure.set_size_inches(max(5.0 * across, 8.0) + 1, 3.4 * rows + 3.9 + 0.1 * count)
    grid = figure.add_gridspec(rows + 1, across, height_ratios=[3.4] * rows + [3.0])
    axes = [figure.add_subplot(grid[index // across, index % across]) for index in range(count)]
    return axes, figure.add_subplot(grid[rows, :])


def _rows_and_columns(count: int) -> tuple[int, int]:
    rows = math.ceil(count / PANELS_PER_ROW)
    return rows, math.ceil(count / rows)


def _say(figure: Any, what: str, how: str) -> None:
    """What the picture shows and how to read it, above it."""
    figure.suptitle(f"{what}\n{how}", fontsize=11, linespacing=1.5)


def _bar(figure: Any, axes: Sequence[Any], image: Any, label: str, extend: str = "neither") -> None:
    """What the colours of some axes mean, to the right of them."""
    rows = len({axis.get_subplotspec().rowspan.start for axis in axes})
    figure.colorbar(image, ax=list(axes), label=label, pad=0.01, extend=extend, aspect=20 * rows)
