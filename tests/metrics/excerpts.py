"""Pairs of real music whose golden figures `make_golden.py` writes: three seconds of examples/, between silences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

RATE = 44_100
CUTOFF_HZ = 11_025.0

# at which the excerpt is a minute long, and has more than one chunk
PRETENDED_RATE = 2205

EXAMPLES = Path(__file__).parents[2] / "examples"
FIRST_S, LENGTH_S = 4, 3

# more than a transform sees beyond the ends, so that those that reflect the signal there agree with those that do not
SILENCE = 2048

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def pairs() -> dict[str, Pair]:
    """Reference and estimate [2, T] by name."""
    ref, low = (_read(EXAMPLES / f"exploration-{name}.flac") for name in ("44k", "22k"))
    dull = low + 0.3 * (ref - low)
    late = np.roll(low + 0.5 * (ref - low), 7, axis=-1)
    panned = np.round(256 * np.array([[0.9, 0.1], [0.0, 0.6]]) @ late) / 256
    return {"dull": (_cut(ref), _cut(dull)), "panned": (_cut(ref), _cut(panned))}


def _read(path: Path) -> NDArray[np.float64]:
    samples, rate = soundfile.read(path, always_2d=True)
    return np.asarray(soxr.resample(samples, rate, RATE, quality="VHQ").T)


def _cut(x: NDArray[np.float64]) -> NDArray[np.float64]:
    part = x[:, FIRST_S * RATE : (FIRST_S + LENGTH_S) * RATE].copy()
    part[:, :SILENCE] = part[:, -SILENCE:] = 0
    return part
