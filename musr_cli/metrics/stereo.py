"""Where the new band lies between the loudspeakers: its width and its balance, beside those of the reference.

Transform of LSD-A. The new band begins two bins above the cutoff, where the main lobe of what lies below has ended;
without a cutoff it is the whole band. Both figures are of two channels only.

- width: energy of the side signal (L − R) / 2 over that of the middle (L + R) / 2 in dB, within ± 40 dB (nobody hears
  what lies beyond, and a mono recording has −∞); that of the estimate minus that of the reference.
- centre drift: the balance b = (E_L − E_R) / (E_L + E_R) of a frame is −1 on the right and 1 on the left. The mean of
  |b̂ − b|, weighted by the reference's energy in the frame: 0 to 2. Frames in which the estimate is digital silence
  have no balance and stay out.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from musr_cli.metrics.decibels import ratio_db
from musr_cli.metrics.framing import Levels, Score, Signal, Spectrum, SpectrumPair, measure
from musr_cli.metrics.lsd import LSD_A

GUARD_BINS = 2
WIDEST_DB = 40.0


class _Stereo(Score):
    """Figures of the new band of two channels; nan for any other number of them."""

    transform = LSD_A

    def __init__(self, sample_rate: int, cutoff_hz: float | None = None) -> None:
        first = 0 if cutoff_hz is None else LSD_A.first_bin_above(cutoff_hz, sample_rate) + GUARD_BINS
        self._bins = slice(first, None)

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        if len(pair.ref) == 2:
            self._add(pair)

    @abstractmethod
    def _add(self, pair: SpectrumPair) -> None:
        """Take the next frames, of two channels."""


class _Energies(NamedTuple):
    """Σ |L|² + |R|² and Σ 2 Re L conj(R), whose sum is the energy of twice the middle, whose difference of the side."""

    both: float = 0.0
    shared: float = 0.0

    def width_db(self) -> float:
        """Side over middle; nan in silence, and where the sums are not finite."""
        if not 0 < self.both < math.inf:
            return math.nan
        middle, side = (max(self.both + sign * self.shared, 0.0) for sign in (1, -1))
        return float(np.clip(ratio_db(side, middle), -WIDEST_DB, WIDEST_DB))


class Width(_Stereo):
    """Width of the estimate minus that of the reference in dB; nan where either is silent."""

    def __init__(self, sample_rate: int, cutoff_hz: float | None = None) -> None:
        super().__init__(sample_rate, cutoff_hz)
        self._ref = self._est = _Energies()

    def _add(self, pair: SpectrumPair) -> None:
        self._ref = self._sum(self._ref, pair.ref, pair.ref_power)
        self._est = self._sum(self._est, pair.est, pair.est_power)

    def _sum(self, so_far: _Energies, spectrum: Spectrum, power: Levels) -> _Energies:
        left, right = spectrum[..., self._bins]
        both, shared = power[..., self._bins].sum(), 2 * np.vdot(left, right).real
        return _Energies(so_far.both + float(both), so_far.shared + float(shared))

    def result(self) -> float:
        """The difference so far."""
        return self._est.width_db() - self._ref.width_db()


class CentreDrift(_Stereo):
    """Weighted mean of |b̂ − b|; nan where the reference or the estimate is silent."""

    def __init__(self, sample_rate: int, cutoff_hz: float | None = None) -> None:
        super().__init__(sample_rate, cutoff_hz)
        self._drift = self._weight = 0.0

    def _add(self, pair: SpectrumPair) -> None:
        ref, est = (power[..., self._bins].sum(axis=-1) for power in (pair.ref_power, pair.est_power))
        weight = np.where(est.sum(axis=0) > 0, ref.sum(axis=0), 0.0)
        self._drift += float(np.vdot(weight, np.abs(_balance(est) - _balance(ref))))
        self._weight += float(weight.sum())

    def result(self) -> float:
        """The mean so far."""
        return self._drift / self._weight if self._weight else math.nan


def _balance(energy: Levels) -> Levels:
    """(E_L − E_R) / (E_L + E_R) [frames] of [2, frames]; 0 in silence."""
    both = energy.sum(axis=0)
    return np.asarray((energy[0] - energy[1]) / np.where(both > 0, both, 1.0))


def width_db(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float | None = None) -> float:
    """Width of `est` minus that of `ref`, both [2, T], in dB, above `cutoff_hz` (None: of the whole band)."""
    return measure(ref, est, [Width(sample_rate, cutoff_hz)])[0]


def centre_drift(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float | None = None) -> float:
    """How far the balance of `est` lies from that of `ref`, both [2, T], above `cutoff_hz` (None: the whole band)."""
    return measure(ref, est, [CentreDrift(sample_rate, cutoff_hz)])[0]
