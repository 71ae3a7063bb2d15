"""What people see: messages, tables and bars on stderr. stdout is left to data (audio, JSON, paths)."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import typer
from rich import box, progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

from musr_cli.errors import FAILED, MusrError, PartialFailureError
from musr_cli.failure import explain, one_line

# columns where nobody tells us how many there are (a log, a pipe): wide enough that most paths stay on one line
UNKNOWN_WIDTH = 160
_is_told = sys.stderr.isatty() or "COLUMNS" in os.environ

console = Console(stderr=True, width=None if _is_told else UNKNOWN_WIDTH)


@dataclass
class Verbosity:
    """How much is told; set once by each command from its options."""

    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    debug: bool = False


_verbosity = Verbosity()


def configure(*, quiet: bool = False, verbose: bool = False, progress: bool = True, debug: bool = False) -> None:
    """Apply -q, -v, --no-progress and --debug."""
    _verbosity.quiet, _verbosity.verbose = quiet, verbose
    _verbosity.progress, _verbosity.debug = progress and not quiet, debug


def say(message: str) -> None:
    """One line for people, unless --quiet."""
    if not _verbosity.quiet:
        _print_line(message)


def detail(message: str) -> None:
    """One line for people who asked for more with --verbose."""
    if _verbosity.verbose and not _verbosity.quiet:
        _print_line(message, style="dim")


def warn(message: str) -> None:
    """One line about something that the user should know, unless --quiet."""
    if not _verbosity.quiet:
        _print_line("warning: ", message, style="yellow")


def fail(message: str, trace: str = "") -> None:
    """One line about what went wrong, always; the traceback before it with --debug."""
    if _verbosity.debug and trace:
        console.print(Text(trace), soft_wrap=True)
    _print_line("error: ", message, style="bold red")


def emit_json(value: Any) -> None:
    """Print `value` as JSON on stdout; NaN and infinities become null, which JSON has no words for."""
    print(json.dumps(_json_ready(value), indent=2, allow_nan=False))


def table(rows: Sequence[Mapping[str, object]], title: str | None = None) -> None:
    """Print rows of equal keys as a table, numbers to the right, unless --quiet."""
    if _verbosity.quiet or not rows:
        return
    cells = [[_cell(value) for value in row.values()] for row in rows]
    # names stay on one line, at the cost of remarks, unless they take more than half of the line
    is_short = 2 * max(len(line[0]) for line in cells) <= console.width
    grid = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for place, (name, value) in enumerate(rows[0].items()):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        justify: Literal["left", "right"] = "right" if is_number else "left"
        grid.add_column(name, justify=justify, overflow="fold", no_wrap=is_short and place == 0)
    for line in cells:
        grid.add_row(*map(Text, line))
    console.print(grid)


@dataclass(frozen=True)
class Canvas:
    """What can be drawn on: columns of a terminal, and whether Unicode's blocks and signs can be shown there."""

    width: int
    blocks: bool


def canvas() -> Canvas | None:
    """The terminal behind stdout; None where that is none (a file, a pipe), and with --quiet: nobody wants to look."""
    if _verbosity.quiet or not sys.stdout.isatty():
        return None
    page = Console()
    return Canvas(page.width, _can_encode("▁█┊▲−", page.encoding))


def show(lines: Sequence[Sequence[tuple[str, str]]]) -> None:
    """Print a drawing, lines of (text, style) as `plotting.terminal` makes them, on stdout."""
    page = Console(highlight=False)
    for line in lines:
        page.print(Text.assemble(*line), soft_wrap=True)


def failure_of(problems: Sequence[str], done: int, count: str) -> MusrError:
    """What a batch ends with: the problem itself where there is one file, else a count after one line for each.

    Args:
        problems: one line each; at least one.
        done: how many files went well.
        count: the line about them all.
    """
    if not done and len(problems) == 1:
        return MusrError(*problems)
    for problem in problems:
        fail(problem)
    return PartialFailureError(count) if done else MusrError(count)


