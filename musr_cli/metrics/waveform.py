"""Energies of signals and of their difference, in blocks, for metrics that look at samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musr_cli.metrics.framing import Signal

BLOCK_SAMPLES = 1 << 18


class Energies(NamedTuple):
    """Sums over all channels and samples: ref², est², (ref − est)², ref · est."""

    ref: float
    est: float
    error: float
    product: float


def blocks(ref: Signal, est: Signal, samples: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Consecutive parts [C, <= samples] of both signals, as float64."""
    ref, est = np.atleast_2d(ref), np.atleast_2d(est)
    for start in range(0, ref.shape[-1], samples):
        part = slice(start, start + samples)
        yield ref[:, part].astype(np.float64), est[:, part].astype(np.float64)


def energies(ref: Signal, est: Signal) -> Energies:
    """Energies of two signals [C, T] and of their difference."""
    total = np.zeros(4)
    for a, b in blocks(ref, est, BLOCK_SAMPLES):
        error = a - b
        total += [np.vdot(a, a), np.vdot(b, b), np.vdot(error, error), np.vdot(a, b)]
    return Energies(*total.tolist())
