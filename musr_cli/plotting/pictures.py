"""Diagrams of time and frequency: levels, differences of levels, phases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.plotting import style
from musr_cli.plotting.panel import Panel
from musr_cli.plotting.scales import Scale, levels, strongest

RANGE_DB = 90.0
"""Between the loudest and the darkest colour."""

WIDEST_DIFFERENCE_DB = 40.0
DELAY_RANGE_MS = 12.0
"""About a quarter of the window: what is further from its middle weighs little."""

DEVIATION_RANGE_HZ = 30.0
"""About one and a half bins: a partial shows in the two on each side of it."""

HOLES_RANGE_DB = 40.0
"""What is further below the expected level than this is hardly there."""

PALE_DB = 60.0
"""Below the loudest, phases are those of noise and hardly seen; not at all from `RANGE_DB` on."""

LONGEST_IN_SECONDS = 180
MOST_TICKS = 6
_ROUND_S = (30, 60, 120, 300, 600, 900, 1800, 3600)

Array = NDArray[np.float64]


def draw_levels(axes: Sequence[Any], panels: Sequence[Panel], scale: Scale, top_khz: float) -> Any:
    """A spectrogram in each of `axes`, on one scale of colours; returns the last image."""
    loudest_db = loudest(panels)
    for index, (axis, panel) in enumerate(zip(axes, panels, strict=True)):
        edges, end_khz = scale.bins(len(panel.columns_db), panel.sample_rate / 2000, top_khz)
        image = _show(axis, panel, levels(panel.columns_db, edges), (scale, top_khz, end_khz))
        image.set(cmap=style.LEVEL_COLOURS, clim=(loudest_db - RANGE_DB, loudest_db))
        style.title(axis, style.name(index, panels), style.about(panel))
        if end_khz < top_khz:
            _say_no_signal(axis, scale.fraction(end_khz, top_khz))
    return image


def draw_differences(axes: Sequence[Any], panels: Sequence[Panel], scale: Scale, top_khz: float) -> Any:
    """Levels of all files but the first minus those of the first, on one scale of colours; returns the last image.

    What is more than `RANGE_DB` below the loudest of all files counts as just that: nobody hears by how much silences
    differ.
    """
    edges, end_khz = scale.bins(len(panels[0].columns_db), panels[0].sample_rate / 2000, top_khz)
    first, *others = (levels(np.maximum(panel.columns_db, floor(panels)), edges) for panel in panels)
    widest_db = widest_difference([other - first for other in others], 99)
    for index, (axis, other) in enumerate(zip(axes, others, strict=True), start=1):
        image = _show(axis, panels[index], other - first, (scale, top_khz, end_khz))
        image.set(cmap=style.SIGNED_COLOURS, clim=(-widest_db, widest_db))
        style.title(axis, style.name(index, panels), f"minus {style.name(0, panels)}")
    return image


def draw_phases(axes: Sequence[Sequence[Any]], panels: Sequence[Panel], scale: Scale, top_khz: float) -> list[Any]:
    """The two derivatives of the phase of each file, in pairs of `axes`; returns the last image of each kind.

    A row has the phase of its strongest bin; colours fade to grey where there is little signal.
    """
    images: list[Any] = []
    loudest_db = loudest(panels)
    for index, (pair, panel) in enumerate(zip(axes, panels, strict=True)):
        edges, end_khz = scale.bins(len(panel.columns_db), panel.sample_rate / 2000, top_khz)
        bins = strongest(panel.columns_db, edges)
        level_db = np.take_along_axis(panel.columns_db, bins, axis=0)
        opacity = np.clip((level_db - loudest_db + RANGE_DB) / (RANGE_DB - PALE_DB), 0, 1)
        images = []
        for axis, values, widest, what in _derivatives(pair, panel):
            picture = np.take_along_axis(values, bins, axis=0)
            images.append(_show(axis, panel, picture, (scale, top_khz, end_khz)))
            images[-1].set(cmap=style.SIGNED_COLOURS, clim=(-widest, widest), alpha=opacity)
            style.title(axis, style.name(index, panels), what)
    return images


def draw_holes(axes: Sequence[Any], panels: Sequence[Panel], scale: Scale, top_khz: float) -> Any:
    """How far the cells of each file are below what is expected of them; returns the last image."""
    for index, (axis, panel) in enumerate(zip(axes, panels, strict=True)):
        depth_db = holes_of(panel)
        edges, end_khz = scale.bins(len(depth_db), panel.sample_rate / 2000, top_khz)
        image = _show(axis, panel, levels(depth_db, edges), (scale, top_khz, end_khz))
        image.set(cmap=style.DEPTH_COLOURS, clim=(0, HOLES_RANGE_DB))
        style.title(axis, style.name(index, panels), style.about(panel))
        if end_khz < top_khz:
            _say_no_signal(axis, scale.fraction(end_khz, top_khz))
    return image


def holes_of(panel: Panel) -> Array:
    """Depth of the holes of a panel [bins, columns] in dB."""
    if panel.holes_db is None:
        raise ValueError("a panel that was read without its holes")
    return panel.holes_db


def loudest(panels: Sequence[Panel]) -> float:
    """Level of the loudest point of all spectrograms, rounded up, in dB."""
    return 5.0 * math.ceil(max(float(panel.columns_db.max()) for panel in panels) / 5)


def floor(panels: Sequence[Panel]) -> float:
    """Level below which nothing is told apart, in dB."""
    return loudest(panels) - RANGE_DB


def widest_difference(differences_db: Sequence[Array], percentile: float) -> float:
    """The largest difference to be shown, in dB: a round number that few points exceed, up to a limit."""
    widest_db = max(float(np.percentile(np.abs(difference_db), percentile)) for difference_db in differences_db)
    return min(max(5.0 * math.ceil(widest_db / 5), 5.0), WIDEST_DIFFERENCE_DB)


def mark_edge(axes: Any, cutoff_khz: float) -> None:
    """A dashed line at the band edge."""
    look = {"color": "white", "linestyle": (0, (6, 4)), "linewidth": 1.3}
    axes.axhline(cutoff_khz, path_effects=style.rim(2.6), **look)


def label_time(axes: Any, panel: Panel) -> None:
    """Name the ticks of time: seconds, or minutes where those would be many."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    axes.set_xlim(panel.start_s, panel.start_s + panel.seconds)
    if panel.start_s + panel.seconds < LONGEST_IN_SECONDS:
        axes.set_xlabel("time (s)")
        axes.xaxis.set_major_locator(MaxNLocator(MOST_TICKS, steps=[1, 2, 5, 10]))
        return
    axes.set_xlabel("time (min:s)")
    least_s = panel.seconds / MOST_TICKS
    step_s = next((step_s for step_s in _ROUND_S if step_s >= least_s), 3600 * math.ceil(least_s / 3600))
    axes.xaxis.set_major_locator(MultipleLocator(step_s) if least_s > 5 else MaxNLocator(MOST_TICKS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: f"{time_s // 60:.0f}:{time_s % 60:02.0f}"))