@contextlib.contextmanager
def report_errors(debug: bool = False) -> Iterator[None]:
    """Turn whatever escapes into one line on stderr and an exit code. Every command runs inside."""
    try:
        yield
    except typer.Exit:
        raise
    except BrokenPipeError:
        _abandon_stdout()
        raise SystemExit(FAILED) from None
    except (Exception, KeyboardInterrupt) as error:
        _verbosity.debug |= debug
        # nobody is ever asked anything, so an abort is what older versions of Typer make of Ctrl-C
        raise SystemExit(_report(KeyboardInterrupt() if isinstance(error, typer.Abort) else error)) from None


class Progress:
    """Bars on stderr: one per running file, and one for all where there are several. Silent without a terminal."""

    def __init__(self, files: int = 1) -> None:
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.TextColumn("{task.fields[amount]}", justify="right"),
            progress.TextColumn("{task.fields[speed]}", justify="right", style="cyan"),
            progress.TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not (_verbosity.progress and console.is_terminal),
        )
        self._files = files
        self._total = self._bars.add_task("all files", total=files, amount="", speed="", visible=files > 1)
        self._finished_s = 0.0
        self._running_s: dict[int, float] = {}
        self._show_total()

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def add(self, name: str, duration_s: float | None) -> int:
        """A bar for one file (None: of unknown length); returns its number."""
        label = name if len(name) <= 40 else f"…{name[-39:]}"
        return int(self._bars.add_task(one_line(label), total=duration_s, amount="", speed=""))

    def update(self, bar: int, done_s: float) -> None:
        """Move a bar to `done_s` seconds of audio."""
        task = self._task(progress.TaskID(bar))
        amount = minutes(done_s) if task.total is None else f"{minutes(done_s)}/{minutes(task.total)}"
        self._bars.update(task.id, completed=done_s, amount=amount, speed=speed(done_s, task.elapsed))
        self._running_s[bar] = done_s
        self._show_total()

    def remove(self, bar: int, audio_s: float) -> None:
        """Take a bar away; its file is finished, with `audio_s` seconds of audio."""
        self._bars.remove_task(progress.TaskID(bar))
        self._running_s.pop(bar, None)
        self.finish(audio_s)

    def finish(self, audio_s: float = 0.0) -> None:
        """Count one file as finished."""
        self._finished_s += audio_s
        self._bars.advance(self._total)
        self._show_total()

    def _show_total(self) -> None:
        task = self._task(self._total)
        audio_s = self._finished_s + sum(self._running_s.values())
        amount = f"{task.completed:.0f}/{self._files} files"
        self._bars.update(task.id, amount=amount, speed=speed(audio_s, task.elapsed))

    def _task(self, number: progress.TaskID) -> progress.Task:
        return self._bars.tasks[self._bars.task_ids.index(number)]


def minutes(seconds: float) -> str:
    """75.2 → "1:15"."""
    whole = int(seconds)
    clock = f"{whole // 60 % 60}:{whole % 60:02d}"
    return clock if whole < 3600 else f"{whole // 3600}:{clock:0>5}"


def speed(audio_s: float, elapsed_s: float | None) -> str:
    """ "85 × real time", or nothing before there is anything to say."""
    return f"{audio_s / elapsed_s:.3g} × real time" if audio_s and elapsed_s else ""


def _print_line(*parts: str, style: str = "") -> None:
    # only the first part is coloured; file names may hold brackets and line breaks, so nothing is parsed as markup
    first, *rest = (one_line(part) for part in parts)
    console.print(Text.assemble((first, style), *rest), soft_wrap=True)


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))


def _json_ready(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(item) for item in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    # numpy scalars have item(); everything else (paths, enums) is told as text
    return _json_ready(value.item()) if hasattr(value, "item") else str(value)


def _report(error: BaseException) -> int:
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        # an error of the option parser, whose class moved from click into typer
        fail(f"{' '.join(error.format_message().split())} ('{_command_path(error)} --help' lists what there is)")
        return int(error.exit_code)
    failure = explain(error)
    fail(failure.message, failure.trace)
    return failure.exit_code


def _command_path(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "musr"


def _abandon_stdout() -> None:
    # whoever read our output is gone: without this, Python would complain once more when it flushes stdout at exit
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
