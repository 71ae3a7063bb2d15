"""`musr listen`: which version people prefer, and how sure that is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musr_cli.console import Progress, configure, emit_json, failure_of, say, warn
from musr_cli.errors import MusrError, UsageError
from musr_cli.options import Debug, Json, NoProgress, Overwrite, Quiet

if TYPE_CHECKING:
    from musr_cli.listening.design import Design
    from musr_cli.listening.outcome import Outcome
    from musr_cli.listening.recordings import Drawn, Recordings

PAGE_SUFFIXES = (".html", ".htm")

ANCHOR_HZ = 3500.0
"""ITU-R BS.1534-3, low anchor; its mid anchor has 7000 Hz."""


class Kind(str, Enum):
    """What listeners do."""

    AB = "ab"
    MOS = "mos"
    MUSHRA = "mushra"


_ASKED = "What is asked"
_SERVED = "On this machine"
_EVALUATED = "Results"

Places = Annotated[
    list[Path],
    typer.Argument(
        metavar="DIR…",
        help="A folder (or file) for each system, with files of the same names; a page that was made, with --serve; "
        "or results, with --analyse.",
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference", metavar="DIR", show_default=False,
        help="The originals: rated against, and hidden among the versions; in an AB test only there to be heard.",
    ),
]  # fmt: skip
Input = Annotated[
    Path | None,
    typer.Option("--input", metavar="DIR", show_default=False, help="What was restored: rated as well."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", show_default=False,
        help="The page, such as test.html; with --analyse a picture, such as test.png, also .pdf and .svg.",
    ),
]  # fmt: skip
Test = Annotated[
    Kind,
    typer.Option(
        "--test", rich_help_panel=_ASKED,
        help="ab: which of two is better. mos: each version by itself, 1 to 5 against the reference. mushra: all "
        "versions at once, 0 to 100.",
    ),
]  # fmt: skip
Clips = Annotated[
    int,
    typer.Option("--clips", metavar="N", min=1, rich_help_panel=_ASKED, help="That count; one more is for practice."),
]
Seconds = Annotated[
    float,
    typer.Option("--seconds", metavar="S", min=1.0, max=60.0, rich_help_panel=_ASKED, help="Of each: its loudest."),
]
Anchor = Annotated[
    list[float] | None,
    typer.Option(
        "--anchor", metavar="HZ", min=20.0, rich_help_panel=_ASKED, show_default=False,
        help="Low-passed reference of a MUSHRA test (default: 3500; twice for two, such as 3500 and 7000).",
    ),
]  # fmt: skip
Title = Annotated[
    str | None, typer.Option("--title", metavar="TEXT", rich_help_panel=_ASKED, show_default=False, help="Of the page.")
]
Question = Annotated[
    str | None,
    typer.Option(
        "--question", metavar="TEXT", rich_help_panel=_ASKED, show_default=False,
        help="Asked about each item (default: which has fewer artifacts, or how close it comes).",
    ),
]  # fmt: skip
Seed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, rich_help_panel=_ASKED, help="Of the clips that are drawn.")
]
Serve = Annotated[
    bool,
    typer.Option(
        "--serve", rich_help_panel=_SERVED, help="Show the page on 127.0.0.1, and collect results; Ctrl-C ends."
    ),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", metavar="N", min=1, max=65535, rich_help_panel=_SERVED, show_default=False,
        help="The same each time lets listeners go on after a break (default: any).",
    ),
]  # fmt: skip
Folder = Annotated[
    Path | None,
    typer.Option(
        "--results", metavar="DIR", rich_help_panel=_SERVED, show_default=False,
        help="Where they go (default: a folder beside the page).",
    ),
]  # fmt: skip
Analyse = Annotated[
    bool, typer.Option("--analyse", rich_help_panel=_EVALUATED, help="Evaluate results: files, or folders of them.")
]
KeepAll = Annotated[
    bool,
    typer.Option("--keep-all", rich_help_panel=_EVALUATED, help="Count those who miss the hidden reference too."),
]
Csv = Annotated[
    Path | None,
    typer.Option(
        "--csv", metavar="FILE", rich_help_panel=_EVALUATED, show_default=False, help="Write all answers, one a row."
    ),
]


def listen(
    places: Places,
    *,
    reference: Reference = None,
    input: Input = None,
    out: Out = None,
    test: Test = Kind.AB,
    clips: Clips = 10,
    seconds: Seconds = 5.0,
    anchor: Anchor = None,
    title: Title = None,
    question: Question = None,
    seed: Seed = 0,
    serve: Serve = False,
    port: Port = None,
    results: Folder = None,
    analyse: Analyse = False,
    keep_all: KeepAll = False,
    csv: Csv = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
    no_progress: NoProgress = False,
    debug: Debug = False,
) -> None:
    """Make a listening test, or evaluate its results.

    musr listen restored-a/ restored-b/ -o test.html

    musr listen restored-a/ restored-b/ --reference originals/ --test mushra -o test.html --serve

    musr listen test.html --serve --results results/

    musr listen --analyse results/ -o figure.png

    The page is one file, which opens from disk: blind, in random order, with
    all versions of a clip equally loud. Its last screen saves the results.
    """
    configure(quiet=quiet, progress=not no_progress, debug=debug)
    making = {"--reference": reference, "--input": input, "--anchor": anchor, "--title": title, "--question": question}
    serving = {"--serve": serve, "--port": port, "--results": results}
    if analyse:
        _refuse({**making, **serving}, "has nothing to do with results; leave it or --analyse out")
        _evaluate(places, out, csv, as_json=as_json, keep_all=keep_all, overwrite=overwrite)
        return
    _refuse({"--keep-all": keep_all, "--csv": csv, "--json": as_json}, "is for results; add --analyse")
    if not serve:
        _refuse(serving, "is for a page that is shown; add --serve")
    if len(places) == 1 and places[0].suffix.lower() in PAGE_SUFFIXES:
        _refuse({**making, "--out": out}, f"makes a test, but {places[0]} is one already; leave it out")
        if not serve:
            raise UsageError(f"{places[0]}: open this page in a browser; or add --serve, which also collects results")
        _serve(places[0], port, results)
        return
    asked = _Asked(test, title, question, clips, seconds, seed)
    failure = _make(places, reference, input, anchor, asked, _page_name(out, overwrite))
    if serve and out:
        _serve(out, port, results)
    if failure:
        raise failure


@dataclass(frozen=True)
class _Asked:
    """Options of a test that name no folder."""

    kind: Kind
    title: str | None
    question: str | None
    clips: int
    seconds: float
    seed: int


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Options that were given but say nothing here."""
    for name, value in options.items():
        if value is not None and value is not False:
            raise UsageError(f"{name} {why}")


