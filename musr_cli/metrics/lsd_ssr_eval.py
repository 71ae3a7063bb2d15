"""LSD of the package ssr_eval (Liu et al. 2022, `ssr_eval/metrics.py`), which many papers quote.

n_fft 2048 at 44.1 kHz and in proportion at other rates, hop rate / 100, Hann; log10(|X|² / (|X̂| + ε)² + ε) with
ε = 1e-12, RMS over bins, mean over frames. Its ε makes 12 of two silent frames; here those count as 0. The package
mixes stereo down first; here channels are measured one by one.
"""

from __future__ import annotations

import numpy as np

from musr_cli.metrics.framing import FrameMean, Score, Signal, SpectrumPair, Transform, measure

EPSILON = 1e-12


def ssr_eval_transform(sample_rate: int) -> Transform:
    """The package's STFT at `sample_rate`."""
    return Transform(int(2048 / (44100 / sample_rate)), int(sample_rate / 100), "hann")


class SsrEvalDistance(Score):
    """The package's `AudioMetrics.lsd`."""

    def __init__(self, sample_rate: int) -> None:
        self.transform = ssr_eval_transform(sample_rate)
        self._mean = FrameMean()

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        # in place: as many fresh arrays would take as long as the logarithms
        ratio = pair.est_magnitude + EPSILON
        np.square(ratio, out=ratio)
        np.divide(pair.ref_power, ratio, out=ratio)
        ratio += EPSILON
        np.log10(ratio, out=ratio)
        distance = np.sqrt(np.square(ratio, out=ratio).mean(axis=-1))
        heard = pair.ref_power.sum(axis=-1) + pair.est_power.sum(axis=-1) > 0
        self._mean.add(np.where(heard, distance, 0.0))

    def result(self) -> float:
        """The distance so far."""
        return self._mean.result()


def lsd_ssr_eval(ref: Signal, est: Signal, sample_rate: int) -> float:
    """LSD of two signals [C, T] as the package ssr_eval defines it."""
    return measure(ref, est, [SsrEvalDistance(sample_rate)])[0]
