"""LSD and SegSNR of Dai et al. 2021, eqs. 5 and 6, on the log-power spectrum ln |X|² of the high band (section III-A).

Both equations share one X(l, k), "the original HB signal". That eq. 6, too, runs over log-power spectra and not over
samples shows in the paper's tables I and II: SegSNR + 20 lg LSD is 16.51 … 16.54 dB in all four rows of ×2 and 15.65 …
15.70 dB in those of ×4, the mean square of X, as it must be when both measure one difference. Its root, 6.7, is that
of a natural logarithm. Such a SegSNR depends on the level and says nothing of phases: it is here to stand beside the
paper's figures. `segsnr` is the usual one.

STFT 512/256, Hamming, at 16 kHz; 1408/704 at 44.1 and 48 kHz; 32 ms elsewhere. |X|² is not below 1e-8, on which the
paper is silent.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from musr_cli.metrics.decibels import ratio_db
from musr_cli.metrics.framing import FrameMean, Score, Signal, SpectrumPair, Transform, measure
from musr_cli.metrics.lsd import LogSpectralDistance

Base = Literal["e", "10"]

_HOPS = {16_000: 256, 44_100: 704, 48_000: 704}


def dai_transform(sample_rate: int) -> Transform:
    """The paper's STFT at 16 kHz, musr's scaled one at 44.1 and 48 kHz, windows of 32 ms at other rates."""
    hop = _HOPS.get(sample_rate, max(round(0.016 * sample_rate), 1))
    return Transform(2 * hop, hop, "hamming")


class DaiDistance(LogSpectralDistance):
    """Eq. 5 over the bins above the cutoff."""

    def __init__(self, sample_rate: int, cutoff_hz: float, base: Base = "e") -> None:
        transform = dai_transform(sample_rate)
        unit = math.log(10) if base == "e" else 1.0
        super().__init__(transform, transform.band(cutoff_hz, math.inf, sample_rate), unit)


class DaiSegmentalSnr(Score):
    """Eq. 6 over the bins above the cutoff; a frame without any error counts as 150 dB. The base cancels."""

    def __init__(self, sample_rate: int, cutoff_hz: float) -> None:
        self.transform = dai_transform(sample_rate)
        self._bins = self.transform.band(cutoff_hz, math.inf, sample_rate)
        self._mean = FrameMean()

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        signal = np.square(pair.ref_log[..., self._bins])
        error = pair.squared_log_difference[..., self._bins]
        if signal.shape[-1]:
            self._mean.add(ratio_db(signal.sum(axis=-1), error.sum(axis=-1)))

    def result(self) -> float:
        """The ratio so far in dB."""
        return self._mean.result()


def lsd_dai(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float, base: Base = "e") -> float:
    """Dai et al. 2021, eq. 5, for two signals [C, T]: LSD of the high band in ln (base "e") or log10 ("10") of |X|²."""
    return measure(ref, est, [DaiDistance(sample_rate, cutoff_hz, base)])[0]


def segsnr_dai_db(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float) -> float:
    """Dai et al. 2021, eq. 6, for two signals [C, T]: mean over frames of the SNR of the log-power spectrum."""
    return measure(ref, est, [DaiSegmentalSnr(sample_rate, cutoff_hz)])[0]
