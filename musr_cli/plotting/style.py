"""What all pictures look like: colours, dashes, names of files."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

from musr_cli.plotting.panel import Panel

# Okabe & Ito's colours, told apart with any kind of colour vision; the dashes tell them apart in print
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", "-.", ":")

LEVEL_COLOURS = "viridis"
# red and blue, as far apart for any kind of colour vision, with white between them
SIGNED_COLOURS = "RdBu_r"
# nothing is pale, as on paper; the more, the darker
DEPTH_COLOURS = "magma_r"
NO_SIGNAL = "0.88"

LONGEST_NAME = 48
MOST_INSIDE = 4
"""More lines than these are not named inside their diagram."""

LETTERS_PER_INCH = 9


def line_style(index: int) -> dict[str, str]:
    """Colour and dashes of the line of a file."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)]}


def letter(index: int) -> str:
    """What the picture calls a file."""
    return string.ascii_uppercase[index]


def name(index: int, panels: Sequence[Panel]) -> str:
    """A letter and the file's name; with its folder where names alone would be the same."""
    path = panels[index].path
    shared = sum(panel.path.name == path.name for panel in panels) > 1
    full = f"{path.parent.name}/{path.name}" if shared else path.name
    return f"{letter(index)}  {full if len(full) <= LONGEST_NAME else '…' + full[1 - LONGEST_NAME :]}"


def about(panel: Panel) -> str:
    """Rate, channels and band edge of a file."""
    channels = {1: "mono", 2: "stereo"}.get(panel.channels, f"{panel.channels} channels")
    edge = "full band" if panel.edge.full_band else f"band edge {panel.edge.cutoff_hz / 1000:.1f} kHz"
    return f"{panel.own_rate / 1000:g} kHz, {channels}, {edge}"


def title(axes: Any, *lines: str) -> None:
    """Put lines above a diagram, file names as they are."""
    axes.set_title("\n".join(lines), fontsize=10, parse_math=False)


def legend(axes: Any, lines: Sequence[Any], labels: Sequence[str]) -> None:
    """Name lines where they leave room, or below where they are many; file names as they are."""
    if len(lines) <= MOST_INSIDE:
        box = axes.legend(lines, labels, fontsize=9)
    else:
        across = max(1, int(axes.figure.get_figwidth() * LETTERS_PER_INCH / max(map(len, labels))))
        box = axes.figure.legend(lines, labels, fontsize=9, loc="outside lower center", ncols=min(across, 4))
    for text in box.get_texts():
        text.set_parse_math(False)


def rim(width: float) -> list[Any]:
    """A dark rim, with which a white line shows on any colour."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="black")]
