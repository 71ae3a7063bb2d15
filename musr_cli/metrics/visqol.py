"""The opinion score that ViSQOL expects (Chinen et al. 2020, "ViSQOL v3"), by the package visqol-python.

Audio mode: the middle of the channels at 48 kHz, a mean opinion score from 1 to about 4.7, which says little of music
that ends at 8 kHz. It takes a sixth of the time that the signal lasts (30 s on one core), and some 15 s more when it
runs for the first time, for numba to compile it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musr_cli.audio.resampling import resample
from musr_cli.errors import UnavailableError
from musr_cli.metrics.framing import Signal

RATE = 48_000


def visqol(ref: Signal, est: Signal, sample_rate: int) -> float:
    """Mean opinion score of `est` against `ref`, both [C, T]; nan where either is silent or shorter than a second.

    Raises:
        UnavailableError: visqol-python is not installed.
    """
    require_visqol()
    signals = [_middle(x, sample_rate) for x in (ref, est)]
    if not all(x.any() for x in signals):
        return math.nan
    try:
        return float(_api().measure_from_arrays(*signals, RATE).moslqo)
    except ValueError:
        # too short, or not a single patch of it can be scored
        return math.nan


def require_visqol() -> None:
    """Refuse at once what would fail later.

    Raises:
        UnavailableError: visqol-python is not installed.
    """
    if find_spec("visqol") is None:
        raise UnavailableError("ViSQOL is not installed: pip install 'musr[visqol]'")


def _middle(x: Signal, sample_rate: int) -> NDArray[np.float64]:
    middle = np.atleast_2d(x).mean(axis=0, keepdims=True, dtype=np.float32)
    return np.asarray(resample(middle, sample_rate, RATE)[0], np.float64)


@lru_cache(maxsize=1)
def _api() -> Any:
    from visqol import VisqolApi

    api = VisqolApi()
    api.create(mode="audio")
    return api
