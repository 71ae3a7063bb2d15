"""`musr enhance`: the main job."""

from __future__ import annotations

import dataclasses
import math
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musr_cli import options
from musr_cli.console import Progress, configure, detail, emit_json, fail, minutes, say, speed, table
from musr_cli.errors import FAILED, PARTIAL, UsageError
from musr_cli.settings import DEFAULT_MODEL

if TYPE_CHECKING:
    from musr_cli.engine.batch import FileResult, Note, Request
    from musr_cli.engine.outputs import Plan, Task

Inputs = Annotated[list[str], typer.Argument(metavar="IN...", help="Files, folders, patterns, or - for a pipe.")]
Out = Annotated[str, typer.Argument(metavar="OUT", help="A file, a folder, or - for a pipe.")]

# longer tables are cut down to the files that need a look
TABLE_ROWS = 40


def enhance(
    inputs: Inputs,
    out: Out,
    *,
    model: options.Model = DEFAULT_MODEL,
    ratio: options.Ratio = None,
    rate: options.Rate = None,
    cutoff: options.Cutoff = "auto",
    holes: options.HolesOption = options.Holes.AUTO,
    phase: options.Phase = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.PrecisionOption = options.Precision.AUTO,
    jobs: options.Jobs = 1,
    chunk_s: options.ChunkSeconds = 10.0,
    audio_format: options.Format = None,
    bit_depth: options.BitDepthOption = options.BitDepth.SAME,
    clip: options.ClipOption = options.Clip.WARN,
    overwrite: options.Overwrite = False,
    skip_existing: options.SkipExisting = False,
    recursive: options.Recursive = True,
    glob: options.Glob = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_progress: options.NoProgress = False,
    debug: options.Debug = False,
) -> None:
    """Give a file, a folder or a pipe its high frequencies back.

    musr enhance old.wav new.wav

    musr enhance music/ restored/ --jobs 2

    ffmpeg -i video.mp4 -f wav - | musr enhance - - | aplay

    What the recording still has is left as it is: what lies above its band edge is added, and what an encoder left
    empty below it.
    """
    configure(quiet=quiet, verbose=verbose, progress=not no_progress, debug=debug)
    _refuse_contradictions(ratio, rate, overwrite and skip_existing, as_json and out == "-")
    cutoff_hz = options.parse_cutoff(cutoff)
    from musr_cli.audio.formats import container_named, suffix_of
    from musr_cli.engine.outputs import Existing, Selection, plan_outputs

    container = container_named(audio_format) if audio_format else None
    plan = plan_outputs(
        inputs,
        out,
        selection=Selection(glob, recursive),
        suffix=suffix_of(container) if container else None,
        existing=Existing.REPLACE if overwrite else Existing.SKIP if skip_existing else Existing.REFUSE,
    )
    # what is refused without it should not wait for torch
    from musr_cli.engine.batch import Encoding, Request
    from musr_cli.engine.enhancer import Settings

    settings = Settings(model, ratio, rate, cutoff_hz, phase, device, precision.value, chunk_s, seed, holes.value)
    results = _run(plan, Request(settings, Encoding(container, bit_depth.value, clip.value), dry_run), jobs)
    _tell(results, as_json)


def _refuse_contradictions(ratio: float | None, rate: int | None, both_existing: bool, both_stdout: bool) -> None:
    if ratio is not None and not math.isfinite(ratio):
        raise UsageError(f"--ratio {ratio}: give a number such as 2")
    if ratio is not None and rate is not None:
        raise UsageError("--ratio and --rate both name the output rate; leave one out")
    if both_existing:
        raise UsageError("--overwrite and --skip-existing contradict each other; leave one out")
    if both_stdout:
        raise UsageError("--json and the output '-' both need stdout; leave one out")


def _run(plan: Plan, request: Request, jobs: int) -> list[FileResult]:
    """Results of all files: those left alone, those that could not be looked for, and those that were tried."""
    from musr_cli.engine.batch import FileResult, run_batch

    results = [FileResult(str(task.source), str(task.output), "skipped") for task in plan.skipped]
    for folder, reason in plan.unreadable:
        fail(reason)
        results.append(FileResult(str(folder), "", "failed", (reason,), exit_code=FAILED))
    with Progress(len(plan.tasks)) as progress:
        bars = _Bars(progress, plan.tasks)
        try:
            return results + (run_batch(plan.tasks, request, jobs, bars) if plan.tasks else [])
        except KeyboardInterrupt:
            if len(plan.tasks) > 1:
                say(f"{bars.finished_files} of {len(plan.tasks)} files finished; --skip-existing goes on from there")
            raise


