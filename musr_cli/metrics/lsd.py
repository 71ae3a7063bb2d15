"""LSD-A, the log-spectral distance of musr's own tables; and the formula that most published variants share.

n_fft 2048, hop 512, Hann, log10 |X|² not below 1e-8, RMS over bins, mean over frames and channels, at any sample
rate. A gain of 6.02 dB everywhere is a distance of 0.602; two silent frames have distance 0.
"""

from __future__ import annotations

import math

import numpy as np

from musr_cli.metrics.framing import FrameMean, Score, Signal, SpectrumPair, Transform, measure

LSD_A = Transform(2048, 512, "hann")

HF_LIMIT_HZ = 19_000.0
"""Upper end of LSD-HF: above, lossy clips are empty, and the score would reward copying a codec's low-pass."""


class LogSpectralDistance(Score):
    """Mean over frames of the RMS over `bins` of log10 |X|² − log10 |X̂|², times `unit`; nan where `bins` is empty."""

    def __init__(self, transform: Transform, bins: slice, unit: float = 1.0) -> None:
        self.transform = transform
        self._bins = bins
        self._unit = unit
        self._mean = FrameMean()

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        squares = pair.squared_log_difference[..., self._bins]
        if squares.shape[-1]:
            self._mean.add(np.sqrt(squares.mean(axis=-1)))

    def result(self) -> float:
        """The distance so far."""
        return self._unit * self._mean.result()


def lsd_a(ref: Signal, est: Signal, sample_rate: int, low_hz: float | None = None, high_hz: float = math.inf) -> float:
    """LSD-A of two signals [C, T] over the bins above `low_hz` (None: from 0 Hz) and up to `high_hz`.

    LSD-HF is `low_hz=cutoff, high_hz=HF_LIMIT_HZ`, LSD-LF is `high_hz=cutoff`.
    """
    score = LogSpectralDistance(LSD_A, LSD_A.band(low_hz, high_hz, sample_rate))
    return measure(ref, est, [score])[0]
