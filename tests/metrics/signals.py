"""Signals that tests of metrics share."""

from __future__ import annotations

import numpy as np

RATE = 16_000
CUTOFF_HZ = 4000.0


def noise(seconds: float = 1.0, seed: int = 0, channels: int = 2) -> np.ndarray:
    """Independent white noise in each channel, RMS 0.1."""
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, round(RATE * seconds)))


def brickwall(x: np.ndarray, low_hz: float, high_hz: float) -> np.ndarray:
    """The part of `x` between two frequencies; bins of the whole signal, so nothing else is left."""
    spectrum = np.fft.rfft(x)
    frequency = np.fft.rfftfreq(x.shape[-1], 1 / RATE)
    return np.fft.irfft(spectrum * ((frequency >= low_hz) & (frequency < high_hz)), x.shape[-1])
