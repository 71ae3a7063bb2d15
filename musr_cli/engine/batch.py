"""From tasks to files: one after the other in this process, or several at a time in worker processes."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch

from musr_cli.audio.formats import AudioInfo, container_of, subtype_for
from musr_cli.audio.reading import open_source
from musr_cli.audio.writing import AudioWriter, Clip
from musr_cli.engine.enhancer import Enhancer, Job, Settings
from musr_cli.engine.outputs import Task
from musr_cli.errors import FAILED
from musr_cli.failure import Failure, explain
from musr_cli.workers import Notify, work_off

# notes about progress are sent at most this often
NOTE_EVERY_S = 0.1

Status = Literal["done", "untouched", "skipped", "planned", "failed"]


@dataclass(frozen=True)
class Encoding:
    """How outputs are written.

    Attributes:
        container: "WAV", "FLAC", … as `audio.formats` names them; None for what the output's name says.
        bit_depth: "same" (as the input), "16", "24", "32" or "float".
        clip: "warn", "rescale" or "none".
    """

    container: str | None = None
    bit_depth: str = "same"
    clip: Clip = "warn"


@dataclass(frozen=True)
class Request:
    """What is to be done to every file of a batch; `dry_run` stops before anything is written."""

    settings: Settings
    encoding: Encoding = Encoding()
    dry_run: bool = False


@dataclass(frozen=True)
class Note:
    """How far a file is: seconds done, and of how many (None: a pipe, which does not say)."""

    done_s: float
    audio_s: float | None


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes:
        source: path or "-".
        output: path or "-".
        status: "untouched": written, but there was no band to fill; "planned": a dry run.
        messages: what people should know, one line each; of a failed file, why.
        audio_s: seconds of audio.
        seconds: time that it took.
        details: what was done, ready for JSON.
        exit_code: what a command that fails with this file alone exits with.
        trace: traceback of a failed file.
    """

    source: str
    output: str
    status: Status
    messages: tuple[str, ...] = ()
    audio_s: float = 0.0
    seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0
    trace: str = ""


class Watcher(Protocol):
    """Whom a batch tells how it gets on; files go by their index in the list of tasks."""

    def noted(self, index: int, note: Note) -> None:
        """A file has begun, or got on."""

    def finished(self, index: int, result: FileResult) -> None:
        """A file is done, or failed."""


def run_batch(tasks: Sequence[Task], request: Request, jobs: int, watcher: Watcher) -> list[FileResult]:
    """Make all files, `jobs` at a time; a file that fails does not stop the others.

    Raises:
        MusrError: nothing can be done at all (unknown model, missing device).
        KeyboardInterrupt: passed on; files that were done stay, nothing partial is left.
    """
    collector = _Collector(tasks, watcher)
    if min(jobs, len(tasks)) > 1:
        threads = max(1, (os.cpu_count() or 1) // min(jobs, len(tasks)))
        work_off(tasks, jobs, _SetUp(request, threads), collector)
        return collector.in_order()
    work = FileWork(request)
    for index, task in enumerate(tasks):
        collector.finished(index, work(task, functools.partial(collector.noted, index)))
    return collector.in_order()


class FileWork:
    """Makes one file after another with one enhancer, whose networks stay loaded."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._enhancer = Enhancer(request.settings)

    def __call__(self, task: Task, notify: Notify) -> FileResult:
        """Make one file; whatever goes wrong with it is in the result."""
        started = time.perf_counter()
        try:
            result = self._make(task, notify)
        except Exception as error:
            result = _failed(task, explain(error))
        return dataclasses.replace(result, seconds=time.perf_counter() - started)

    def _make(self, task: Task, notify: Notify) -> FileResult:
        container = self._request.encoding.container or container_of(task.output)
        with open_source(task.source) as source:
            progress = _Progress(source.info.duration_s, notify)
            job = self._enhancer.prepare(source)
            if self._request.dry_run:
                return _result(task, job, "planned", progress.audio_s or 0.0)
            with self._open_writer(task, container, source.info, job) as writer:
                self._enhancer.run(job, source, writer.write, progress)
        status: Status = "untouched" if job.untouched else "done"
        return _result(task, job, status, progress.done_s, _about_level(writer, self._request.encoding.clip))

    def _open_writer(self, task: Task, container: str, info: AudioInfo, job: Job) -> AudioWriter:
        encoding = self._request.encoding
        return AudioWriter(
            task.output,
            job.sample_rate,
            info.channels,
            container,
            subtype_for(container, encoding.bit_depth, info.subtype),
            tags=info.tags,
            clip=encoding.clip,
            make_parents=True,
        )


@dataclass(frozen=True)
class _SetUp:
    """Makes the work of a worker process; the cores are shared out among the workers."""

    request: Request
    threads: int

    def __call__(self) -> FileWork:
        torch.set_num_threads(self.threads)
        return FileWork(self.request)


class _Progress:
    """Sends notes of how far a file is, a few per second."""

    def __init__(self, audio_s: float | None, notify: Notify) -> None:
        self.audio_s = audio_s
        self.done_s = 0.0
        self._notify = notify
        self._next = 0.0
        self(0.0)

    def __call__(self, done_s: float) -> None:
        self.done_s = done_s
        now = time.monotonic()
        if now >= self._next:
            self._next = now + NOTE_EVERY_S
            self._notify(Note(done_s, self.audio_s))


class _Collector:
    """Keeps the results and passes everything on."""

    def __init__(self, tasks: Sequence[Task], watcher: Watcher) -> None:
        self._tasks = tasks
        self._watcher = watcher
        self._results: dict[int, FileResult] = {}

    def in_order(self) -> list[FileResult]:
        return [self._results[index] for index in range(len(self._tasks))]

    def noted(self, index: int, note: Note) -> None:
        self._watcher.noted(index, note)

    def finished(self, index: int, result: FileResult) -> None:
        self._results[index] = result
        self._watcher.finished(index, result)

    def lost(self, index: int, item: Task) -> None:
        way_out = "its process was killed or ran out of memory; try fewer --jobs or a smaller --chunk-s"
        self.finished(index, _failed(item, Failure(way_out, FAILED)))


def _result(task: Task, job: Job, status: Status, audio_s: float, about_level: tuple[str, ...] = ()) -> FileResult:
    messages = ((job.untouched,) if job.untouched else ()) + tuple(job.summary["warnings"]) + about_level
    return FileResult(str(task.source), str(task.output), status, messages, audio_s, details=job.summary)


def _about_level(writer: AudioWriter, clip: Clip) -> tuple[str, ...]:
    if writer.gain_db:
        return (f"lowered by {-writer.gain_db:.1f} dB as a whole, so that no peak is cut",)
    if writer.clipped and clip == "warn":
        over_db = 20 * math.log10(writer.peak)
        way_out = "--clip rescale lowers the file, --bit-depth float keeps them"
        return (f"{writer.clipped} samples above full scale (by up to {over_db:.1f} dB) are clipped; {way_out}",)
    return ()


def _failed(task: Task, failure: Failure) -> FileResult:
    source, output = str(task.source), str(task.output)
    # a line that names neither file would be of no use in a batch
    is_named = source in failure.message or output in failure.message
    message = failure.message if is_named else f"{source}: {failure.message}"
    return FileResult(source, output, "failed", (message,), exit_code=failure.exit_code, trace=failure.trace)
