"""SDR of BSS Eval in its images form (Vincent et al. 2012), in chunks as Miron & Davies 2018, section 4.1.1.

The images form splits the difference of estimate and reference into a spatial, an interference and an artefact error,
and puts all three under the fraction. Whatever filter it fits to tell them apart, they add up to the difference: the
SDR is the ratio of two energies, all channels together, and that is all there is to compute. (The sources form, which
forgives any filter of 512 taps, gave 82 dB to an untouched Butterworth low-pass whose SNR was 1.4 dB.)

Chunks of 30 s begin every 15 s; the last one may be shorter. The figure is the mean over chunks, those with a silent
reference left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from musr_cli.metrics.framing import Signal
from musr_cli.metrics.snr import snr_of
from musr_cli.metrics.waveform import Energies, energies_of_parts, total

STEP_S = 15


def sdr_db(ref: Signal, est: Signal, sample_rate: int) -> float:
    """Mean SDR in dB of two signals [C, T]; nan for a silent reference, at most 150 dB."""
    return sdr_of(energies_of_steps(ref, est, sample_rate))


def energies_of_steps(ref: Signal, est: Signal, sample_rate: int) -> list[Energies]:
    """Energies of parts of 15 s, two of which make a chunk."""
    return energies_of_parts(ref, est, STEP_S * sample_rate)


def sdr_of(steps: Sequence[Energies]) -> float:
    """`sdr_db` of signals whose energies in steps of 15 s are known."""
    ratios = [snr_of(chunk) for chunk in _chunks(steps) if chunk.ref]
    return float(np.mean(ratios)) if ratios else math.nan


def _chunks(steps: Sequence[Energies]) -> Iterator[Energies]:
    """Energies of 30 s every 15 s; whatever is shorter is one chunk."""
    for first in range(max(len(steps) - 1, 1)):
        yield total(steps[first : first + 2])
