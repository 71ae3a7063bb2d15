"""Parts of recordings for ears and eyes: of one length, rate and loudness, as FLAC that fits into a page."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from musr_cli.dsp.loudness import integrated_lufs

Signal = NDArray[Any]
"""Samples [channels, samples]."""

CEILING = 10 ** (-0.5 / 20)
"""Highest peak of what is played: half a decibel below full scale."""

MOST_GAIN_DB = 24.0
"""By which the louder or softer of two versions is changed at most."""

STEP_S = 0.5


def loudest_start(x: Signal, sample_rate: int, seconds: float) -> int:
    """First sample of the part of `seconds` in which [C, T] has the most energy, in steps of half a second."""
    step = max(round(STEP_S * sample_rate), 1)
    count = max(math.ceil(x.shape[-1] / step), 1)
    energies = np.array([np.square(x[:, i * step : (i + 1) * step], dtype=np.float64).sum() for i in range(count)])
    wanted = min(max(round(seconds / STEP_S), 1), count)
    sums = np.convolve(energies, np.ones(wanted), mode="valid")
    return int(np.argmax(sums)) * step


def matching_gains(versions: Sequence[Signal], sample_rate: int) -> list[float]:
    """Factors that give all versions [C, T] the loudness of the first (BS.1770), and keep every peak below full scale.

    Where one is too short or too soft for the standard's gates, RMS decides; silence stays as it is.
    """
    levels = [integrated_lufs(x, sample_rate) for x in versions]
    if not all(map(math.isfinite, levels)):
        levels = [_rms_db(x) for x in versions]
    gains = [10 ** (_bounded(levels[0] - level) / 20) for level in levels]
    peak = max(gain * float(np.abs(x).max(initial=0.0)) for gain, x in zip(gains, versions, strict=True))
    headroom = min(1.0, CEILING / peak) if peak else 1.0
    return [headroom * gain for gain in gains]


def as_flac(x: Signal, sample_rate: int) -> str:
    """[C, T] as a FLAC file of 16 bits in base64; peaks over full scale are cut."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(x, -1, 1).T, sample_rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(file.getvalue()).decode()


def _bounded(gain_db: float) -> float:
    return min(max(gain_db, -MOST_GAIN_DB), MOST_GAIN_DB) if math.isfinite(gain_db) else 0.0


def _rms_db(x: Signal) -> float:
    power = float(np.mean(np.square(x, dtype=np.float64))) if x.size else 0.0
    return 10 * math.log10(power) if power else -math.inf
