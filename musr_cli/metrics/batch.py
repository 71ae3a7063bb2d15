"""Many pairs of files: one after the other in this process, or several at a time in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from musr_cli.errors import FAILED
from musr_cli.failure import Failure, explain
from musr_cli.metrics.comparison import Comparison, How, compare_files
from musr_cli.metrics.pairing import Pair
from musr_cli.workers import Notify, work_off

Outcome = Comparison | Failure


class Watcher(Protocol):
    """Whom the work tells how it gets on; pairs go by their index."""

    def finished(self, index: int, outcome: Outcome) -> None:
        """A pair is measured, or cannot be."""


def compare_all(pairs: Sequence[Pair], how: How, jobs: int, watcher: Watcher) -> None:
    """Measure all pairs, `jobs` at a time; one that fails does not stop the others."""
    if min(jobs, len(pairs)) > 1:
        work_off(pairs, jobs, _SetUp(how), _Collector(watcher))
        return
    for index, pair in enumerate(pairs):
        watcher.finished(index, _compare(pair, how))


@dataclass(frozen=True)
class _SetUp:
    """Makes the work of a process."""

    how: How

    def __call__(self) -> _Work:
        return _Work(self.how)


@dataclass(frozen=True)
class _Work:
    how: How

    def __call__(self, pair: Pair, notify: Notify) -> Outcome:
        del notify
        return _compare(pair, self.how)


@dataclass(frozen=True)
class _Collector:
    """Passes results on."""

    watcher: Watcher

    def noted(self, index: int, note: object) -> None:
        """Nothing is noted: a pair takes a second."""

    def finished(self, index: int, result: Outcome) -> None:
        self.watcher.finished(index, result)

    def lost(self, index: int, item: Pair) -> None:
        reason = f"{item.est}: its process was killed or ran out of memory; try fewer --jobs"
        self.finished(index, Failure(reason, FAILED))


def _compare(pair: Pair, how: How) -> Outcome:
    try:
        return compare_files(pair, how)
    except Exception as error:
        return explain(error)
