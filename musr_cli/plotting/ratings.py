"""Outcomes of listening tests as pictures: ratings as box plots, preferences as divided bars."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from musr_cli.plotting.figure import save
from musr_cli.plotting.style import COLOURS, title

CONTROL = "#999999"
"""Reference, anchors and input, which are not on trial."""

WORDS = ("Bad", "Poor", "Fair", "Good", "Excellent")
"""The five steps of both scales (ITU-T P.800, ITU-R BS.1534-3)."""

NAME_LETTERS = 16
"""In a line below a box; longer names go on in the next."""

BAR_LETTERS = 26
"""That fit above a bar; longer names are cut."""


@dataclass(frozen=True)
class Box:
    """Ratings of one condition.

    Attributes:
        name: of the condition.
        values: all ratings.
        mean: their mean.
        low: lower end of its interval; None where there is none.
        high: its upper end.
        is_system: whether it is on trial.
    """

    name: str
    values: Sequence[float]
    mean: float
    low: float | None
    high: float | None
    is_system: bool


@dataclass(frozen=True)
class Bar:
    """How often one of two systems was preferred.

    Attributes:
        first: the one.
        second: the other.
        share: of the first, from 0 to 1.
        low: lower end of its interval.
        high: its upper end.
        note: what is written above the bar.
    """

    first: str
    second: str
    share: float
    low: float
    high: float
    note: str


@dataclass(frozen=True)
class Caption:
    """What is written around a picture: above it, smaller below that, and how to read it, at the bottom."""

    title: str
    subtitle: str
    how: str


def draw_ratings(
    boxes: Sequence[Box], scale: tuple[float, float], caption: Caption, out: BinaryIO, format: str
) -> None:
    """Box plots of at least one condition beside each other, with their means.

    Args:
        boxes: the conditions.
        scale: lowest and highest rating: (1, 5) or (0, 100).
        caption: what is written around.
        out: takes the picture.
        format: its format, as `picture_format` tells it.
    """
    figure = _figure((max(1.3 * len(boxes) + 2.2, 6.0), 5.2), caption)
    axes = figure.add_subplot()
    title(axes, *textwrap.wrap(caption.subtitle, round(11 * figure.get_figwidth())))
    colours = _colours(boxes)
    drawn = axes.boxplot(
        [list(box.values) for box in boxes],
        widths=0.5,
        patch_artist=True,
        medianprops={"color": "black", "linewidth": 1.6},
        flierprops={"marker": "o", "markersize": 3, "markeredgecolor": "0.4"},
    )
    for patch, colour in zip(drawn["boxes"], colours, strict=True):
        patch.set(facecolor=colour, alpha=0.55)
    for place, (box, colour) in enumerate(zip(boxes, colours, strict=True), start=1):
        _draw_mean(axes, place, box, colour)
    axes.set_xticks(range(1, len(boxes) + 1), [textwrap.fill(box.name, NAME_LETTERS) for box in boxes])
    for label in axes.get_xticklabels():
        label.set_parse_math(False)
    _mark_scale(axes, *scale)
    save(figure, out, format)


def draw_preferences(bars: Sequence[Bar], caption: Caption, out: BinaryIO, format: str) -> None:
    """Bars of at least one pair of systems below each other, each divided where the preferences are.

    Args:
        bars: the pairs.
        caption: what is written around.
        out: takes the picture.
        format: its format, as `picture_format` tells it.
    """
    figure = _figure((8.5, 1.1 * len(bars) + 2.2), caption)
    axes = figure.add_subplot()
    title(axes, *textwrap.wrap(caption.subtitle, 100))
    names = list(dict.fromkeys(name for bar in bars for name in (bar.first, bar.second)))
    colour = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(names)}
    for place, bar in enumerate(bars):
        _draw_bar(axes, place, bar, colour)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(bars) - 0.4, -0.75)
    axes.set_yticks([])
    axes.set_xlabel("preferred, % of answers")
    axes.spines[["top", "left", "right"]].set_visible(False)
    save(figure, out, format)


def _figure(inches: tuple[float, float], caption: Caption) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(textwrap.fill(caption.title, round(9 * inches[0])), fontsize=13).set_parse_math(False)
    figure.supxlabel(textwrap.fill(caption.how, round(15 * inches[0])), fontsize=9, color="0.35").set_parse_math(False)
    return figure


def _colours(boxes: Sequence[Box]) -> list[str]:
    systems = [box.name for box in boxes if box.is_system]
    return [COLOURS[systems.index(box.name) % len(COLOURS)] if box.is_system else CONTROL for box in boxes]


def _draw_mean(axes: Any, place: int, box: Box, colour: str) -> None:
    """A diamond and its interval right of the box, the number beside it."""
    x = place + 0.36
    axes.plot(x, box.mean, marker="D", markersize=6, color=colour, markeredgecolor="black")
    if box.low is not None and box.high is not None:
        reach = [[box.mean - box.low], [box.high - box.mean]]
        axes.errorbar([x], [box.mean], reach, color="black", linewidth=1.2, capsize=5, capthick=1.2)
    digits = 2 if box.mean < 10 else 1
    axes.annotate(f"{box.mean:.{digits}f}", (x, box.mean), (8, 0), textcoords="offset points", va="center", fontsize=9)


def _mark_scale(axes: Any, low: float, high: float) -> None:
    """The words of the scale at its steps (1 to 5), or within its fifths (0 to 100)."""
    margin = 0.04 * (high - low)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlim(0.5, axes.get_xlim()[1] + 0.25)
    step = (high - low) / 5
    is_stepped = high == len(WORDS)
    ticks = [1 + index if is_stepped else low + step * (index + 0.5) for index in range(len(WORDS))]
    edges = ticks if is_stepped else [low + step * index for index in range(len(WORDS) + 1)]
    axes.set_yticks(edges)
    axes.grid(axis="y", color="0.88", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylabel("rating")
    words = axes.secondary_yaxis("right")
    words.set_yticks(ticks, WORDS)
    words.tick_params(length=0)
    for one in (axes, words):
        one.spines[["top", "right"]].set_visible(False)


def _draw_bar(axes: Any, place: int, bar: Bar, colour: dict[str, str]) -> None:
    share = 100 * bar.share
    for left, width, name in ((0.0, share, bar.first), (share, 100 - share, bar.second)):
        axes.barh(place, width, 0.5, left, color=colour[name], alpha=0.6, edgecolor="white")
    axes.plot([50, 50], [place - 0.3, place + 0.3], color="black", linewidth=1, linestyle="--")
    axes.plot([100 * bar.low, 100 * bar.high], [place, place], color="black", linewidth=2, solid_capstyle="butt")
    for end in (bar.low, bar.high):
        axes.plot([100 * end] * 2, [place - 0.1, place + 0.1], color="black", linewidth=2)
    for x, name, told, side in ((0, bar.first, share, "left"), (100, bar.second, 100 - share, "right")):
        short = name if len(name) <= BAR_LETTERS else f"{name[: BAR_LETTERS - 1]}…"
        text = f"{short}  {told:.1f} %" if side == "left" else f"{told:.1f} %  {short}"
        axes.text(x, place - 0.33, text, ha=side, va="bottom", fontsize=10, fontweight="bold", parse_math=False)
    axes.text(50, place - 0.33, bar.note, ha="center", va="bottom", fontsize=9, color="0.3", parse_math=False)
