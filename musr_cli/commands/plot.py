"""`musr plot`: what files hold, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musr_cli.console import Progress, configure, say, warn
from musr_cli.errors import UsageError
from musr_cli.options import Debug, Model, NoProgress, Overwrite, Quiet
from musr_cli.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from musr_cli.plotting.panel import Cut, Excerpt, Panel


class Kind(str, Enum):
    """What is drawn."""

    SPECTROGRAM = "spectrogram"
    DIFFERENCE = "difference"
    SPECTRUM = "spectrum"
    EDGE = "edge"
    PHASE = "phase"
    HOLES = "holes"


class FrequencyScale(str, Enum):
    """How frequencies are spread over an axis."""

    LINEAR = "linear"
    LOG = "log"
    MEL = "mel"


Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="One file or more, each a panel of its own.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="PICTURE", help="Such as out.png; also .pdf and .svg.")]
Start = Annotated[float, typer.Option("--start", metavar="S", min=0.0, help="Second at which to begin.")]
Seconds = Annotated[
    float | None,
    typer.Option("--seconds", metavar="S", min=0.001, help="How much to show (default: all the rest)."),
]
MaxHz = Annotated[
    float | None,
    typer.Option("--max-hz", metavar="HZ", min=1.0, help="Highest frequency (default: the highest that is there)."),
]

KindOption = Annotated[
    Kind,
    typer.Option(
        "--kind",
        help="spectrogram: levels over time, long-term spectra below. difference: further files minus the first. "
        "spectrum: long-term spectra, large. edge: the band edge over time. phase: group delay and frequency. "
        "holes: what encoders left empty.",
    ),
]
ScaleOption = Annotated[FrequencyScale, typer.Option("--scale", help="Of all frequency axes.")]


def plot(
    files: Files,
    *,
    out: Out,
    kind: KindOption = Kind.SPECTROGRAM,
    scale: ScaleOption = FrequencyScale.LINEAR,
    start: Start = 0.0,
    seconds: Seconds = None,
    max_hz: MaxHz = None,
    model: Model = DEFAULT_MODEL,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """Draw what files hold, side by side on common scales.

    musr plot before.wav after.wav -o out.png

    musr plot before.wav after.wav -o out.svg --kind difference --scale mel

    musr plot song.flac -o out.pdf --kind phase --start 30 --seconds 3

    musr plot song.mp3 -o out.png --kind holes --seconds 10

    For differences, files are brought to the highest of their rates, and
    delays up to 50 ms are evened out, and said. Holes are cells of which the
    model expects more than is there. Files of any length are drawn
    in bounded memory; phases say most about a few seconds.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    from musr_cli.audio.files import AtomicFile
    from musr_cli.existing import refuse_existing
    from musr_cli.plotting.figure import View, draw, picture_format
    from musr_cli.plotting.panel import Excerpt

    _refuse_nonsense(files, kind, {"--start": start, "--seconds": seconds, "--max-hz": max_hz})
    picture = picture_format(out)
    refuse_existing(out, overwrite)
    panels = _panels(files, kind, Excerpt(start, seconds), model)
    with AtomicFile(out) as whole:
        draw(panels, whole.file, picture, kind.value, View(scale.value, max_hz))
    say(f"{out}: written")


def _refuse_nonsense(files: Sequence[Path], kind: Kind, numbers: dict[str, float | None]) -> None:
    from musr_cli.plotting.figure import MAX_PANELS

    for option, value in numbers.items():
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{option} {value}: give a finite number")
    if len(files) > MAX_PANELS:
        raise UsageError(f"{len(files)} files are too many for one picture; name up to {MAX_PANELS}")
    if kind is Kind.DIFFERENCE and len(files) < 2:
        raise UsageError(f"{files[0]}: --kind difference compares files with the first; name another one after it")


def _panels(files: Sequence[Path], kind: Kind, excerpt: Excerpt, model: str) -> list[Panel]:
    """Look at all files, and say what had to be done for it."""
    from musr_cli.plotting.panel import read_panel

    panels: list[Panel] = []
    wheres: Sequence[Excerpt | Cut] = _aligned(files, excerpt) if kind is Kind.DIFFERENCE else [excerpt] * len(files)
    with Progress(len(files)) as progress:
        for path, where in zip(files, wheres, strict=True):
            bar = progress.add(path.name, None)
            panels.append(read_panel(path, where, with_parts=kind is Kind.EDGE, with_phase=kind is Kind.PHASE))
            if kind is Kind.HOLES:
                panels[-1] = _with_holes(panels[-1], model)
            progress.remove(bar, panels[-1].seconds)
    shared = max(panel.phase.frames_per_column if panel.phase else 1 for panel in panels)
    if shared > 1:
        say(f"{shared} frames share a column, where their phases mostly cancel; try --start S --seconds 10, or less")
    return panels


def _with_holes(panel: Panel, model: str) -> Panel:
    from musr_cli.engine.holemap import map_holes
    from musr_cli.plotting.panel import add_holes

    return add_holes(panel, partial(map_holes, model=model))


def _aligned(files: Sequence[Path], excerpt: Excerpt) -> Sequence[Cut]:
    from musr_cli.metrics.alignment import MAX_DELAY_S, find_delay
    from musr_cli.plotting.alignment import align

    alignment = align(files, excerpt, find_delay, MAX_DELAY_S)
    for note in alignment.notes:
        warn(note)
    return alignment.cuts
