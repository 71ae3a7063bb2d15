"""What became of the band that was given: its SNR and its level, from energies in bins below the band edge.

Blackman-Harris windows of about 93 ms: their side lobes lie at −92 dB, so what was added above the edge does not leak
into the figure. The last `GUARD_BINS` bins below the edge, about 43 Hz, belong to the main lobe and stay out. Only
whole frames count, since a high band that starts with the file is a click in all bands: the first and last 46 ms weigh
less.
"""

from __future__ import annotations

import math
from abc import abstractmethod

from musr_cli.metrics.decibels import ratio_db
from musr_cli.metrics.framing import Score, Signal, Spectrum, SpectrumPair, Transform, energy, measure

GUARD_BINS = 4


def given_band_transform(sample_rate: int) -> Transform:
    """4096/1024 at 44.1 kHz, in proportion at other rates."""
    hop = max(16 * round(64 * sample_rate / 44100), 16)
    return Transform(4 * hop, hop, "blackman-harris", centred=False)


class _BelowTheEdge(Score):
    """Figures of what lies below `edge_hz`."""

    def __init__(self, sample_rate: int, edge_hz: float) -> None:
        self.transform = given_band_transform(sample_rate)
        above = self.transform.first_bin_above(edge_hz, sample_rate)
        whole_band = edge_hz >= sample_rate / 2
        self._bins = slice(0, above if whole_band else max(above - GUARD_BINS, 0))
        self._given = self._other = 0.0

    def push(self, pair: SpectrumPair) -> None:
        """Take the next frames."""
        given, est = pair.ref[..., self._bins], pair.est[..., self._bins]
        self._given += energy(given)
        self._other += energy(self._compared(given, est))

    @abstractmethod
    def _compared(self, given: Spectrum, est: Spectrum) -> Spectrum:
        """What has its energy compared with that of the given signal."""


class GivenBandSnr(_BelowTheEdge):
    """10 lg(Σ given² / Σ (given − est)²) below the edge; nan where the given band is silent."""

    def _compared(self, given: Spectrum, est: Spectrum) -> Spectrum:
        return given - est

    def result(self) -> float:
        """The ratio so far in dB."""
        return float(ratio_db(self._given, self._other)) if self._given else math.nan


class GivenBandLevel(_BelowTheEdge):
    """10 lg(Σ est² / Σ given²) below the edge; nan where the given band is silent."""

    def _compared(self, given: Spectrum, est: Spectrum) -> Spectrum:
        del given
        return est

    def result(self) -> float:
        """The level difference so far in dB."""
        return float(ratio_db(self._other, self._given)) if self._given else math.nan


def snr_given_db(given: Signal, est: Signal, sample_rate: int, edge_hz: float) -> float:
    """SNR in dB of `est` [C, T] below `edge_hz`, against the resampled input (or the reference) `given` [C, T]."""
    return measure(given, est, [GivenBandSnr(sample_rate, edge_hz)])[0]


def level_given_db(given: Signal, est: Signal, sample_rate: int, edge_hz: float) -> float:
    """Level of `est` [C, T] over that of `given` [C, T] in dB, below `edge_hz`."""
    return measure(given, est, [GivenBandLevel(sample_rate, edge_hz)])[0]
