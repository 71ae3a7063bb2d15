"""Where in the spectrum an estimate is off: error and mean level in bands of 500 Hz, for curves over frequency.

Transform and floor of LSD-A. In each band the root of the mean of (log10 |X|² − log10 |X̂|²)² over its bins, all frames
and channels; and the mean of 10 lg |X|², with 0 dB for a bin that holds a full-scale sine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musr_cli.metrics.framing import Signal, spectrum_pairs
from musr_cli.metrics.lsd import LSD_A

Curves = NDArray[np.float64]

BAND_HZ = 500.0

CONVENTION = "bands of 500 Hz, LSD-A transform; RMS difference of log10 |X|², mean 10 lg |X|² (0 dB: a full-scale sine)"

# a full-scale sine in the middle of a bin: half the sum of a Hann window
_FULL_SCALE_DB = 20 * math.log10(LSD_A.n_fft / 4)


@dataclass(frozen=True, eq=False)
class FrequencyErrors:
    """Curves over frequency, each [bands].

    Attributes:
        hz: middle of each band; they lie at 250 Hz, 750 Hz … at any rate, but for the last, which takes what is left.
        error: RMS difference of log10 |X|².
        ref_db: mean level of the reference's bins in dB.
        est_db: that of the estimate.
    """

    hz: Curves
    error: Curves
    ref_db: Curves
    est_db: Curves


def error_by_frequency(ref: Signal, est: Signal, sample_rate: int) -> FrequencyErrors:
    """Errors and levels of two signals [C, T] up to the Nyquist frequency. The working memory does not grow with T."""
    sums, frames = np.zeros((3, LSD_A.bins)), 0
    for pair in spectrum_pairs(ref, est, LSD_A):
        sums += [
            x.sum(axis=(0, 1), dtype=np.float64) for x in (pair.squared_log_difference, pair.ref_log, pair.est_log)
        ]
        frames += math.prod(pair.ref.shape[:2])
    edges_hz = np.append(BAND_HZ * np.arange(max(sample_rate / 2 // BAND_HZ, 1)), sample_rate / 2)
    squares, ref_log, est_log = _means(sums / frames, edges_hz[1:-1], sample_rate)
    hz = (edges_hz[1:] + edges_hz[:-1]) / 2
    return FrequencyErrors(hz, np.sqrt(squares), 10 * ref_log - _FULL_SCALE_DB, 10 * est_log - _FULL_SCALE_DB)


def _means(values: Curves, inner_edges_hz: Curves, sample_rate: int) -> Curves:
    """Means [n, bands] of values [n, bins] between the edges."""
    starts = [0, *(LSD_A.first_bin_above(edge_hz, sample_rate) for edge_hz in inner_edges_hz)]
    return np.asarray(np.add.reduceat(values, starts, axis=-1) / np.diff([*starts, LSD_A.bins]))


def mean_errors(clips: Sequence[FrequencyErrors]) -> FrequencyErrors:
    """Means over clips, at least one, in each band over those whose rate reaches it."""
    longest = max(clips, key=lambda clip: len(clip.hz))
    curves = np.full((len(clips), 3, len(longest.hz)), np.nan)
    for curve, clip in zip(curves, clips, strict=True):
        curve[:, : len(clip.hz)] = clip.error, clip.ref_db, clip.est_db
    return FrequencyErrors(longest.hz, *np.nanmean(curves, axis=0))