def _page_name(out: Path | None, overwrite: bool) -> Path:
    from musr_cli.existing import refuse_existing

    if out is None:
        raise UsageError("nowhere to write the test to; name its page, such as --out test.html")
    if out.suffix.lower() not in PAGE_SUFFIXES:
        raise UsageError(f"{out}: browsers open pages by their names; give one that ends in .html")
    refuse_existing(out, overwrite)
    return out


def _make(
    places: Sequence[Path],
    reference: Path | None,
    input: Path | None,
    anchor: Sequence[float] | None,
    asked: _Asked,
    page: Path,
) -> MusrError | None:
    """Write the page; returns what to end with where some recordings were left out."""
    from musr_cli.audio.files import AtomicFile
    from musr_cli.listening.design import build
    from musr_cli.listening.recordings import Sources, find_recordings, make_design

    if anchor and asked.kind is not Kind.MUSHRA:
        raise UsageError(f"--anchor: only a MUSHRA test has anchors; leave it out, or add --test {Kind.MUSHRA.value}")
    anchors_hz = tuple(dict.fromkeys(anchor or [ANCHOR_HZ])) if asked.kind is Kind.MUSHRA else ()
    sources = Sources(tuple(places), reference, input, anchors_hz)
    design = make_design(asked.kind.value, sources, asked.title, asked.question)
    recordings = find_recordings(design, sources)
    drawn = _draw(design, recordings, anchors_hz, asked)
    problems = {**recordings.problems, **drawn.problems}
    if not drawn.cuts:
        return _failure(problems, 0)
    text = build(design, drawn.cuts, asked.seed).encode()
    with AtomicFile(page) as whole:
        whole.file.write(text)
    _tell(page, design, drawn, asked, len(text))
    return _failure(problems, len(drawn.cuts)) if problems else None


