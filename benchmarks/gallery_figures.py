"""What the systems of a gallery are worth: measured once, and kept until a file or the way of measuring changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gallery import TaskFolder, digest, read_json, write_text
from musr_cli.console import Progress, warn
from musr_cli.errors import UsageError
from musr_cli.failure import Failure
from musr_cli.metrics.batch import Outcome, compare_all
from musr_cli.metrics.by_frequency import FrequencyErrors
from musr_cli.metrics.comparison import Comparison, How
from musr_cli.metrics.pairing import Pair, pair_files
from musr_cli.metrics.registry import METRICS
from musr_cli.metrics.systems import System


@dataclass(frozen=True)
class Measuring:
    """How systems are measured.

    Attributes:
        also: optional metrics beyond those that are always measured.
        jobs: how many clips at a time.
    """

    also: tuple[str, ...] = ()
    jobs: int = 1


def parse_also(text: str) -> tuple[str, ...]:
    """Optional metrics, comma-separated.

    Raises:
        UsageError: a name that is none of them.
    """
    known = [metric.name for metric in METRICS.values() if metric.optional]
    names = tuple(filter(None, text.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"--also {name}: there are {', '.join(known)}")
    return names


def measure(folder: TaskFolder, name: str, place: Path, kept: Path, measuring: Measuring) -> System:
    """Figures of one system.

    Args:
        folder: of the task.
        name: of the system.
        place: folder with what it made.
        kept: folder in which figures are kept.
        measuring: what is measured.

    Raises:
        MusrError: no audio in `place`.
    """
    pairing = pair_files(folder.reference, place, folder.input)
    how = How(folder.task.edge_hz, measuring.also, by_frequency=True)
    cache = _Cache(kept / f"{name}.json", how)
    fresh = [pair for pair in pairing.pairs if cache.find(pair) is None]
    with Progress(len(fresh)) as progress:
        collector = _Collector(cache, fresh, progress)
        compare_all(fresh, how, measuring.jobs, collector)
    results = {pair.name: (pair, found) for pair in pairing.pairs if (found := cache.find(pair))}
    return System(name, results, dict(pairing.problems) | collector.problems)


def complete(systems: Sequence[System], clips: Sequence[str]) -> tuple[list[System], dict[str, str]]:
    """Systems that restored every clip: means over others could not be compared. Of the rest, what is wrong."""
    whole, left_out = [], {}
    for system in systems:
        problems = [*system.problems.values()]
        if problems or set(system.results) != set(clips):
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            left_out[system.name] = f"{problems[0] if problems else 'clips are missing'}{more}"
        else:
            whole.append(system)
    return whole, left_out


class _Cache:
    """Comparisons in a file, each under what it depends on: the three files, and the way of measuring."""

    def __init__(self, path: Path, how: How) -> None:
        self._path, self._how = path, how
        self._entries = read_json(path)
        self._keys: dict[str, str] = {}

    def find(self, pair: Pair) -> Comparison | None:
        """What was measured, if everything is as it was."""
        entry = self._entries.get(pair.name)
        is_known = entry and entry["key"] == self._key(pair) and set(self._how.extra) <= set(entry["also"])
        return _comparison(entry["comparison"]) if is_known else None

    def keep(self, pair: Pair, comparison: Comparison) -> None:
        """Write it down at once, so that an interruption loses nothing."""
        entry = {"key": self._key(pair), "also": self._how.extra, "comparison": asdict(comparison)}
        self._entries[pair.name] = entry
        write_text(self._path, json.dumps(self._entries, default=np.ndarray.tolist) + "\n")

    def _key(self, pair: Pair) -> str:
        if pair.name not in self._keys:
            files = (path.read_bytes() for path in (pair.ref, pair.est, pair.input) if path)
            self._keys[pair.name] = digest(*files, self._how.cutoff, *METRICS.values())
        return self._keys[pair.name]


def _comparison(values: Mapping[str, Any]) -> Comparison:
    bands = FrequencyErrors(**{name: np.array(curve) for name, curve in values["bands"].items()})
    return Comparison(**{**values, "notes": tuple(values["notes"]), "bands": bands})


class _Collector:
    """Keeps what is measured, and what goes wrong; says once what had to be done to files."""

    def __init__(self, cache: _Cache, pairs: Sequence[Pair], progress: Progress) -> None:
        self._cache, self._pairs, self._progress = cache, pairs, progress
        self._told: set[str] = set()
        self.problems: dict[str, str] = {}

    def finished(self, index: int, outcome: Outcome) -> None:
        """See `metrics.batch.Watcher`."""
        pair = self._pairs[index]
        if isinstance(outcome, Failure):
            self.problems[pair.name] = outcome.message
            self._progress.finish()
            return
        self._cache.keep(pair, outcome)
        self._progress.finish(outcome.seconds)
        for note in self._unsaid(outcome.notes):
            warn(note)

    def _unsaid(self, notes: Sequence[str]) -> Iterator[str]:
        yield from (note for note in notes if note not in self._told)
        self._told.update(notes)
