"""Two systems over the same clips: by how much one differs from the other, and whether that could be chance.

The interval is the bootstrap's of `summary`, the test Wilcoxon's signed-rank test. Clips of one source resemble each
other; where groups are named, whole groups are drawn, and the test is one of their means, so that many clips of one
source do not pass for many sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from musr_cli.metrics.summary import bootstrap_interval

FEWEST = 6
"""With fewer differences other than 0 no outcome of the test could lie below 0.05: there is no p-value."""


@dataclass(frozen=True)
class PairedTest:
    """Mean of the differences of `clips` clips, and how sure it is.

    Attributes:
        mean: over clips.
        low: lower end of the 95 % interval; None for a single clip (or group).
        high: its upper end.
        clips: their number.
        p: two-sided; None where the test has nothing to say.
        p_holm: the same, corrected for all tests made at once (Holm 1979).
    """

    mean: float
    low: float | None
    high: float | None
    clips: int
    p: float | None
    p_holm: float | None


def paired_test(differences: Sequence[float], groups: Sequence[str] | None = None, seed: int = 0) -> PairedTest:
    """Test at least one difference between two systems, clip by clip.

    Args:
        differences: figure of the first system minus that of the second, of each clip.
        groups: what each clip belongs to, such as its source; None where each stands for itself.
        seed: of the bootstrap.
    """
    grouped = _grouped(differences, groups)
    low, high = bootstrap_interval(grouped, seed) if len(grouped) > 1 else (None, None)
    p = _wilcoxon([float(np.mean(group)) for group in grouped])
    return PairedTest(float(np.mean(differences)), low, high, len(differences), p, p)


def paired_tests(
    differences: Sequence[Sequence[float]], groups: Sequence[Sequence[str]] | None = None, seed: int = 0
) -> list[PairedTest]:
    """Test several at once, each as `paired_test` does, with p-values corrected for their number."""
    of_clips = groups if groups is not None else [None] * len(differences)
    tests = [paired_test(values, names, seed) for values, names in zip(differences, of_clips, strict=True)]
    corrected = holm([test.p for test in tests])
    return [replace(test, p_holm=p) for test, p in zip(tests, corrected, strict=True)]


def holm(p: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for several tests (Holm 1979); those that are None are no tests."""
    known = sorted((value, place) for place, value in enumerate(p) if value is not None)
    corrected: list[float | None] = [None] * len(p)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min((len(known) - rank) * value, 1.0))
        corrected[place] = highest
    return corrected


def _grouped(values: Sequence[float], groups: Sequence[str] | None) -> list[list[float]]:
    if groups is None:
        return [[value] for value in values]
    found: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        found.setdefault(group, []).append(value)
    return list(found.values())


def _wilcoxon(differences: Sequence[float]) -> float | None:
    from scipy.stats import wilcoxon

    differing = [value for value in differences if value]
    return float(wilcoxon(differing).pvalue) if len(differing) >= FEWEST else None
