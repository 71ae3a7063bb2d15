"""Windows: fades that add up to one, and Kaiser windows for filters of a given attenuation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def fade_in(samples: int) -> NDArray[np.float32]:
    """Linear ramp [samples] that adds up to one with its own reverse: what is faded over into itself stays as it is."""
    return ((np.arange(samples) + 0.5) / max(samples, 1)).astype(np.float32)


def kaiser_beta(attenuation_db: float) -> float:
    """Shape of the Kaiser window whose filters have this stop band (above 50 dB; Oppenheim & Schafer, eq. 7.75)."""
    return 0.1102 * (attenuation_db - 8.7)


def kaiser_half_length(attenuation_db: float, transition_hz: float, sample_rate: float) -> int:
    """Samples on each side of the centre that a transition of this width takes (Oppenheim & Schafer, eq. 7.76)."""
    return math.ceil((attenuation_db - 8.0) / (2.285 * 2 * math.pi * transition_hz / sample_rate) / 2)


def windowed_sinc(cutoff_hz: float, sample_rate: float, half_length: int, beta: float) -> NDArray[np.float64]:
    """Linear-phase low-pass [2 · half_length + 1], −6 dB at `cutoff_hz`, gain 1 at 0 Hz."""
    time = np.arange(-half_length, half_length + 1)
    response = np.sinc(2 * cutoff_hz / sample_rate * time) * np.kaiser(len(time), beta)
    return np.asarray(response / response.sum())
