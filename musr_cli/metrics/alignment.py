"""Delay of an estimate against its reference: codecs and filters shift signals, and SNR does not forgive one sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musr_cli.metrics.framing import Signal

MAX_DELAY_S = 0.05
"""Longer delays are told, not mended: more likely the wrong file than a codec."""

SEARCH_S = 1.0
SHORTEST_S = 0.2
"""Shorter signals are left where they are: too little of them would overlap to tell."""

EXCERPT_S = 10.0
"""The loudest part of this length decides."""

WEAKEST_CORRELATION = 0.1
"""Below, the signals have too little in common for a delay to mean anything."""


def find_delay(ref: Signal, est: Signal, sample_rate: int) -> int:
    """Whole samples by which `est` comes late (negative: early), both [C, T], up to a second; 0 where that is unclear.

    Peak of the cross-correlation of the differentiated sums of channels, which weighs sharp features more than bass;
    of either sign, so that inverted polarity does not hide it.
    """
    part = _loudest(ref, round(EXCERPT_S * sample_rate))
    a, b = _differentiated(ref[:, part]), _differentiated(est[:, part])
    shortest = min(len(a), len(b))
    energy = float(np.linalg.norm(a) * np.linalg.norm(b))
    if shortest < SHORTEST_S * sample_rate or not energy:
        return 0
    longest_lag = min(round(SEARCH_S * sample_rate), shortest // 2)
    correlation = np.abs(_correlation(a, b, longest_lag)) / energy
    highest = np.flatnonzero(correlation >= correlation.max() * (1 - 1e-9)) - longest_lag
    return int(min(highest, key=abs)) if correlation.max() >= WEAKEST_CORRELATION else 0


def overlap(ref_samples: int, est_samples: int, delay: int) -> tuple[slice, slice]:
    """Parts of reference and estimate that belong together when the estimate is `delay` samples late."""
    ref_start, est_start = max(-delay, 0), max(delay, 0)
    samples = max(min(ref_samples - ref_start, est_samples - est_start), 0)
    return slice(ref_start, ref_start + samples), slice(est_start, est_start + samples)


def _loudest(x: Signal, samples: int) -> slice:
    starts = range(0, max(x.shape[-1], 1), samples)
    # the last part may be short, and is then less often the loudest
    start = max(starts, key=lambda first: float(np.linalg.norm(x[:, first : first + samples])))
    return slice(start, start + samples)


def _differentiated(x: Signal) -> NDArray[np.float64]:
    return np.diff(x.sum(axis=0, dtype=np.float64))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """Σ a(t) · b(t + lag) for lags −limit … limit [2 · limit + 1]."""
    size = 1 << (max(len(a), len(b)) + limit).bit_length()
    product = np.fft.irfft(np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size), size)
    return np.concatenate([product[-limit:], product[: limit + 1]])
