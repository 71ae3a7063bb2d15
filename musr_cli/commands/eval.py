"""`musr eval`: how close restored files come to their originals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musr_cli.console import Canvas, Progress, canvas, configure, emit_json, failure_of, say, show, warn
from musr_cli.errors import UsageError
from musr_cli.failure import Failure
from musr_cli.options import Cutoff, Debug, Jobs, Json, NoProgress, Overwrite, Quiet, parse_cutoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from musr_cli.metrics.batch import Outcome
    from musr_cli.metrics.comparison import How
    from musr_cli.metrics.pairing import Pair
    from musr_cli.metrics.systems import System
    from musr_cli.plotting.terminal import Line

_REPORT = "The report"

Reference = Annotated[Path, typer.Argument(metavar="REF", help="The original: a file, or a folder.")]
Estimates = Annotated[
    list[Path],
    typer.Argument(
        metavar="EST…", help="What was made of it: a file, or a folder with files of the same names; or several."
    ),
]
Input = Annotated[
    Path | None,
    typer.Option(
        "--input", metavar="LR", show_default=False,
        help="What EST was made from: the given band is compared with it, and its band edge divides the bands.",
    ),
]  # fmt: skip
Systems = Annotated[
    bool, typer.Option("--systems", help="Each EST is a system; so it is where there are several anyway.")
]
Also = Annotated[
    list[str],
    typer.Option(
        "--also", metavar="NAME", show_default=False,
        help="Figures that take longer: mrstft, or visqol (opinions as predicted; needs musr[visqol]). Repeatable.",
    ),
]  # fmt: skip
Csv = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", show_default=False, help="Write all figures, one row for each pair."),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="PAGE", show_default=False, rich_help_panel=_REPORT,
        help="Write a page (.html) to read, look at and listen to, in one file.",
    ),
]  # fmt: skip
Clips = Annotated[
    int,
    typer.Option("--clips", metavar="N", min=0, rich_help_panel=_REPORT, help="With sound and picture, worst to best."),
]
ExcerptSeconds = Annotated[
    float,
    typer.Option("--excerpt-s", metavar="S", min=1.0, max=60.0, rich_help_panel=_REPORT, help="Of each: its loudest."),
]


def evaluate(
    ref: Reference,
    est: Estimates,
    *,
    input: Input = None,
    systems: Systems = False,
    cutoff: Cutoff = "auto",
    also: Also = [],  # noqa: B006, Typer makes a new list for each call
    csv: Csv = None,
    report: Report = None,
    clips: Clips = 6,
    excerpt_s: ExcerptSeconds = 8.0,
    jobs: Jobs = 1,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """Measure restored files against their originals.

    Two files, or two folders whose files are matched by name, in any format.
    The table on stdout says how each figure is measured. Several EST are
    compared with each other, in means and in pairs.

    Other rates, mono estimates, delays up to 50 ms and small differences in
    length are evened out, and said. Without --input and --cutoff, the high and
    the given band are not measured apart.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    cutoff_hz = parse_cutoff(cutoff)
    from musr_cli.audio.files import AtomicFile
    from musr_cli.existing import refuse_existing
    from musr_cli.metrics import tables
    from musr_cli.metrics.comparison import How
    from musr_cli.plotting.figure import require_matplotlib

    for written in filter(None, (csv, report)):
        refuse_existing(written, overwrite)
    if report:
        require_matplotlib()
    del systems  # says what several EST are anyway
    drawn_on = None if as_json else canvas()
    how = How(cutoff_hz, _extra(also), by_frequency=bool(report or drawn_on))
    found = _compare(ref, est, input, how, jobs)
    if csv:
        with AtomicFile(csv) as whole:
            whole.file.write(tables.as_csv(found).encode())
    if report:
        from musr_cli.pages.report import build

        with AtomicFile(report) as whole:
            whole.file.write(build(ref, found, clips, excerpt_s).encode())
        say(f"{report}: written, open it in a browser")
    if as_json:
        emit_json(tables.as_json(found))
    elif any(system.results for system in found):
        sys.stdout.write(tables.as_text(found))
        if drawn_on:
            show(_drawing(found, drawn_on))
    _end(found)


