"""Hiss: a floor of noise that stays where it is, whatever the music does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musr_cli.dsp.spectrum import transform_length

BAND_HZ = 1000.0
LOWEST_HZ, HIGHEST_HZ = 1000.0, 20000.0
"""Where hiss is looked for: below, hum and rumble are floors too; above, nobody hears it."""

QUIETEST_DBFS = -84.0
"""White noise below this level, over the whole band, is what rounding to 16 bits leaves (dithered: −93 dBFS)."""

LEAST_BELOW_DB = 25.0
"""Hiss is at least so far below the recording as a whole: dense music has a floor too, which is music."""

LEAST_BANDS = 3
LEAST_S = 2.0
"""Shorter recordings say nothing of what stays."""

_RESOLUTION_HZ = 21.5
_STEP_DB, _LOWEST_DB = 0.25, -160.0
_LEVELS = round(-_LOWEST_DB / _STEP_DB) + 40
_LOW, _HIGH = 0.05, 0.25
"""Quantiles over time between which a floor is flat. Music that stops less often than that is louder than its floor."""

_SPREAD_DB = 2.0
"""Most that lies between them; noise alone has about 1.2 dB in a band of one channel."""

_FLATNESS_DB = -4.0
"""Least geometric below arithmetic mean over a band: −2.5 dB for noise, far less for tones."""


@dataclass(frozen=True)
class Hiss:
    """A floor of noise.

    Attributes:
        level_dbfs: RMS in the bands in which it is heard, full scale being 1.
        from_hz: where the lowest of them begins.
        to_hz: where the highest ends.
    """

    level_dbfs: float
    from_hz: float
    to_hz: float


class HissMeter:
    """Finds hiss in a stream, in bounded memory: it counts how often each band has each level.

    Args:
        sample_rate: in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._n_fft = transform_length(sample_rate, _RESOLUTION_HZ)
        self._sample_rate, self._nyquist_hz = sample_rate, sample_rate / 2
        window = np.hanning(self._n_fft + 1)[:-1]
        self._window = (window / np.sqrt(sample_rate / 2 * np.sum(window**2))).astype(np.float32)
        self._edges_hz = np.arange(LOWEST_HZ, min(HIGHEST_HZ, self._nyquist_hz) + 1, BAND_HZ)
        self._bins = np.searchsorted(np.fft.rfftfreq(self._n_fft, 1 / sample_rate), self._edges_hz)
        self._counts = np.zeros((max(len(self._edges_hz) - 1, 0), _LEVELS))
        self._flatness_db = np.zeros_like(self._counts)
        self._energy, self._samples = 0.0, 0
        self._rest: NDArray[np.float32] | None = None

    def push(self, block: NDArray[np.floating]) -> None:
        """Take the next block [C, n]; n may be anything, C must stay."""
        x = np.asarray(block, dtype=np.float32)
        self._energy += float(np.sum(np.square(x, dtype=np.float64)))
        self._samples += x.size
        x = x if self._rest is None else np.concatenate([self._rest, x], axis=-1)
        count = x.shape[-1] // self._n_fft
        self._rest = x[:, count * self._n_fft :].copy()
        if count and len(self._counts):
            self._take(x[:, : count * self._n_fft].reshape(len(x), count, self._n_fft))

    def result(self) -> Hiss | None:
        """The hiss; None where there is none, music that never stops lies above it, or all is noise."""
        found = [self._floor_of(band) for band in range(len(self._counts))]
        bands = _longest_run([floor is not None for floor in found])
        densities = [floor for floor in found[bands] if floor is not None]
        if len(densities) < LEAST_BANDS:
            return None
        if 10 * np.log10(np.mean(densities) * self._nyquist_hz) < QUIETEST_DBFS:
            return None
        level_dbfs = float(10 * np.log10(np.sum(densities) * BAND_HZ))
        if level_dbfs > 10 * np.log10(self._energy / self._samples) - LEAST_BELOW_DB:
            return None
        return Hiss(level_dbfs, float(self._edges_hz[bands.start]), float(self._edges_hz[bands.stop]))

    def _take(self, frames: NDArray[np.float32]) -> None:
        """Count frames [C, count, n_fft]; bands that are digitally silent are not counted."""
        from scipy import fft

        spectrum = fft.rfft(frames * self._window, axis=-1)
        power = np.asarray(np.mean(spectrum.real**2 + spectrum.imag**2, axis=0, dtype=np.float64) + 1e-30)
        for band, (first, last) in enumerate(zip(self._bins[:-1], self._bins[1:], strict=True)):
            part = power[:, first:last]
            level_db = 10 * np.log10(part.mean(axis=1))
            flatness_db = 10 * np.log10(part).mean(axis=1) - level_db
            index = np.minimum((level_db - _LOWEST_DB) / _STEP_DB, _LEVELS - 1).astype(int)
            is_heard = level_db > _LOWEST_DB
            np.add.at(self._counts[band], index[is_heard], 1)
            np.add.at(self._flatness_db[band], index[is_heard], flatness_db[is_heard])

    def _floor_of(self, band: int) -> float | None:
        """Power density of a band's floor in full scale² per Hz."""
        counts = self._counts[band]
        total = counts.sum()
        if total * self._n_fft < LEAST_S * self._sample_rate:
            return None
        low, high = (int(np.searchsorted(np.cumsum(counts), part * total)) for part in (_LOW, _HIGH))
        near = slice(low, high + 1)
        flatness_db = self._flatness_db[band, near].sum() / counts[near].sum()
        if (high - low) * _STEP_DB > _SPREAD_DB or flatness_db < _FLATNESS_DB:
            return None
        return float(10 ** ((_LOWEST_DB + (high + 0.5) * _STEP_DB) / 10))


def _longest_run(is_in: list[bool]) -> slice:
    """Where the longest run of true values lies."""
    best, start = slice(0, 0), 0
    for place, value in enumerate([*is_in, False]):
        if not value:
            best = max(best, slice(start, place), key=lambda run: run.stop - run.start)
            start = place + 1
    return best
