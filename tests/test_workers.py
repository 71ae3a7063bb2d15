from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musr_cli.errors import UnavailableError
from musr_cli.workers import work_off


class Recorder:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[tuple[int, Any]] = []
        self.results: dict[int, Any] = {}
        self.lost_items: list[Any] = []

    def noted(self, index: int, note: Any) -> None:
        self.notes.append((index, note))

    def finished(self, index: int, result: Any) -> None:
        self.results[index] = result

    def lost(self, index: int, item: Any) -> None:
        self.lost_items.append(item)


def square_up() -> Callable[[int, Callable[[Any], None]], tuple[int, int]]:
    def square(item: int, notify: Callable[[Any], None]) -> tuple[int, int]:
        if item == 13:
            os._exit(9)
        notify(("working on", item))
        return item * item, os.getpid()

    return square


def refuse() -> Callable[[int, Callable[[Any], None]], int]:
    raise UnavailableError("no such model")


def tick(folder: Path) -> Callable[[int, Callable[[Any], None]], int]:
    """Work without end, with a file that is there only while it lasts."""

    def work(item: int, notify: Callable[[Any], None]) -> int:
        partial = folder / f"partial-{item}"
        partial.touch()
        try:
            while True:
                notify(item)
                time.sleep(0.05)
        finally:
            partial.unlink()

    return work


class InterruptsOnceAllStarted(Recorder):
    def __init__(self, jobs: int) -> None:
        super().__init__()
        self.jobs = jobs

    def noted(self, index: int, note: Any) -> None:
        super().noted(index, note)
        if len({item for _, item in self.notes}) == self.jobs:
            raise KeyboardInterrupt


def test_every_item_gets_its_own_result_and_processes_are_reused() -> None:
    heard = Recorder()
    work_off(list(range(10)), 2, square_up, heard)
    assert {index: result for index, (result, _) in heard.results.items()} == {n: n * n for n in range(10)}
    assert sorted(heard.notes) == [(n, ("working on", n)) for n in range(10)]
    processes = {process for _, process in heard.results.values()}
    assert len(processes) <= 2
    assert os.getpid() not in processes


def test_a_dying_process_loses_only_its_own_item() -> None:
    heard = Recorder()
    work_off([1, 13, 2, 3, 13, 4], 2, square_up, heard)
    assert heard.lost_items == [13, 13]
    assert {result for result, _ in heard.results.values()} == {1, 4, 9, 16}


def test_a_set_up_that_fails_says_why_with_its_exit_code() -> None:
    with pytest.raises(UnavailableError, match=r"^no such model$"):
        work_off([1, 2, 3], 2, refuse, Recorder())


def test_an_interrupt_ends_all_workers_which_clean_up(tmp_path: Path) -> None:
    heard = InterruptsOnceAllStarted(jobs=2)
    with pytest.raises(KeyboardInterrupt):
        work_off([1, 2, 3], 2, functools.partial(tick, tmp_path), heard)
    assert {item for _, item in heard.notes} == {1, 2}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals between processes")
def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    import multiprocessing

    parent = multiprocessing.get_context("spawn").Process(target=_be_parent, args=(tmp_path,))
    parent.start()
    _wait_for(lambda: any(tmp_path.iterdir()))
    assert parent.pid is not None
    os.kill(parent.pid, signal.SIGKILL)
    parent.join()
    _wait_for(lambda: not any(tmp_path.iterdir()))


def _be_parent(folder: Path) -> None:
    work_off([1], 1, functools.partial(tick, folder), Recorder())


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
