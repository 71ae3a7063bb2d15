"""Decibels that stay finite, so that one perfect or silent clip does not spoil the mean of a folder."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

LIMIT_DB = 150.0
"""Ratios are reported within ± this; float32 samples round at about −150 dB, so nothing beyond can be told apart."""

_TINY = float(np.finfo(np.float64).tiny)


def ratio_db(signal: ArrayLike, noise: ArrayLike) -> NDArray[np.float64]:
    """10 lg(signal / noise) of two energies, element by element, limited to ± `LIMIT_DB`; 0/0 counts as 0 dB."""
    # A difference of logarithms: the quotient of a normal and a tiny number would overflow.
    levels = (np.log10(np.maximum(np.asarray(energy, np.float64), _TINY)) for energy in (signal, noise))
    decibels = 10 * np.subtract(*levels)
    return np.asarray(np.clip(decibels, -LIMIT_DB, LIMIT_DB))
