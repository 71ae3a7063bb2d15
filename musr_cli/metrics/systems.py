"""Several systems beside each other: what each made of the same references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from musr_cli.metrics.by_frequency import FrequencyErrors, mean_errors
from musr_cli.metrics.comparison import Comparison
from musr_cli.metrics.paired import PairedTest, paired_tests
from musr_cli.metrics.pairing import Pair
from musr_cli.metrics.registry import METRICS
from musr_cli.metrics.summary import Summary, summarise_all

CERTAIN = 0.05
"""Corrected p-values below it count as a difference."""


@dataclass
class System:
    """What one system made, and how close it came.

    Attributes:
        name: what tables call it.
        results: pairs and their figures, by the pair's name.
        problems: why a pair was left out, one line each, by name.
    """

    name: str
    results: dict[str, tuple[Pair, Comparison]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def summaries(self) -> dict[str, Summary]:
        """Mean and interval of every metric over all pairs."""
        found = summarise_all([comparison.metrics for _, comparison in self.results.values()])
        return {name: found[name] for name in METRICS if name in found}

    @property
    def bands(self) -> FrequencyErrors | None:
        """Mean errors and levels by frequency over all pairs; None where they were not measured."""
        found = [comparison.bands for _, comparison in self.results.values() if comparison.bands]
        return mean_errors(found) if found else None

    def values(self, metric: str) -> dict[str, float]:
        """One metric by pair, where it is defined."""
        figures = {name: comparison.metrics for name, (_, comparison) in self.results.items()}
        return {name: values[metric] for name, values in figures.items() if metric in values}


@dataclass(frozen=True)
class Duel:
    """Two systems over the clips that both restored, in one metric.

    Differences are `first` − `second`: of the values or, where a metric should be near some value, of the distances.
    """

    metric: str
    first: str
    second: str
    test: PairedTest

    @property
    def winner(self) -> str | None:
        """The better system; None where that is not certain."""
        if self.test.p_holm is None or self.test.p_holm >= CERTAIN:
            return None
        is_less = self.test.mean < 0
        return self.first if is_less == (METRICS[self.metric].better != "higher") else self.second


def duels(systems: Sequence[System], metrics: Sequence[str]) -> list[Duel]:
    """Every two systems in every metric; p-values are corrected for all pairs of systems in one metric."""
    found = []
    for metric in metrics:
        pairs = [(a, b) for a, b in combinations(systems, 2) if a.values(metric).keys() & b.values(metric).keys()]
        differences = [_differences(metric, a, b) for a, b in pairs]
        tests = paired_tests(differences)
        found += [Duel(metric, a.name, b.name, test) for (a, b), test in zip(pairs, tests, strict=True)]
    return found


def name_systems(places: Sequence[Path]) -> list[str]:
    """Short names that tell places apart: the last part of each path, or as many as it takes."""
    paths = [place.resolve() for place in places]
    names = [path.stem if path.is_file() else path.name for path in paths]
    depth = 1
    while len(set(names)) < len(names) and depth < max(len(path.parts) for path in paths):
        depth += 1
        often = Counter(names)
        longer = ["/".join(path.parts[-depth:]) for path in paths]
        names = [full if often[name] > 1 else name for full, name in zip(longer, names, strict=True)]
    return names


def _differences(metric: str, first: System, second: System) -> list[float]:
    a, b = (_distances(metric, system.values(metric)) for system in (first, second))
    return [a[name] - b[name] for name in a if name in b]


def _distances(metric: str, values: Mapping[str, float]) -> Mapping[str, float]:
    better = METRICS[metric].better
    if not better.startswith("nearest"):
        return values
    wanted = float(better.removeprefix("nearest "))
    return {name: abs(value - wanted) for name, value in values.items()}
