"""SNR of the whole waveform: 10 lg(Σ ref² / Σ (ref − est)²) over all channels and samples.

It punishes any invented high band, right or wrong: a guard, not a goal.
"""

from __future__ import annotations

import math

from musr_cli.metrics.decibels import ratio_db
from musr_cli.metrics.framing import Signal
from musr_cli.metrics.waveform import Energies, energies


def snr_db(ref: Signal, est: Signal) -> float:
    """SNR in dB of two signals [C, T]; nan for a silent reference, 150 dB when they are identical."""
    return snr_of(energies(ref, est))


def snr_of(energy: Energies) -> float:
    """`snr_db` of signals whose energies are known."""
    return float(ratio_db(energy.ref, energy.error)) if energy.ref else math.nan
