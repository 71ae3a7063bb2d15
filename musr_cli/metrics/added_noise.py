"""What an estimate adds to silence: its level in those frames in which the reference is silent.

Frames of 32 ms without overlap. Silent: the RMS of the reference over the frame and all channels lies below −80 dBFS.
0 dBFS is an RMS of 1, so a full-scale sine has −3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from musr_cli.metrics.decibels import LIMIT_DB, ratio_db
from musr_cli.metrics.framing import Signal
from musr_cli.metrics.segsnr import FRAME_S
from musr_cli.metrics.waveform import frame_blocks, frame_energies

SILENCE_DBFS = -80.0


def added_noise_dbfs(ref: Signal, est: Signal, sample_rate: int) -> float:
    """RMS level of `est` in dBFS where `ref` is silent, both [C, T], not below −150; nan where it never is."""
    frame = max(round(FRAME_S * sample_rate), 1)
    energy, counted = 0.0, 0
    for a, b in frame_blocks(ref, est, frame):
        samples = _samples(a.shape[-1], frame) * len(a)
        silent = frame_energies(a, frame).sum(axis=0) < samples * 10 ** (SILENCE_DBFS / 10)
        energy += float(frame_energies(b, frame)[:, silent].sum())
        counted += int(samples[silent].sum())
    return max(float(ratio_db(energy, counted)), -LIMIT_DB) if counted else math.nan


def _samples(length: int, frame: int) -> NDArray[np.int64]:
    """Samples in each of the frames of `length` samples [frames]."""
    starts = np.arange(0, length, frame)
    return np.minimum(starts + frame, length) - starts
