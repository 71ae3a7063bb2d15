"""Scale-invariant SDR (Le Roux et al. 2019, "SDR: half-baked or well done?"), one scale for all channels.

The error is measured against the reference scaled to the estimate: 10 lg(‖αr‖² / ‖αr − e‖²), α = ⟨e, r⟩ / ‖r‖².
"""

from __future__ import annotations

import math

from musr_cli.metrics.decibels import LIMIT_DB, ratio_db
from musr_cli.metrics.framing import Signal
from musr_cli.metrics.waveform import Energies, energies


def si_sdr_db(ref: Signal, est: Signal) -> float:
    """SI-SDR in dB of two signals [C, T]; nan for a silent reference, −150 dB for a silent estimate."""
    return si_sdr_of(energies(ref, est))


def si_sdr_of(energy: Energies) -> float:
    """`si_sdr_db` of signals whose energies are known."""
    if not energy.ref:
        return math.nan
    if not energy.est:
        return -LIMIT_DB
    target = energy.product**2 / energy.ref
    return float(ratio_db(target, energy.est - target))
