"""Low-pass filters and their real edges: the −12 dB point of the response that is applied, not the nominal cutoff."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

EDGE_DB = -12.0
"""Where a band ends: the level of the response, against its pass band, that every edge in musr refers to."""

RIPPLE_DB = 0.1
STOPBAND_DB = 60.0
"""Ripple and stop-band attenuation of one pass, as in Liu et al. 2022, whose filters Zhang et al. 2024 use."""

IIR_FAMILIES = ("butterworth", "chebyshev1", "chebyshev2", "elliptic", "bessel")

_RESPONSE_POINTS = 8192


@lru_cache(maxsize=512)
def lowpass_sections(family: str, order: int, cutoff_hz: float, sample_rate: float) -> NDArray[np.float64]:
    """Second-order sections [sections, 6] of a digital low-pass.

    Args:
        family: one of `IIR_FAMILIES`.
        order: filter order of a single pass.
        cutoff_hz: nominal cutoff: −3 dB (Butterworth), end of the ripple (Chebyshev I, elliptic), start of the
            stop band (Chebyshev II), or where the phase is normalised (Bessel).
        sample_rate: in Hz.
    """
    from scipy import signal

    design = {
        "butterworth": lambda: signal.butter(order, cutoff_hz, fs=sample_rate, output="sos"),
        "chebyshev1": lambda: signal.cheby1(order, RIPPLE_DB, cutoff_hz, fs=sample_rate, output="sos"),
        "chebyshev2": lambda: signal.cheby2(order, STOPBAND_DB, cutoff_hz, fs=sample_rate, output="sos"),
        "elliptic": lambda: signal.ellip(order, RIPPLE_DB, STOPBAND_DB, cutoff_hz, fs=sample_rate, output="sos"),
        "bessel": lambda: signal.bessel(order, cutoff_hz, fs=sample_rate, output="sos"),
    }
    return np.asarray(design[family]())


def filter_sections(x: NDArray[np.floating], sections: NDArray[np.float64], causal: bool) -> NDArray[np.float64]:
    """Filter [C, T] along time: forwards and backwards (zero phase, response squared), or forwards only."""
    from scipy import signal

    if x.shape[-1] == 0:
        return np.asarray(x, dtype=np.float64)
    if causal:
        return np.asarray(signal.sosfilt(sections, x, axis=-1))
    padding = min(3 * (2 * len(sections) + 1), x.shape[-1] - 1)
    return np.asarray(signal.sosfiltfilt(sections, x, axis=-1, padlen=padding))


def sections_response(
    sections: NDArray[np.float64], causal: bool, sample_rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in Hz and gain (linear, not negative) of `filter_sections`."""
    from scipy import signal

    frequencies, response = signal.freqz_sos(sections, worN=_RESPONSE_POINTS, fs=sample_rate)
    gain = np.abs(response)
    return np.asarray(frequencies), np.asarray(gain if causal else gain**2)


def edge_of(frequencies: NDArray[np.floating], gain: NDArray[np.floating]) -> float:
    """The highest frequency, in Hz, at which a low-pass response is still above −12 dB (interpolated in dB)."""
    level_db = 20 * np.log10(np.maximum(gain, 1e-12))
    last = int(np.flatnonzero(level_db >= EDGE_DB)[-1])
    if last + 1 == len(level_db):
        return float(frequencies[-1])
    share = (level_db[last] - EDGE_DB) / (level_db[last] - level_db[last + 1])
    return float(frequencies[last] + share * (frequencies[last + 1] - frequencies[last]))