def _draw(design: Design, recordings: Recordings, anchors_hz: Sequence[float], asked: _Asked) -> Drawn:
    """Draw and cut clips, with a bar, and say what it took."""
    from musr_cli.listening.recordings import draw_clips

    wanted = min(asked.clips + 1, len(recordings.files))
    with Progress(wanted) as progress:
        bars: list[int] = []

        def reading(name: str) -> None:
            for bar in bars:
                progress.remove(bar, 0.0)
            bars[:] = [progress.add(name, None)]

        drawn = draw_clips(
            design, recordings, anchors_hz, clips=asked.clips, seconds=asked.seconds, seed=asked.seed, progress=reading
        )
    for note in dict.fromkeys(note for cut in drawn.cuts for note in cut.notes):
        warn(note)
    return drawn


def _tell(page: Path, design: Design, drawn: Drawn, asked: _Asked, size: int) -> None:
    """What was made, and what it asks of listeners."""
    from musr_cli.listening.design import minutes_of, plan_trials

    trials = plan_trials(design, [cut.name for cut in drawn.cuts])
    practice = sum(trial.is_practice for trial in trials)
    minutes = minutes_of(design, trials, asked.seconds)
    if len(drawn.cuts) == 1:
        warn("there is only one recording, and so nothing to practise with")
    elif len(drawn.cuts) <= asked.clips:
        say(f"{len(drawn.cuts)} recordings are there: {len(drawn.cuts) - 1} count, one is for practice")
    say(
        f"{page}: written: {design.kind.upper()} test, {len(trials)} screens, {practice} of them for practice, about "
        f"{minutes} min a listener, {size / 1e6:.1f} MB; open it in a browser"
    )


def _failure(problems: Mapping[str, str], done: int) -> MusrError:
    """What the command ends with."""
    if not problems:
        return MusrError("the folders have no recording in common; files are matched by name")
    count = f"{len(problems)} of {len(problems) + done} recordings could not be used"
    return failure_of([*problems.values()], done, count)


def _serve(page: Path, port: int | None, folder: Path | None) -> None:
    """Show a page until Ctrl-C."""
    from musr_cli.audio.files import failure
    from musr_cli.listening.design import asked_by
    from musr_cli.listening.server import Collector, Server

    try:
        content = page.read_bytes()
    except OSError as error:
        raise failure(page, "read", error) from error
    test_id = asked_by(content.decode(errors="replace"))
    if test_id is None:
        raise MusrError(
            f"{page}: not the page of a listening test; make one with musr listen DIR… --out {page.stem}.html"
        )
    collector = Collector(folder or page.with_name(f"{page.stem}-results"), test_id, say)
    with Server(content, collector, port or 0) as server:
        say(f"{server.url} shows the test on this machine; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    count = len(collector.saved)
    say(
        f"{collector.folder}: {count} {'result' if count == 1 else 'results'} collected"
        + _next_step(collector.folder, count)
    )


def _next_step(folder: Path, count: int) -> str:
    return f"; musr listen --analyse {folder} evaluates them" if count else ""


def _evaluate(
    places: Sequence[Path], out: Path | None, csv: Path | None, *, as_json: bool, keep_all: bool, overwrite: bool
) -> None:
    from musr_cli.audio.files import AtomicFile
    from musr_cli.existing import refuse_existing
    from musr_cli.listening import tables
    from musr_cli.listening.outcome import evaluate_sessions
    from musr_cli.listening.results import find_results, read_sessions

    picture = _picture_format(out)
    for written in filter(None, (out, csv)):
        refuse_existing(written, overwrite)
    collection = read_sessions(find_results(places))
    outcome = evaluate_sessions(collection, keep_all=keep_all)
    notes = [*collection.notes, *filter(None, [tables.screening_note(outcome)])]
    for note in notes:
        warn(note)
    if csv:
        with AtomicFile(csv) as whole:
            whole.file.write(tables.as_csv(outcome).encode())
    if out:
        _draw_outcome(outcome, out, picture)
    if as_json:
        emit_json(tables.as_json(outcome, notes))
    else:
        sys.stdout.write(tables.as_text(outcome))


def _picture_format(out: Path | None) -> str:
    from musr_cli.plotting.figure import picture_format

    return picture_format(out) if out else ""


def _draw_outcome(outcome: Outcome, out: Path, picture: str) -> None:
    from musr_cli.audio.files import AtomicFile
    from musr_cli.listening.picture import draw_outcome

    with AtomicFile(out) as whole:
        draw_outcome(outcome, whole.file, picture)
    say(f"{out}: written")
