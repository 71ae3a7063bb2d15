"""Spread of the high band's log spectrum, estimate over reference: 1 for a right texture, below 1 for a smeared one.

LSD prefers the mean of all that could be there to any one of it; this ratio tells. Transform of LSD-A; the variance of
log10 |X|² over the high-band bins of a frame, averaged over frames and channels; the root of both, and their ratio.
"""

from __future__ import annotations

import math

from musr_cli.metrics.framing import FrameMean, Score, Signal, SpectrumPair, measure
from musr_cli.metrics.lsd import HF_LIMIT_HZ, LSD_A

_NO_SPREAD = 1e-12


class HfSpread(Score):
    """Ratio of the standard deviations over bins; nan where the reference has none (silence) or the band is empty."""

    transform = LSD_A

    def __init__(self, sample_rate: int, cutoff_hz: float, high_hz: float = HF_LIMIT_HZ) -> None:
        self._bins = LSD_A.band(cutoff_hz, high_hz, sample_rate)
        self._ref = FrameMean()
        self._est = FrameMean()

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        if self._bins.start < self._bins.stop:
            self._ref.add(pair.ref_log[..., self._bins].var(axis=-1))
            self._est.add(pair.est_log[..., self._bins].var(axis=-1))

    def result(self) -> float:
        """The ratio so far."""
        ref, est = self._ref.result(), self._est.result()
        return math.sqrt(est / ref) if ref > _NO_SPREAD else math.nan


def hf_spread(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float, high_hz: float = HF_LIMIT_HZ) -> float:
    """Spread of the log spectrum of `est` over that of `ref`, both [C, T], between `cutoff_hz` and `high_hz`."""
    return measure(ref, est, [HfSpread(sample_rate, cutoff_hz, high_hz)])[0]
