"""Multi-resolution STFT distance (Yamamoto et al. 2020, "Parallel WaveGAN", eqs. 4 to 6), in its two parts.

Transforms of the paper, the same numbers of samples at any rate; |X| and its sums over all channels, frames and bins of
a resolution, then the mean over the three:

- spectral convergence: ‖|X| − |X̂|‖ / ‖|X|‖;
- log distance: mean of |ln |X| − ln |X̂||, |X|² not below 1e-8.

These are the terms of `auraloss.freq.MultiResolutionSTFTLoss`, but for the ends of a signal: it reflects there what
lies inside, here zeros follow. Hops of 50 to 240 samples make 16 times as many spectra as LSD-A has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from musr_cli.metrics.framing import FrameMean, Score, Signal, SpectrumPair, Transform, measure

RESOLUTIONS = tuple(
    Transform(n_fft, hop, "hann", window_length=window)
    for n_fft, hop, window in ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
)

# from log10 |X|² to ln |X|
_UNIT = math.log(10) / 2


class SpectralConvergence(Score):
    """Relative distance of magnitudes at one resolution; nan for a silent reference."""

    def __init__(self, transform: Transform) -> None:
        self.transform = transform
        self._signal = self._error = 0.0

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        error = pair.ref_magnitude - pair.est_magnitude
        self._signal += float(pair.ref_power.sum())
        self._error += float(np.square(error, out=error).sum())

    def result(self) -> float:
        """The distance so far."""
        return math.sqrt(self._error / self._signal) if self._signal else math.nan


class LogMagnitudeDistance(Score):
    """Mean deviation of ln |X| at one resolution."""

    def __init__(self, transform: Transform) -> None:
        self.transform = transform
        self._mean = FrameMean()

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        difference = pair.ref_log - pair.est_log
        self._mean.add(np.abs(difference, out=difference).mean(axis=-1))

    def result(self) -> float:
        """The distance so far."""
        return _UNIT * self._mean.result()


def at_all_resolutions(score: Callable[[Transform], Score]) -> list[Score]:
    """A score for each resolution; the metric is the mean of their results."""
    return [score(transform) for transform in RESOLUTIONS]


def mrstft_sc(ref: Signal, est: Signal) -> float:
    """Spectral convergence of two signals [C, T]; nan for a silent reference."""
    return _mean(measure(ref, est, at_all_resolutions(SpectralConvergence)))


def mrstft_log(ref: Signal, est: Signal) -> float:
    """Log magnitude distance of two signals [C, T]."""
    return _mean(measure(ref, est, at_all_resolutions(LogMagnitudeDistance)))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