class _Bars:
    """Watches a batch: a bar for each running file, a line for each that needs one."""

    def __init__(self, progress: Progress, tasks: Sequence[Task]) -> None:
        self._progress = progress
        self._tasks = tasks
        self._bars: dict[int, int] = {}
        self.finished_files = 0

    def noted(self, index: int, note: Note) -> None:
        """Move the bar of a file."""
        if index not in self._bars:
            self._bars[index] = self._progress.add(str(self._tasks[index].source), note.audio_s)
        self._progress.update(self._bars[index], note.done_s)

    def finished(self, index: int, result: FileResult) -> None:
        """Take the bar away and say what there is to say."""
        self.finished_files += 1
        if index in self._bars:
            self._progress.remove(self._bars.pop(index), result.audio_s)
        else:
            self._progress.finish()
        if result.status == "failed":
            fail(result.messages[0], result.trace)
            return
        for message in result.messages:
            say(f"{result.source}: {message}")
        detail(f"{result.source}: {', '.join(f'{key} {value}' for key, value in result.details.items() if value)}")
        if len(self._tasks) == 1 or result.status == "planned":
            say(_headline(result))


def _tell(results: Sequence[FileResult], as_json: bool) -> None:
    """The outcome of a batch; leaves with the exit code that it comes to."""
    if as_json:
        emit_json({"files": [_for_json(result) for result in results]})
    failed = [result for result in results if result.status == "failed"]
    if len(results) > 1:
        _print_table(results)
    if not failed:
        return
    if len(results) > 1:
        fail(f"{len(failed)} of {len(results)} files failed")
    codes = {result.exit_code for result in failed}
    raise typer.Exit(PARTIAL if len(failed) < len(results) else codes.pop() if len(codes) == 1 else FAILED)


def _headline(result: FileResult) -> str:
    done = result.details
    parts = [f"{done['input_rate']} → {done['output_rate']} Hz"]
    if "cutoff_hz" in done:
        parts += [f"band edge {done['cutoff_hz']} Hz", f"model {done['model']}", f"phase {done['phase']}"]
    if result.status == "planned":
        return f"{result.source} would become {result.output}: {', '.join(parts)}"
    parts.append(f"{minutes(result.audio_s)} of audio {speed(result.audio_s, result.seconds)}".rstrip())
    return f"{result.output}: {', '.join(parts)}"


def _print_table(results: Sequence[FileResult]) -> None:
    shown = results if len(results) <= TABLE_ROWS else [result for result in results if result.status != "done"]
    common = _common_folder([result.source for result in results])
    table([_row(result, common) for result in shown[:TABLE_ROWS]])
    if len(shown) > TABLE_ROWS:
        say(f"… and {len(shown) - TABLE_ROWS} more (--json lists all)")
    counts = Counter(result.status for result in results)
    audio_s = sum(result.audio_s for result in results)
    say(f"{', '.join(f'{count} {status}' for status, count in counts.items())}; {minutes(audio_s)} of audio")


def _common_folder(paths: Sequence[str]) -> str:
    """With the separator at its end, to be taken off names; empty where there is none."""
    try:
        common = os.path.commonpath([Path(path).parent for path in paths])
    except ValueError:
        # drives differ, or some paths are absolute and some not
        return ""
    return f"{common}{os.sep}" if common else ""


def _row(result: FileResult, common: str) -> dict[str, object]:
    return {
        "file": result.source.removeprefix(common),
        "": result.status,
        "audio": minutes(result.audio_s),
        "× real time": result.audio_s / result.seconds if result.audio_s and result.seconds else None,
        "note": _remark(result),
    }


def _remark(result: FileResult) -> str:
    """What was said of the file when it was finished, without its name and the way out."""
    return "; ".join(message.removeprefix(f"{result.source}: ").partition(";")[0] for message in result.messages)


def _for_json(result: FileResult) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(result).items() if key != "trace"}