def _derivatives(pair: Sequence[Any], panel: Panel) -> tuple[tuple[Any, Array, float, str], ...]:
    """For each of the two: where it goes, what it is, its widest colour and its name."""
    if panel.phase is None:
        raise ValueError("a panel that was read without its phase")
    return (
        (pair[0], panel.phase.delay_ms, DELAY_RANGE_MS, "group delay"),
        (pair[1], panel.phase.deviation_hz, DEVIATION_RANGE_HZ, "instantaneous frequency"),
    )


def _show(axes: Any, panel: Panel, picture: Array, heights: tuple[Scale, float, float]) -> Any:
    """An image [rows, columns], up to its last frequency, in axes up to their top.

    Its rows are of equal height on the axis already: upwards, its place is given as a fraction of the axis.
    """
    scale, top_khz, end_khz = heights
    extent = (panel.start_s, panel.start_s + panel.seconds, 0, scale.fraction(end_khz, top_khz))
    image = axes.imshow(picture, origin="lower", aspect="auto", extent=extent, transform=axes.get_xaxis_transform())
    axes.set_facecolor(style.NO_SIGNAL)
    scale.set(axes, "y", top_khz)
    label_time(axes, panel)
    if not axes.get_subplotspec().is_first_col():
        axes.set_ylabel("")
    return image


def _say_no_signal(axes: Any, end: float) -> None:
    """What is missing above a fraction of the axis."""
    place = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, (end + 1) / 2, "beyond this file's sample rate", fontsize=9, color="0.35", **place)
