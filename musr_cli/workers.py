"""A few processes that work off a list. Each is set up once, and may die without taking the rest along.

parent ── item ──▶ worker      one pipe per worker, and nothing else shared:
parent ◀── note ── worker      a worker that dies closes its end: its item is lost, a new worker takes over;
parent ◀─ result ─ worker      a parent that dies or stops closes the other: the worker cleans up and leaves
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from musr_cli.errors import UNAVAILABLE, USAGE, MusrError, UnavailableError, UsageError
from musr_cli.failure import Failure, explain

# sends a note (anything picklable) from a worker to the parent
Notify = Callable[[Any], None]
# what a worker does with one item; items and results are picklable
Work = Callable[[Any, Notify], Any]
# makes the work, once in each process; picklable
SetUp = Callable[[], Work]

# how long a worker that was told to stop may take to clean up; one chunk of a slow model takes seconds
GRACE_S = 20.0
# how often it is told within that time
TRIES = 4

# spawn is what every platform has, and the only one that is safe once torch has started its threads
_CONTEXT = multiprocessing.get_context("spawn")

# what a worker sends: (kind, content)
_NOTE, _RESULT, _REFUSED, _DIED = "note", "result", "refused", "died"


class Listener(Protocol):
    """Whom the parent tells, by the item's index in the list."""

    def noted(self, index: int, note: Any) -> None:
        """A note from the work on an item."""

    def finished(self, index: int, result: Any) -> None:
        """The result of an item."""

    def lost(self, index: int, item: Any) -> None:
        """The process died that worked on an item (killed, out of memory)."""


def work_off(items: Sequence[Any], jobs: int, set_up: SetUp, listener: Listener) -> None:
    """Work off `items` in at most `jobs` processes.

    Raises:
        MusrError: `set_up` failed, so that no item could be done.
    """
    crew = _Crew(items, set_up, listener)
    try:
        crew.run(jobs)
    finally:
        crew.dismiss()


class _Worker:
    """One process and its pipe, seen from the parent."""

    def __init__(self, set_up: SetUp) -> None:
        self.pipe, far_end = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(far_end, set_up), daemon=True)
        with _ignoring_interrupts():
            self._process.start()
        # the worker's own copy must be the only one left, so that its death closes the pipe
        far_end.close()
        self.index: int | None = None

    def give(self, index: int, item: Any) -> None:
        """Hand over an item."""
        self.index = index
        # a worker that has died meanwhile is noticed when its pipe is read
        with contextlib.suppress(OSError):
            self.pipe.send(item)

    def hear(self) -> tuple[str, Any]:
        """What it sent, or that it died."""
        try:
            kind, content = self.pipe.recv()
        except (EOFError, OSError):
            return _DIED, None
        return kind, content

    def stop(self) -> None:
        """End the process; what it was writing is cleaned up."""
        self.pipe.close()
        for _ in range(TRIES if self.index is not None and os.name == "posix" else 0):
            # once more, since libraries swallow what is raised while they call back
            self._process.terminate()
            self._process.join(GRACE_S / TRIES)
            if not self._process.is_alive():
                break
        self._process.join(GRACE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class _Crew:
    """The workers, and the items that still wait for one."""

    def __init__(self, items: Sequence[Any], set_up: SetUp, listener: Listener) -> None:
        self._items = items
        self._set_up = set_up
        self._listener = listener
        self._waiting = deque(range(len(items)))
        self._workers: list[_Worker] = []

    def run(self, jobs: int) -> None:
        """Until every item has its result."""
        for _ in range(min(jobs, len(self._items))):
            self._hire()
        while busy := {worker.pipe: worker for worker in self._workers if worker.index is not None}:
            for pipe in wait(list(busy)):
                self._attend(busy[pipe])  # type: ignore[index]

    def dismiss(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.stop()

    def _hire(self) -> None:
        worker = _Worker(self._set_up)
        self._workers.append(worker)
        self._employ(worker)

    def _employ(self, worker: _Worker) -> None:
        worker.index = None
        if self._waiting:
            index = self._waiting.popleft()
            worker.give(index, self._items[index])

    def _attend(self, worker: _Worker) -> None:
        index = worker.index
        assert index is not None
        kind, content = worker.hear()
        if kind == _NOTE:
            self._listener.noted(index, content)
        elif kind == _RESULT:
            self._listener.finished(index, content)
            self._employ(worker)
        elif kind == _REFUSED:
            raise _as_error(content)
        else:
            self._listener.lost(index, self._items[index])
            self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.stop()
        if self._waiting:
            self._hire()


def _as_error(failure: Failure) -> MusrError:
    kinds = {USAGE: UsageError, UNAVAILABLE: UnavailableError}
    return kinds.get(failure.exit_code, MusrError)(failure.message)


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    # inherited by what is started meanwhile: Ctrl-C reaches the whole process group, but the parent decides
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _serve(pipe: Connection[Any, Any], set_up: SetUp) -> None:
    """The whole life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # how the parent ends what is under way; it cleans up on the way out
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # the pipe closes when the parent has no more work, or is gone
    with contextlib.suppress(EOFError, OSError):
        try:
            work = set_up()
        except Exception as error:
            pipe.send((_REFUSED, explain(error)))
            return
        while True:
            pipe.send((_RESULT, work(pipe.recv(), lambda note: pipe.send((_NOTE, note)))))
