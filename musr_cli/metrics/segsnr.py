"""Segmental SNR as usually defined (Loizou, "Speech Enhancement", section 11.1): on samples, clamped frame by frame.

Frames of 32 ms without overlap; each SNR is kept within −10 … 35 dB; frames whose reference is digital silence are left
out.
"""

from __future__ import annotations

import numpy as np

from musr_cli.metrics.decibels import ratio_db
from musr_cli.metrics.framing import FrameMean, Signal
from musr_cli.metrics.waveform import frame_blocks, frame_energies

FRAME_S = 0.032
LOWEST_DB = -10.0
HIGHEST_DB = 35.0


def segsnr_db(ref: Signal, est: Signal, sample_rate: int) -> float:
    """Clamped segmental SNR in dB of two signals [C, T]; nan when the whole reference is silent."""
    frame = max(round(FRAME_S * sample_rate), 1)
    mean = FrameMean()
    for a, b in frame_blocks(ref, est, frame):
        signal, error = frame_energies(a, frame), frame_energies(a - b, frame)
        heard = signal > 0
        mean.add(np.clip(ratio_db(signal[heard], error[heard]), LOWEST_DB, HIGHEST_DB))
    return mean.result()
