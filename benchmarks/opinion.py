"""The opinion score that ViSQOL expects (Chinen et al. 2020, "ViSQOL v3"), by the package visqol-python."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.resampling import resample

RATE = 48000


def visqol(ref: NDArray[np.float32], estimate: NDArray[np.float32], sample_rate: int) -> float:
    """Mean opinion score, 1 to 4.73, of the middle of the channels [C, T], in audio mode at 48 kHz."""
    signals = (resample(x.mean(axis=0, keepdims=True), sample_rate, RATE)[0].astype(float) for x in (ref, estimate))
    return float(_api().measure_from_arrays(*signals, RATE).moslqo)


@lru_cache(maxsize=1)
def _api() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    return api
