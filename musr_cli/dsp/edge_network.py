"""A small network that reads the band edge off a long-term spectrum.

Spectra of music have no common shape, and soft filters look much like them: rules for "the fall" fail on one or the
other. This network has seen spectra of music under many low-passes (`benchmarks/train_band_edge.py`) and says, for each
of its narrow bands, how likely the edge lies there. Convolutions run along log frequency: an edge looks alike anywhere.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

EXPONENTS = (0.25, 1.0, 4.0)
"""Means over time that the network looks at: of the typical frame, of the power, of the loudest frames."""

BANDS_PER_OCTAVE = 24
LOWEST_HZ = 397.0
BANDS = 142
CENTRES_HZ = LOWEST_HZ * 2 ** (np.arange(BANDS) / BANDS_PER_OCTAVE)
"""Centres of the bands that it looks at, up to 23.3 kHz."""

WEIGHTS = Path(__file__).with_suffix(".safetensors")

DILATIONS = (1, 2, 4, 8, 16)

_RANGE_DB = 110.0
_EMPTY = 1e-22

Array = NDArray[np.float32]


def band_powers(
    density: NDArray[np.floating], frequencies_hz: NDArray[np.floating], centres_hz: NDArray[np.floating] = CENTRES_HZ
) -> NDArray[np.float64]:
    """Mean power density [..., bands] in the bands around `centres_hz` (equally far apart in octaves) of [..., F]."""
    return np.asarray(density @ _band_weights(tuple(frequencies_hz[:2]), len(frequencies_hz), tuple(centres_hz)))


def features(powers: NDArray[np.floating], nyquist_hz: float | NDArray[np.floating]) -> Array:
    """What the network sees: [..., 2 · exponents + 1, bands].

    Args:
        powers: mean power densities [..., exponents, bands].
        nyquist_hz: where the spectrum ends, a number or [...]; bands that reach above it are masked.

    Returns:
        Levels and their slopes, scaled, and the mask. Level and overall gain do not matter.
    """
    ends_hz = CENTRES_HZ * 2 ** (0.5 / BANDS_PER_OCTAVE)
    mask = np.where(ends_hz < np.asarray(nyquist_hz)[..., None], 1.0, 0.0)[..., None, :]
    level_db = 10 * np.log10(powers + _EMPTY)
    loudest_db = np.max(np.where(mask > 0, level_db, -np.inf), axis=(-2, -1), keepdims=True, initial=-300.0)
    level_db = np.clip(level_db - loudest_db, -_RANGE_DB, 0.0)
    slope_db = np.diff(level_db, axis=-1, prepend=level_db[..., :1])
    whole_mask = np.broadcast_to(mask, (*level_db.shape[:-2], 1, BANDS))
    scaled = [(level_db / 20 + 2.5) * mask, np.clip(slope_db / 6, -4, 4) * mask, whole_mask]
    return np.concatenate(scaled, axis=-2).astype(np.float32)


def run(x: Array) -> tuple[Array, float, Array]:
    """From `features` of one spectrum to what they say.

    Returns:
        Probability that the edge lies in each band [bands], probability that there is none, and for each band how many
        octaves below the edge the fall begins, if the edge were there [bands].
    """
    weights, mask = _weights(), x[-1]
    hidden = np.maximum(_convolve(x, weights, "inp"), 0) * mask
    for index, dilation in enumerate(DILATIONS):
        inner = np.maximum(_convolve(hidden, weights, f"blocks.{index}", dilation), 0)
        hidden = hidden + _convolve(inner, weights, f"mix.{index}") * mask
    hidden = np.maximum(hidden, 0) * mask
    edge, width = _convolve(hidden, weights, "out")
    pooled = np.concatenate([hidden.max(axis=-1), hidden.sum(axis=-1) / max(1.0, float(mask.sum()))])
    none = weights["none.weight"] @ pooled + weights["none.bias"]
    logits = np.concatenate([np.where(mask > 0, edge, -np.inf), none])
    odds = np.exp(logits - logits.max())
    probabilities = odds / odds.sum()
    return probabilities[:-1], float(probabilities[-1]), np.maximum(width, 0)


def _convolve(x: Array, weights: dict[str, Array], layer: str, dilation: int = 1) -> Array:
    """Same-size convolution of [C, T] along time with the layer's weights [out, C, taps]."""
    kernel = weights[f"{layer}.weight"]
    taps, length = kernel.shape[-1], x.shape[-1]
    reach = dilation * (taps // 2)
    padded = np.pad(x, ((0, 0), (reach, reach)))
    shifted = np.stack([padded[:, tap * dilation : tap * dilation + length] for tap in range(taps)], axis=1)
    flat = kernel.reshape(len(kernel), -1) @ shifted.reshape(-1, length)
    return np.asarray(flat + weights[f"{layer}.bias"][:, None])


@lru_cache(maxsize=1)
def _weights() -> dict[str, Array]:
    from safetensors.numpy import load_file

    return {name: tensor.astype(np.float32) for name, tensor in load_file(WEIGHTS).items()}


@lru_cache(maxsize=16)
def _band_weights(first_hz: tuple[float, float], bins: int, centres_hz: tuple[float, ...]) -> NDArray[np.float64]:
    """[F, bands]: how much of each bin lies in each band, columns summing to 1 (0 where no bin reaches)."""
    width_hz = first_hz[1] - first_hz[0]
    centres = np.array(centres_hz)
    half = np.sqrt(centres[1] / centres[0])
    edges_hz = (np.arange(bins + 1) - 0.5) * width_hz
    low, high = np.maximum(edges_hz[:-1, None], centres / half), np.minimum(edges_hz[1:, None], centres * half)
    overlap = np.maximum(high - low, 0.0)
    return np.asarray(overlap / np.maximum(overlap.sum(axis=0), 1e-12))