def _compare(ref: Path, places: Sequence[Path], input: Path | None, how: How, jobs: int) -> list[System]:
    """Figures of all pairs of all systems that could be compared, and one line about each that could not."""
    from musr_cli.metrics.batch import compare_all
    from musr_cli.metrics.pairing import pair_files
    from musr_cli.metrics.systems import System, name_systems

    if len({place.resolve() for place in places}) < len(places):
        raise UsageError("the same EST is named twice; name each system once")
    systems, tasks = [], []
    for name, place in zip(name_systems(places), places, strict=True):
        pairing = pair_files(ref, place, input)
        systems.append(System(name, problems=dict(pairing.problems)))
        tasks += [(systems[-1], pair) for pair in pairing.pairs]
    with Progress(len(tasks)) as progress:
        compare_all([pair for _, pair in tasks], how, jobs, _Collector(tasks, progress))
    for system in systems:
        # processes finish in any order, and whatever is drawn from results must not depend on it
        system.results = dict(sorted(system.results.items()))
    return systems


def _extra(also: Sequence[str]) -> tuple[str, ...]:
    """Names of the optional metrics that begin as what was asked for."""
    from musr_cli.metrics.registry import METRICS
    from musr_cli.metrics.visqol import require_visqol

    optional = [name for name, metric in METRICS.items() if metric.optional]
    for wanted in also:
        if not any(name.startswith(wanted) for name in optional):
            raise UsageError(f"--also {wanted}: no such figure; there are {', '.join(optional)}")
    chosen = tuple(name for name in optional if any(name.startswith(wanted) for wanted in also))
    if "visqol" in chosen:
        require_visqol()
    return chosen


def _drawing(systems: Sequence[System], drawn_on: Canvas) -> list[Line]:
    """Long-term spectra of the originals and of what each system made, means over clips."""
    from musr_cli.plotting.terminal import TerminalSpectrum, draw_spectra

    known = [(system.name, bands) for system in systems if (bands := system.bands)]
    levels = [("reference", known[0][1].ref_db), *((name, bands.est_db) for name, bands in known)]
    # bands begin half a band above 0 Hz, and end half a band below the end of the spectrum
    nyquist_hz = float(known[0][1].hz[-1] + known[0][1].hz[0])
    spectra = [TerminalSpectrum(name, 10 ** (level_db / 10), nyquist_hz) for name, level_db in levels]
    return draw_spectra(spectra, drawn_on.width, blocks=drawn_on.blocks)


class _Collector:
    """Sorts results by system, moves the bar, and says once what had to be done to files."""

    def __init__(self, tasks: Sequence[tuple[System, Pair]], progress: Progress) -> None:
        self._tasks, self._progress = tasks, progress
        self._told: set[str] = set()

    def finished(self, index: int, outcome: Outcome) -> None:
        """See `metrics.batch.Watcher`."""
        system, pair = self._tasks[index]
        if isinstance(outcome, Failure):
            system.problems[pair.name] = outcome.message
            self._progress.finish()
            return
        system.results[pair.name] = pair, outcome
        self._progress.finish(outcome.seconds)
        for note in outcome.notes:
            if note not in self._told:
                warn(note)
        self._told.update(outcome.notes)


def _end(systems: Sequence[System]) -> None:
    """Tell what was left out."""
    named = [(system.name, problem) for system in systems for problem in system.problems.values()]
    done = sum(len(system.results) for system in systems)
    if named:
        told = [f"{name}: {problem}" if len(systems) > 1 else problem for name, problem in named]
        raise failure_of(told, done, f"{len(named)} of {len(named) + done} files could not be compared")
