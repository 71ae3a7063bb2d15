"""Degradations of streams: files of any length in bounded memory, the same samples as in one go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from musr_cli.degrade.codecs import CODECS, code_blocks
from musr_cli.degrade.degradation import RESAMPLE, STFT_HOP, Degradation, apply, subsampling_ratio

CORE_S = 20.0
"""Seconds that are worked on at once, beside their context."""

_LEAST_CONTEXT_S = 1.0
_CONTEXT_PERIODS = 1000
"""Context in periods of the cutoff: where order 10 elliptic filters have died down by more than 100 dB."""


def apply_blocks(
    blocks: Iterable[NDArray[np.floating]], sample_rate: int, channels: int, degradation: Degradation
) -> Iterator[NDArray[np.float32]]:
    """Degrade blocks [C, n] of one signal; the blocks that come out have other lengths, their sum is the same."""
    if degradation.family in CODECS:
        return code_blocks(blocks, sample_rate, channels, degradation.family, degradation.bitrate_kbps or 0.0)
    return _with_context(blocks, sample_rate, channels, degradation)


def _with_context(
    blocks: Iterable[NDArray[np.floating]], sample_rate: int, channels: int, degradation: Degradation
) -> Iterator[NDArray[np.float32]]:
    align = _align(degradation, sample_rate)
    context_s = max(_LEAST_CONTEXT_S, _CONTEXT_PERIODS / (degradation.cutoff_hz or math.inf))
    context, core = (align * math.ceil(seconds * sample_rate / align) for seconds in (context_s, CORE_S))
    held, before = np.zeros((channels, 0), np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block.astype(np.float32)], axis=-1)
        while held.shape[-1] >= before + core + context:
            y = apply(held[:, : before + core + context], sample_rate, degradation)
            yield y[:, before : before + core]
            first = max(0, before + core - context)
            held, before = held[:, first:], before + core - first
    yield apply(held, sample_rate, degradation)[:, before:]


def _align(degradation: Degradation, sample_rate: int) -> int:
    """Distance in samples of the places that a degradation treats alike: pieces may begin only there."""
    cutoff_hz = degradation.cutoff_hz or 0.0
    if degradation.family == "subsampling":
        return subsampling_ratio(cutoff_hz, sample_rate).denominator
    if degradation.family == RESAMPLE:
        return sample_rate // math.gcd(sample_rate, round(2 * cutoff_hz))
    return STFT_HOP if degradation.family == "stft" else 1
