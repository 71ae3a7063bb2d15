"""Where the band of a recording ends.

First cut: looks for the last steep fall of the long-term spectrum, after which nothing comes back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musr_cli.dsp.filters import EDGE_DB
from musr_cli.dsp.spectrum import LongTermSpectrum

_EXPONENT = 0.25
_LOWEST_HZ = 400.0
_BANDS_PER_OCTAVE = 24
_FALL_DB = 25.0
_SPAN = 8


@dataclass(frozen=True)
class BandEdge:
    """The end of a band.

    Attributes:
        cutoff_hz: −12 dB point of the long-term response in Hz; the Nyquist frequency where no edge was found.
        slope_hz: where the response begins to fall (about −1 dB), in Hz.
        confidence: 0 to 1: the share of such answers that are right within max(200 Hz, 3 %).
        full_band: no edge was found.
    """

    cutoff_hz: float
    slope_hz: float
    confidence: float
    full_band: bool


class EdgeDetector:
    """Finds the band edge of a stream of blocks.

    Args:
        sample_rate: in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._nyquist_hz = sample_rate / 2
        self._spectrum = LongTermSpectrum(sample_rate, (_EXPONENT,))

    def push(self, block: NDArray[np.floating]) -> None:
        """Take the next block [C, n]."""
        self._spectrum.push(block)

    def result(self) -> BandEdge:
        """The band edge of everything pushed so far."""
        centres_hz, levels_db = self._bands()
        full = BandEdge(self._nyquist_hz, self._nyquist_hz, 0.5, full_band=True)
        if len(levels_db) < 3 * _SPAN or levels_db.max() < -180:
            return BandEdge(self._nyquist_hz, self._nyquist_hz, 0.0, full_band=True)
        for index in range(_SPAN, len(levels_db) - 2):
            below = np.median(levels_db[index - _SPAN : index])
            if below - levels_db[index + 1 :].max() >= _FALL_DB and below > -140:
                return self._at(index, centres_hz, levels_db - below)
        return full

    def _at(self, index: int, centres_hz: NDArray[np.float64], levels_db: NDArray[np.float64]) -> BandEdge:
        fall = index - _SPAN + int(np.argmax(levels_db[index - _SPAN : index + 2] < EDGE_DB))
        start = max(0, fall - int(np.argmax(levels_db[fall::-1] > -1.0)))
        return BandEdge(float(centres_hz[fall]), float(centres_hz[start]), 0.5, full_band=False)

    def _bands(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres in Hz and levels in dB of narrow bands up to the Nyquist frequency."""
        octaves = max(0.0, np.log2(self._nyquist_hz / _LOWEST_HZ))
        edges_hz = _LOWEST_HZ * 2 ** (np.arange(int(octaves * _BANDS_PER_OCTAVE) + 1) / _BANDS_PER_OCTAVE)
        bins = np.searchsorted(self._spectrum.frequencies_hz, edges_hz)
        power = np.add.reduceat(self._spectrum.mean(_EXPONENT), bins)[:-1] / np.maximum(np.diff(bins), 1)
        return np.sqrt(edges_hz[1:] * edges_hz[:-1]), 10 * np.log10(power + 1e-20)


def detect(x: NDArray[np.floating], sample_rate: int) -> BandEdge:
    """Find the band edge of a signal in memory, [C, T]."""
    detector = EdgeDetector(sample_rate)
    detector.push(x)
    return detector.result()
