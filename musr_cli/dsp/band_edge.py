"""Where the band of a recording ends: one pass over it, constant memory, whatever the filter was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musr_cli.dsp.edge_network import BANDS, BANDS_PER_OCTAVE, EXPONENTS, LOWEST_HZ, band_powers, features, run
from musr_cli.dsp.spectrum import LongTermSpectrum

TOLERANCE_HZ = 200.0
TOLERANCE = 0.03
"""An edge counts as right within the larger of the two (the second is relative)."""

PART_S = 10.0
"""Length of the parts of a stream that have an edge each."""

SURE = 0.9
"""Confidence from which on the edge of a part counts."""

MOVED = 0.85
"""The edge of a part is another one if it lies below this fraction of the highest."""

SILENCE_DENSITY = 1e-18
"""Power density (full scale² per Hz) of the strongest band below which there is nothing to look at."""

_STEPS = 8
_GRID = np.arange(0, BANDS - 1, 1 / _STEPS)
_GRID_HZ = LOWEST_HZ * 2 ** (_GRID / BANDS_PER_OCTAVE)


@dataclass(frozen=True)
class BandEdge:
    """The end of a band.

    Attributes:
        cutoff_hz: −12 dB point of the long-term response in Hz; the Nyquist frequency where no edge was found.
        slope_hz: where the response begins to fall (about −1 dB), in Hz.
        confidence: 0 to 1: how often such an answer is right, an edge within max(200 Hz, 3 %).
        full_band: no edge was found.
    """

    cutoff_hz: float
    slope_hz: float
    confidence: float
    full_band: bool


class EdgeDetector:
    """Finds the band edge of a stream of blocks.

    Args:
        sample_rate: in Hz. Edges above 23 kHz are not looked for.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate, self._nyquist_hz = sample_rate, sample_rate / 2
        self._parts: list[BandEdge] = []
        self._spectrum = LongTermSpectrum(sample_rate, EXPONENTS)

    def push(self, block: NDArray[np.floating]) -> None:
        """Take the next block [C, n]."""
        self._spectrum.push(block)
        if self._spectrum.part_frames * self._spectrum.hop >= PART_S * self._sample_rate:
            self._parts.append(self._read(self._spectrum.part_mean))
            self._spectrum.begin_part()

    def result(self) -> BandEdge:
        """The edge of everything pushed so far; full band with confidence 0 where that is silent or under 0.1 s."""
        return self._read(self._spectrum.mean)

    def moving(self) -> tuple[BandEdge, BandEdge] | None:
        """The lowest and the highest edge of parts of `PART_S` that are sure of theirs, where they are surely apart."""
        sure = sorted((part for part in self._parts if part.confidence >= SURE), key=lambda part: part.cutoff_hz)
        if not sure or sure[0].cutoff_hz >= MOVED * sure[-1].cutoff_hz:
            return None
        return sure[0], sure[-1]

    def _read(self, mean: Callable[[float], NDArray[np.float64]]) -> BandEdge:
        density = np.stack([mean(exponent) for exponent in EXPONENTS])
        powers = band_powers(density, self._spectrum.frequencies_hz)
        if self._spectrum.frames == 0 or powers.max() < SILENCE_DENSITY:
            return self._full_band(0.0)
        edge, none, octaves = run(features(powers, self._nyquist_hz))
        if none >= edge.sum():
            return self._full_band(none)
        position, confidence = _most_likely(edge)
        cutoff_hz = float(LOWEST_HZ * 2 ** (position / BANDS_PER_OCTAVE))
        slope_hz = cutoff_hz * 2 ** -float(np.interp(position, np.arange(BANDS), octaves))
        return BandEdge(cutoff_hz, slope_hz, confidence, full_band=False)

    def _full_band(self, confidence: float) -> BandEdge:
        return BandEdge(self._nyquist_hz, self._nyquist_hz, confidence, full_band=True)


def detect(x: NDArray[np.floating], sample_rate: int) -> BandEdge:
    """Find the band edge of a signal in memory, [C, T]."""
    detector = EdgeDetector(sample_rate)
    detector.push(x)
    return detector.result()


def _most_likely(probability: NDArray[np.floating]) -> tuple[float, float]:
    """Position (in bands) of the edge and probability that it is right: where most lies within the tolerance.

    Args:
        probability: that the edge lies in each band [bands].
    """
    density = np.interp(_GRID, np.arange(BANDS), probability) / _STEPS
    total = np.concatenate([[0.0], np.cumsum(density)])
    tolerance_hz = np.maximum(TOLERANCE_HZ, TOLERANCE * _GRID_HZ)
    first, last = np.searchsorted(_GRID_HZ, _GRID_HZ - tolerance_hz), np.searchsorted(_GRID_HZ, _GRID_HZ + tolerance_hz)
    mass = total[last] - total[first]
    best = int(np.argmax(mass))
    near = slice(int(first[best]), int(last[best]))
    return float(_GRID[near] @ density[near] / density[near].sum()), min(1.0, float(mass[best]))
