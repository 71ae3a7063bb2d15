"""How loud the new band is, band by band over time: error, bias and correlation of its envelopes.

LSD compares every bin, so most of it is texture that nobody can know. Here the power of bands 500 Hz wide is compared,
frame by frame (transform of LSD-A), from the cutoff to where the reference ends: log10 of the mean |X|² of a band's
bins, not below 1e-8. An estimate that is 10 dB too loud everywhere has an RMS difference and a bias of 1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from musr_cli.metrics.by_frequency import BAND_HZ
from musr_cli.metrics.framing import POWER_FLOOR, Levels, Score, Signal, SpectrumPair, measure
from musr_cli.metrics.lsd import LSD_A

Sums = NDArray[np.float64]

_NO_VARIANCE = 1e-9
"""Variance of a log power below which it stands still: round-off of single precision, and far below any music."""


class Envelopes:
    """Sums over frames of the log band powers of reference and estimate, from which all figures follow.

    Args:
        sample_rate: in Hz.
        low_hz: where the lowest band begins.
        high_hz: where the highest band ends; it takes what is left, and is up to twice as wide as the others.

    Attributes:
        sums: of r, e, r², e² and r · e over frames [5, C, bands]; 0 before the first frame.
        frames: number of frames seen.
    """

    def __init__(self, sample_rate: int, low_hz: float, high_hz: float) -> None:
        self._bins = LSD_A.band(low_hz, high_hz, sample_rate)
        top_hz = min(high_hz, sample_rate / 2)
        edges_hz = low_hz + BAND_HZ * np.arange(max((top_hz - low_hz) // BAND_HZ, 1))
        # where a bin is wider than a band, at a megahertz, bands share their first bin
        starts = sorted({LSD_A.first_bin_above(hz, sample_rate) for hz in edges_hz})
        self._starts = np.array([bin for bin in starts if bin < self._bins.stop], dtype=int) - self._bins.start
        self._widths = np.diff([*self._starts, self._bins.stop - self._bins.start])
        self._last: SpectrumPair | None = None
        self.sums: Sums = np.zeros((5, 1, len(self._starts)))
        self.frames = 0

    def take(self, pair: SpectrumPair) -> None:
        """Take the next frames; scores that share these envelopes all hand on the same ones, which count once."""
        if pair is self._last or not len(self._starts):
            return
        self._last = pair
        ref, est = self._levels(pair.ref_power), self._levels(pair.est_power)
        self.sums = self.sums + np.stack([x.sum(axis=1) for x in (ref, est, ref * ref, est * est, ref * est)])
        self.frames += ref.shape[1]

    def _levels(self, power: Levels) -> Sums:
        """Log band powers [C, frames, bands] of bins [C, frames, bins]."""
        means = np.add.reduceat(power[..., self._bins], self._starts, axis=-1) / self._widths
        return np.log10(np.maximum(means, POWER_FLOOR), dtype=np.float64)

    def means(self) -> Sums:
        """Means of r, e, r², e² and r · e over frames [5, C, bands]; nan without frames or beyond all numbers."""
        return self.sums / self.frames if self.frames and np.isfinite(self.sums).all() else np.full((5, 1, 1), np.nan)


class _OfEnvelopes(Score):
    """A figure that follows from envelopes, its own or shared ones; nan where there is no band."""

    transform = LSD_A

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        self._envelopes.take(pair)


class BandRms(_OfEnvelopes):
    """RMS over bands, frames and channels of log power of the estimate - that of the reference."""

    def result(self) -> float:
        """The RMS difference so far."""
        _, _, rr, ee, re = self._envelopes.means()
        # round-off may leave less than nothing of equal sums
        return math.sqrt(np.maximum((rr + ee - 2 * re).mean(), 0))


class BandBias(_OfEnvelopes):
    """Mean over bands, frames and channels of log power of the estimate - that of the reference."""

    def result(self) -> float:
        """The mean difference so far."""
        r, e, *_ = self._envelopes.means()
        return float((e - r).mean())


class BandCorrelation(_OfEnvelopes):
    """Correlation over time of the log powers of each band about their means, variances and covariances pooled.

    nan where reference or estimate stands still, as silence does.
    """

    def result(self) -> float:
        """The correlation so far."""
        r, e, rr, ee, re = self._envelopes.means()
        ref, est, both = (float(pooled.mean()) for pooled in (rr - r * r, ee - e * e, re - r * e))
        return min(max(both / math.sqrt(ref * est), -1.0), 1.0) if min(ref, est) > _NO_VARIANCE else math.nan


def band_scores(sample_rate: int, cutoff_hz: float, end_hz: float) -> dict[str, Score]:
    """All figures of the bands from `cutoff_hz` to `end_hz`, by name, at the cost of one."""
    envelopes = Envelopes(sample_rate, cutoff_hz, end_hz)
    return {
        "band_rms": BandRms(envelopes),
        "band_bias": BandBias(envelopes),
        "band_correlation": BandCorrelation(envelopes),
    }


def band_figures(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float, end_hz: float) -> dict[str, float]:
    """`band_scores` of two signals [C, T]; nan where a figure is undefined."""
    scores = band_scores(sample_rate, cutoff_hz, end_hz)
    return dict(zip(scores, measure(ref, est, list(scores.values())), strict=True))
