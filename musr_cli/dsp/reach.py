"""How far music fills its spectrum. Lossy releases end well below the highest frequency at which anything is found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musr_cli.dsp.band_edge import EdgeDetector
from musr_cli.dsp.spectrum import LongTermSpectrum

EXPONENT = 0.05
"""The mean over time that is looked at, nearly the geometric one: codecs let some frames reach further than most."""

LOWEST_HZ = 10000.0
"""No codec at a rate that anybody would train on cuts lower; music itself may fall steeply there."""

_STEP_HZ = 172.0
_WIDTH = 4  # steps whose mean level is compared
_FALL_DB = 8.0
_STAYS_DB = 6.0
_MARGIN_HZ = 250.0
_EMPTY = 1e-22
_BLOCK_SAMPLES = 1 << 16


def reach_hz(spectrum: LongTermSpectrum) -> float:
    """Where the spectrum falls steeply and stays down, in Hz; the Nyquist frequency if it does not.

    Encoders of music drop everything above 15 to 19 kHz, in most frames if not in all: a network that is shown the rest
    learns to drop it too.

    Args:
        spectrum: of the whole piece; keeps the mean of `EXPONENT`.
    """
    level_db, edges_hz = _levels(spectrum)
    for index in range(_WIDTH, len(level_db) - _WIDTH):
        before = level_db[index - _WIDTH : index].mean()
        after = level_db[index + 1 :]
        falls = before - after[:_WIDTH].mean() > _FALL_DB
        if edges_hz[index] >= LOWEST_HZ and falls and before - after.max() > _STAYS_DB:
            return float(edges_hz[index]) - _MARGIN_HZ
    return float(spectrum.frequencies_hz[-1])


def measure_reach(x: NDArray[np.floating], sample_rate: int) -> float:
    """`reach_hz` of a signal in memory, [C, T]."""
    spectrum = LongTermSpectrum(sample_rate, (EXPONENT,))
    spectrum.push(x)
    return reach_hz(spectrum)


def measure_end(x: NDArray[np.floating], sample_rate: int) -> float:
    """Where a recording [C, T] really ends, in Hz: at its band edge or its reach, whichever is lower."""
    detector, spectrum = EdgeDetector(sample_rate), LongTermSpectrum(sample_rate, (EXPONENT,))
    # samples beyond 1e18 are no music: what is found of them means nothing, but it is no reason to warn
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, x.shape[-1], _BLOCK_SAMPLES):
            block = x[:, first : first + _BLOCK_SAMPLES]
            detector.push(block)
            spectrum.push(block)
        return min(detector.result().cutoff_hz, reach_hz(spectrum), sample_rate / 2)


def _levels(spectrum: LongTermSpectrum) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Levels in dB of bands `_STEP_HZ` wide, and their lower edges in Hz."""
    hz = np.asarray(spectrum.frequencies_hz, np.float64)
    bins = round(_STEP_HZ / (hz[1] - hz[0]))
    whole = len(hz) // bins * bins
    power = spectrum.mean(EXPONENT)[:whole].reshape(-1, bins).mean(axis=1)
    return 10 * np.log10(power + _EMPTY), hz[:whole:bins]
