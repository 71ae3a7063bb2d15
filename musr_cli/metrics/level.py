"""Level difference of the whole signals: 10 lg(Σ est² / Σ ref²)."""

from __future__ import annotations

import math

from musr_cli.metrics.decibels import ratio_db
from musr_cli.metrics.framing import Signal
from musr_cli.metrics.waveform import Energies, energies


def level_db(ref: Signal, est: Signal) -> float:
    """Level of `est` over that of `ref` in dB, both [C, T]; nan for a silent reference."""
    return level_of(energies(ref, est))


def level_of(energy: Energies) -> float:
    """`level_db` of signals whose energies are known."""
    return float(ratio_db(energy.est, energy.ref)) if energy.ref else math.nan
