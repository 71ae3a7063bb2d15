"""Energies of signals and of their difference, in blocks, for metrics that look at samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musr_cli.metrics.framing import Signal

BLOCK_SAMPLES = 1 << 16


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
    sums = np.zeros(4)
    for a, b in blocks(ref, est, BLOCK_SAMPLES):
        error = a - b
        sums += [np.vdot(a, a), np.vdot(b, b), np.vdot(error, error), np.vdot(a, b)]
    return Energies(*sums.tolist())


def energies_of_parts(ref: Signal, est: Signal, samples: int) -> list[Energies]:
    """Energies of consecutive parts of `samples` samples; the last may be shorter."""
    starts = range(0, np.shape(ref)[-1], samples)
    return [energies(ref[..., start : start + samples], est[..., start : start + samples]) for start in starts]


def total(parts: Sequence[Energies]) -> Energies:
    """Energies of all parts together."""
    return Energies(*map(sum, zip(*parts, strict=True)))


def frame_blocks(ref: Signal, est: Signal, frame: int) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """As `blocks`, each of whole frames of `frame` samples (the last one of the signal may be shorter)."""
    return blocks(ref, est, frame * math.ceil(BLOCK_SAMPLES / frame))


def frame_energies(x: NDArray[np.float64], frame: int) -> NDArray[np.float64]:
    """Energies [C, frames] of [C, T]; the last frame may be shorter."""
    missing = -x.shape[-1] % frame
    frames = (np.pad(x, ((0, 0), (0, missing))) if missing else x).reshape(len(x), -1, frame)
    return np.asarray(np.einsum("cft,cft->cf", frames, frames))
