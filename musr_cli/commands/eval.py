"""`musr eval`: how close restored files come to their originals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musr_cli.console import Progress, configure, emit_json, fail, warn
from musr_cli.errors import MusrError, PartialFailureError
from musr_cli.options import Cutoff, Debug, Json, NoProgress, Overwrite, Quiet, parse_cutoff

if TYPE_CHECKING:
    from musr_cli.metrics.comparison import Cutoff as CutoffHz
    from musr_cli.metrics.pairing import Pairing
    from musr_cli.metrics.report import Results

Reference = Annotated[Path, typer.Argument(metavar="REF", help="The original: a file, or a folder.")]
Estimate = Annotated[
    Path, typer.Argument(metavar="EST", help="What was made of it: a file, or a folder with files of the same names.")
]
Input = Annotated[
    Path | None,
    typer.Option(
        "--input", metavar="LR", show_default=False,
        help="What EST was made from: the given band is compared with it, and its band edge divides the bands.",
    ),
]  # fmt: skip
Csv = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FILE", show_default=False, help="Write all figures, one row for each pair."),
]


def evaluate(
    ref: Reference,
    est: Estimate,
    *,
    input: Input = None,
    cutoff: Cutoff = "auto",
    csv: Csv = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """Measure restored files against their originals.

    Two files, or two folders whose files are matched by name, in any format.
    The table on stdout says how each figure is measured.

    Other rates, mono estimates, delays up to 50 ms and small differences in
    length are evened out, and said. Without --input and --cutoff, the high and
    the given band are not measured apart.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    cutoff_hz = parse_cutoff(cutoff)
    from musr_cli.audio.files import AtomicFile
    from musr_cli.existing import refuse_existing
    from musr_cli.metrics import report
    from musr_cli.metrics.pairing import pair_files

    if csv:
        refuse_existing(csv, overwrite)
    pairing = pair_files(ref, est, input)
    results, problems = _compare(pairing, cutoff_hz)
    if csv:
        with AtomicFile(csv) as whole:
            whole.file.write(report.as_csv(results).encode())
    if as_json:
        emit_json(report.as_json(results, problems))
    elif results:
        sys.stdout.write(report.as_text(results))
    if problems:
        raise _failure(problems, len(results))


def _compare(pairing: Pairing, cutoff: CutoffHz) -> tuple[Results, dict[str, str]]:
    """Figures of the pairs that could be compared, and one line about each name that could not."""
    from musr_cli.metrics.comparison import compare_files

    results: Results = {}
    problems = dict(pairing.problems)
    told: set[str] = set()
    with Progress(len(pairing.pairs)) as progress:
        for pair in pairing.pairs:
            bar = progress.add(pair.name, None)
            try:
                comparison = compare_files(pair.ref, pair.est, pair.input, cutoff)
            except MusrError as error:
                problems[pair.name] = str(error)
                progress.remove(bar, 0.0)
                continue
            results[pair.name] = pair, comparison
            progress.remove(bar, comparison.seconds)
            for note in comparison.notes:
                if note not in told:
                    warn(note)
            told.update(comparison.notes)
    return results, problems


def _failure(problems: dict[str, str], done: int) -> MusrError:
    """What the command ends with: the problem itself where there is one file, else a count after one line for each."""
    if not done and len(problems) == 1:
        return MusrError(*problems.values())
    for problem in problems.values():
        fail(problem)
    count = f"{len(problems)} of {len(problems) + done} files could not be compared"
    return PartialFailureError(count) if done else MusrError(count)
