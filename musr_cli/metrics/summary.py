"""The mean of a metric over clips, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Summary:
    """Mean over `clips` clips and its bootstrap interval; `low` and `high` are None for a single clip."""

    mean: float
    low: float | None
    high: float | None
    clips: int


def summarise(values: Sequence[float], seed: int = 0) -> Summary:
    """Mean of at least one value with its percentile bootstrap 95 % interval, the same in every run."""
    data = np.asarray(values, dtype=np.float64)
    mean, clips = float(data.mean()), len(data)
    if clips < 2:
        return Summary(mean, None, None, clips)
    return Summary(mean, *bootstrap_interval(data[:, None], seed), clips)


def bootstrap_interval(
    groups: Sequence[Sequence[float]] | NDArray[np.float64], seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Percentile bootstrap 95 % interval of the mean over all values, when whole groups of them are drawn."""
    sums, counts = (np.array([measure(group) for group in groups], np.float64) for measure in (np.sum, len))
    drawn = np.random.default_rng(seed).integers(len(groups), size=(resamples, len(groups)))
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [tail, 100 - tail])
    return float(low), float(high)


def summarise_all(results: Sequence[dict[str, float]]) -> dict[str, Summary]:
    """One summary per metric, over those clips for which it is defined."""
    names = dict.fromkeys(name for result in results for name in result)
    return {name: summarise([result[name] for result in results if name in result]) for name in names}
