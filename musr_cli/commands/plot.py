"""`musr plot`: what files hold, side by side."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from musr_cli.console import Progress, configure, say
from musr_cli.errors import UsageError
from musr_cli.options import Debug, NoProgress, Overwrite, Quiet

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


def plot(
    files: Files,
    *,
    out: Out,
    start: Start = 0.0,
    seconds: Seconds = None,
    max_hz: MaxHz = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """Draw spectrograms side by side, long-term spectra below, on common scales.

    A dashed line marks the band edge where one is found.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    from musr_cli.audio.files import AtomicFile
    from musr_cli.existing import refuse_existing
    from musr_cli.plotting.figure import MAX_PANELS, draw, picture_format
    from musr_cli.plotting.panel import Excerpt, read_panel

    for option, value in (("--start", start), ("--seconds", seconds), ("--max-hz", max_hz)):
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{option} {value}: give a finite number")
    if len(files) > MAX_PANELS:
        raise UsageError(f"{len(files)} files are too many for one picture; name up to {MAX_PANELS}")
    picture = picture_format(out)
    refuse_existing(out, overwrite)
    panels = []
    with Progress(len(files)) as progress:
        for path in files:
            bar = progress.add(path.name, None)
            panels.append(read_panel(path, Excerpt(start, seconds)))
            progress.remove(bar, panels[-1].seconds)
    with AtomicFile(out) as whole:
        draw(panels, whole.file, picture, max_hz)
    say(f"{out}: written")
