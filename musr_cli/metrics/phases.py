"""How far the phases of the new band are from the reference's: three figures of the bins above the cutoff.

Windows of 64 ms every 16 ms, those of `lsd_zhang`. Phases φ of the reference X, its bins k and frames n:

- complex distance: √(Σ ||X|^0.3 exp(jφ) − |X̂|^0.3 exp(jφ̂)|² / Σ |X|^0.6), the compression of Ephrat et al. 2018.
  Where magnitudes are right, random phases get √2.
- group delay: the deviation of −dφ/dω, from one bin to the next, in ms: its modulus, averaged with |X| as the weight.
  It is known within half a window, 32 ms; two unrelated noises are 11 ms apart.
- frequency: the deviation of dφ/dt, from one frame to the next, in Hz, averaged likewise. It is known within half the
  frame rate, 31 Hz; two unrelated noises are 11 Hz apart.

Both derivatives compare neighbours, so neither a constant phase nor (in frequency) a constant delay counts. Bins in
which the estimate is digital silence have no phase and stay out.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import numpy as np

from musr_cli.metrics.framing import Levels, Phasors, Score, Signal, SpectrumPair, energy, measure
from musr_cli.metrics.lsd_zhang import zhang_transform

COMPRESSION = 0.3

_TINY = np.finfo(np.float32).tiny


class _HighBand(Score):
    """Figures of the bins above the cutoff."""

    def __init__(self, sample_rate: int, cutoff_hz: float) -> None:
        self.transform = zhang_transform(sample_rate)
        self._bins = self.transform.band(cutoff_hz, math.inf, sample_rate)


class ComplexDistance(_HighBand):
    """Relative distance of compressed spectra; nan where the reference's high band is silent."""

    def __init__(self, sample_rate: int, cutoff_hz: float) -> None:
        super().__init__(sample_rate, cutoff_hz)
        self._signal = self._error = 0.0

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        ref = _compressed(pair.ref_single[..., self._bins], pair.ref_power[..., self._bins])
        self._signal += energy(ref)
        ref -= _compressed(pair.est_single[..., self._bins], pair.est_power[..., self._bins])
        self._error += energy(ref)

    def result(self) -> float:
        """The distance so far."""
        return math.sqrt(self._error / self._signal) if self._signal else math.nan


class _Derivative(_HighBand):
    """Weighted mean of |angle| of phasors that turn by the deviation of a derivative of the phase.

    Attributes:
        full_turn: what a whole turn stands for, in the unit of the figure.
    """

    full_turn: float

    def __init__(self, sample_rate: int, cutoff_hz: float) -> None:
        super().__init__(sample_rate, cutoff_hz)
        self._turned = self._weight = 0.0

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        phasors, weight = self._neighbours(pair.turn[..., self._bins], pair.ref_magnitude[..., self._bins])
        if not phasors.all():
            weight = np.where(phasors, weight, np.float32(0))
        self._turned += float((np.abs(np.angle(phasors)) * weight).sum())
        self._weight += float(weight.sum())

    @abstractmethod
    def _neighbours(self, turn: Phasors, weight: Levels) -> tuple[Phasors, Levels]:
        """Phasors of the difference between neighbours in `turn`, and their weights."""

    def result(self) -> float:
        """The deviation so far."""
        return self.full_turn * self._turned / self._weight / (2 * math.pi) if self._weight else math.nan


class GroupDelay(_Derivative):
    """Deviation of the group delay in ms; nan where the reference's high band is silent."""

    def __init__(self, sample_rate: int, cutoff_hz: float) -> None:
        super().__init__(sample_rate, cutoff_hz)
        self.full_turn = 1000 * self.transform.n_fft / sample_rate

    def _neighbours(self, turn: Phasors, weight: Levels) -> tuple[Phasors, Levels]:
        return turn[..., 1:] * turn[..., :-1].conj(), weight[..., 1:]


class Frequency(_Derivative):
    """Deviation of the momentary frequency in Hz; nan where the reference's high band is silent."""

    def __init__(self, sample_rate: int, cutoff_hz: float) -> None:
        super().__init__(sample_rate, cutoff_hz)
        self.full_turn = sample_rate / self.transform.hop
        self._last: Phasors | None = None

    def _neighbours(self, turn: Phasors, weight: Levels) -> tuple[Phasors, Levels]:
        before = turn[:, :0] if self._last is None else self._last
        # a copy, lest the whole block stay in memory
        self._last = turn[:, -1:].copy()
        turns = np.concatenate([before, turn], axis=1)
        return turns[:, 1:] * turns[:, :-1].conj(), weight[:, 1 - before.shape[1] :]


def _compressed(spectrum: Phasors, power: Levels) -> Phasors:
    """|X|^0.3 exp(jφ)."""
    # numpy's power takes longer than a logarithm and an exponential
    gain = np.log(np.maximum(power, _TINY))
    gain *= (COMPRESSION - 1) / 2
    return spectrum * np.exp(gain, out=gain)


def complex_distance(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float) -> float:
    """Relative distance of the compressed spectra of two signals [C, T] above `cutoff_hz`."""
    return measure(ref, est, [ComplexDistance(sample_rate, cutoff_hz)])[0]


def group_delay_ms(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float) -> float:
    """Mean deviation of the group delay of `est` from that of `ref`, both [C, T], above `cutoff_hz`, in ms."""
    return measure(ref, est, [GroupDelay(sample_rate, cutoff_hz)])[0]


def frequency_hz(ref: Signal, est: Signal, sample_rate: int, cutoff_hz: float) -> float:
    """Mean deviation of the momentary frequency of `est` from that of `ref`, both [C, T], above `cutoff_hz`, in Hz."""
    return measure(ref, est, [Frequency(sample_rate, cutoff_hz)])[0]
